"""In-flight requests: submits them and decides on completion whether to write, retry or re-queue.

In: requests from the scheduler, and completed attempts. Out: submissions to the pool, results for the
scheduler, and final rows. Only the engine's thread calls it. Completed futures go to the inbox, in the pool's
threads; a pool that runs in the engine's thread collects outcomes instead.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import islice
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.engine.completed import CompletedAttempt, with_crawl_fields, with_input_columns
from fetchpool.engine.crashes import MAX_CRASHES, CrashTracker
from fetchpool.engine.events import ActiveRequest, EventKind, RetryScheduled
from fetchpool.engine.inbox import Inbox
from fetchpool.engine.lifecycle import Lifecycle, RunState
from fetchpool.engine.observers import Observers
from fetchpool.engine.stats import Stats
from fetchpool.engine.writer import Writer
from fetchpool.model import derive
from fetchpool.model.errors import OutputError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import redact
from fetchpool.pools.base import CollectingPool, Pool
from fetchpool.pools.future import Collector
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler

if TYPE_CHECKING:  # loaded only for a crawl
    from fetchpool.engine.crawl import Crawl

SLOWEST = 5
"""Number of requests that are shown as the slowest."""


class PreviousAttempts(Struct, frozen=True, gc=False):
    """The data stored about a request until its next attempt."""

    started: float
    """The time at which the first attempt started."""
    last: CompletedAttempt
    """The last attempt, without its archive records."""
    weight: int
    """The approximate size of this data in memory, in bytes."""


class InFlightRequests:
    """In-flight requests by urlnum. Internal requests (robots.txt) have negative numbers."""

    def __init__(
        self,
        pool: Pool,
        scheduler: Scheduler,
        retry: RetryPolicy,
        writer: Writer,
        *,
        inbox: Inbox,
        lifecycle: Lifecycle,
        stats: Stats,
        observers: Observers,
        crawl: Crawl | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """The pool's threads put completed futures into `inbox`; the engine's thread passes each attempt to
        `complete()`. `crawl`: receives the links of each page."""
        self._crawl = crawl
        self._pool = pool
        self._scheduler = scheduler
        self._retry = retry
        self._writer = writer
        self._put = inbox.put
        self._collecting: CollectingPool | None = None
        """The pool, if it collects outcomes in the engine's thread."""
        self._collector = Collector()
        self._lifecycle = lifecycle
        self._stats = stats
        self._observers = observers
        self._clock = clock
        self._jar = writer.jar
        self._archives = writer.archives
        self._in_flight: dict[int, tuple[FetchRequest, float]] = {}
        """Requests and their start times by urlnum, in the order of their start."""
        self._previous: dict[int, PreviousAttempts] = {}
        """Previous attempts of requests that will be retried, by urlnum."""
        self.crashes = CrashTracker()
        self.bytes_held = 0
        """Approximate memory of all requests without a final row, in bytes."""
        self.finished_records: list[Record] = []
        """Final rows, until `take_finished()`."""
        self.internal_results: deque[tuple[FetchRequest, Outcome]] = deque()
        """Final outcomes of internal requests, which have no row; Preflight removes them."""
        self.has_dropped = False
        """Whether a request ended without a row because the run was aborted."""

    def __len__(self) -> int:
        return len(self._in_flight)

    def slowest(self, now: float) -> tuple[ActiveRequest, ...]:
        """Return the requests that have been in flight longest, safe to show."""
        return tuple(
            ActiveRequest(escape_invisible(redact(request.url)), now - started)
            for request, started in islice(self._in_flight.values(), SLOWEST)
        )

    def by_host(self) -> dict[str, int]:
        """Return the number of requests in flight of each host. Takes time proportional to their number, so
        it must not be called for every request."""
        hosts: dict[str, int] = {}
        for request, _ in self._in_flight.values():
            hosts[request.host] = hosts.get(request.host, 0) + 1
        return hosts

    def seconds_since_last_start(self, now: float) -> float | None:
        """Return how long the latest request has been in flight; None if there is none."""
        if not self._in_flight:
            return None
        _, started = self._in_flight[next(reversed(self._in_flight))]
        return now - started

    def submit(self, request: FetchRequest, now: float) -> None:
        """Submit a request; alone if workers crashed on it."""
        self._in_flight[request.urlnum] = (request, now)
        sent = request if request.input_columns is None else derive.without_input_columns(request)
        if self._jar is not None and request.urlnum >= 0:
            sent = derive.with_cookies(sent, self._jar.of_host(sent.host))
        if self._collecting is not None:
            self._collecting.collect(sent, self._collector)
            return
        if self.crashes.counts and self.crashes.must_run_alone(request.urlnum):
            future = self._pool.submit(sent, alone=True)
        else:
            future = self._pool.submit(sent)
        future.request = request
        future.add_done_callback(self._put)

    def collect_from(self, pool: CollectingPool) -> None:
        """From now on collect the outcomes of the pool, which runs in this thread: a future for each would
        take a twentieth of a fetch's time."""
        self._collecting = pool

    def take_collected(self) -> list[CompletedAttempt]:
        """Remove and return the collected attempts."""
        outcomes, in_flight = self._collector.outcomes, self._in_flight
        attempts = [CompletedAttempt(in_flight[each.record.urlnum][0], each) for each in outcomes]
        outcomes.clear()
        return attempts

    def reject(
        self, request: FetchRequest, kind: FailureKind, now: float, message: str | None = None
    ) -> None:
        """Fail a request that was not submitted."""
        self._finish(CompletedAttempt(request, refusal(request, kind, message)), now)

    def abandon(self, request: FetchRequest, kind: FailureKind, now: float) -> None:
        """Fail a request whose host or proxy is down, with the error of its last attempt if there was one."""
        if request.urlnum in self._previous:
            self._finalize(self._previous[request.urlnum].last)
        else:
            self.reject(request, kind, now)

    def take_finished(self) -> list[Record]:
        """Remove and return the final rows."""
        records, self.finished_records = self.finished_records, []
        return records

    def complete(self, attempt: CompletedAttempt) -> float:
        """Handle a request that is no longer in flight, and return when it started. Raises `OutputError` if
        its body could not be stored."""
        request, outcome = attempt.request, attempt.outcome
        _, started = self._in_flight.pop(request.urlnum)
        now = self._clock()
        retry_after = None
        if outcome is not None and outcome.retry_after is not None:
            retry_after = self._retry.retry_after(outcome)
        self._scheduler.complete(request, now, started, outcome, retry_after)
        if outcome is None:
            self._requeue(attempt, now)
            return started
        if self._archives:
            self._writer.archive(outcome)
        if self._jar is not None and outcome.set_cookies:
            self._jar.learn(outcome.set_cookies)
        is_throttled = outcome.record.error and self._scheduler.is_throttled(request.host, now)
        # Requests that wait for their spacing are not counted as queued: places may be free.
        if is_throttled and (self._pool.queued or (request.spacing and self._pool.keeps_spacing)):
            self._pool.cancel_pending(request.host)
        if self._crawl is not None:
            self._crawl.take_links(request, outcome)  # before the row, so that a crash loses no link
        if outcome.pending_redirect is not None:
            redirect = derive.with_input_columns(outcome.pending_redirect, request)
            self._scheduler.enqueue(self._reweighed(redirect, request), now, first=True)
        else:
            self._finish(attempt, started)
        return started

    def _requeue(self, attempt: CompletedAttempt, now: float) -> None:
        """Re-queue a request that has no outcome: its worker crashed, or it was cancelled."""
        request, state = attempt.request, self._lifecycle.state
        if attempt.crashed is not None and state is not RunState.ABORTED:
            crashes = self.crashes.count(request.urlnum, attempt.crashed)
            if text := self.crashes.report(attempt.crashed, now):
                self._observers.notify(text, EventKind.WORKER_LOST)
            if crashes >= MAX_CRASHES:
                self.reject(request, FailureKind.INTERNAL, now, f"worker crashed {crashes} times on this URL")
                return
        elif state is RunState.ABORTED:
            self.has_dropped = True
            return
        self._scheduler.enqueue(request, now, first=True)

    def _finish(self, attempt: CompletedAttempt, started: float) -> None:
        """Retry an attempt that began at `started`, or make its outcome the final one."""
        outcome = attempt.outcome
        assert outcome is not None
        if (error := outcome.record.error) is not None:
            if error == FailureKind.ABORTED and self._lifecycle.state is RunState.ABORTED:
                self.has_dropped = True  # no row, so that a resumed run fetches the URL
                return
            if outcome.storage_error:
                raise OutputError(outcome.storage_error)
            if self._crawl is not None and (other := self._crawl.other_attempt(attempt.request, outcome)):
                self._scheduler.enqueue(self._reweighed(other, attempt.request), self._clock(), first=True)
                return
            if self._maybe_retry(attempt, outcome, started):
                return
        self._finalize(attempt)

    def _finalize(self, attempt: CompletedAttempt) -> None:
        """Make the row of a request's last attempt, or hand an internal request's outcome to Preflight."""
        request, outcome = attempt.request, attempt.outcome
        assert outcome is not None
        self.bytes_held -= request.weight
        if self._previous and (previous := self._previous.pop(request.urlnum, None)) is not None:
            self.bytes_held -= previous.weight
        if self.crashes.counts:
            self.crashes.forget(request.urlnum)
        if request.urlnum < 0:
            self.internal_results.append((request, outcome))
            return
        if self._crawl is not None:
            self._crawl.log_links(request, outcome)  # before the row, too
        record = outcome.record
        if request.input_columns is not None:
            if self._crawl is None:
                record = with_input_columns(record, request.input_columns)
            else:
                record = with_crawl_fields(record, request.input_columns)
        if self._archives and record.error is not None:
            self._writer.archive_failure(record, outcome)
        self.finished_records.append(record)

    def _maybe_retry(self, attempt: CompletedAttempt, outcome: Outcome, started: float) -> bool:
        """Schedule a retry if one is due; return whether it is."""
        now, request, urlnum = self._clock(), attempt.request, attempt.request.urlnum
        before = self._previous.get(urlnum)
        first = started if before is None else before.started
        delay = None
        if self._scheduler.hit_connection_limit(request, outcome):
            delay = self._retry.uncounted_delay(request, outcome)
        derived = derive.again if delay is None else derive.again_uncounted
        if delay is None:
            delay = self._retry.delay(request, outcome, now - first)
        if delay is None:
            return False
        previous = previous_attempts(first, attempt, outcome)
        self.bytes_held += previous.weight - (0 if before is None else before.weight)
        self._previous[urlnum] = previous
        self._scheduler.enqueue_at(self._reweighed(derived(request), request), now + delay)
        if urlnum >= 0:
            self._stats.retried(outcome.record)
            self._observers.on_event(RetryScheduled(outcome.record, delay))
        return True

    def _reweighed(self, derived: FetchRequest, request: FetchRequest) -> FetchRequest:
        """Count the memory of a request that replaces another, and return it."""
        self.bytes_held += derived.weight - request.weight
        return derived


def previous_attempts(started: float, attempt: CompletedAttempt, outcome: Outcome) -> PreviousAttempts:
    """Return the stored part of an attempt, without its archive records, which have been written: thousands
    of requests may be waiting for their retry."""
    if outcome.warc_records or outcome.content or outcome.links:
        outcome = replace(outcome, warc_records=b"", warc_records_path="", content=b"", links=b"")
        attempt = replace(attempt, outcome=outcome)
    record = outcome.record
    texts = (record.url_effective, record.errormsg, record.content_type, *record.extra.values())
    return PreviousAttempts(started, attempt, sum([len(text) for text in texts if isinstance(text, str)]))
