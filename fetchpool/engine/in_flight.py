"""In-flight requests: submits them and decides on completion whether to write, retry or re-queue.

In: requests that the scheduler has handed out, and finished ones from the inbox. Out: submissions to the
pool, words to the scheduler, and `final`: the rows after which no attempt follows. Only the engine's thread
calls it, but for the done-callback, which does nothing but put what it made into the inbox.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from itertools import islice
from time import monotonic

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.engine.completed import CompletedAttempt, completed, with_columns
from fetchpool.engine.crashes import MAX_LOSSES, CrashTracker
from fetchpool.engine.events import ActiveRequest, Notice, RetryScheduled
from fetchpool.engine.inbox import Inbox
from fetchpool.engine.writer import Writer
from fetchpool.model import derive
from fetchpool.model.errors import OutputError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import redact
from fetchpool.pools.base import Pool
from fetchpool.pools.future import LightFuture
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler

SHOWN = 5
"""Requests that are shown as the slowest."""


class Attempted(Struct, frozen=True, gc=False):
    """What is kept of a request until its next attempt."""

    started: float
    """When the first one was."""
    last: CompletedAttempt
    """Its last attempt, without what was archived of it."""
    weight: int
    """Bytes that this holds, about."""


class RunState(Enum):
    """Whether a run goes on; the engine sets it."""

    RUNNING = auto()
    STOPPING = auto()
    """No request is started; those in flight end by themselves."""
    ABORTED = auto()
    """Requests in flight are cancelled, too."""


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
        learn: Callable[[FetchRequest, Outcome], None],
        tell: Callable[[RetryScheduled | Notice], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Completed attempts are put into `inbox` by the pool's threads; the engine's thread hands each to
        `landed()`. `learn` is called with the outcome of an internal request, which has no row. `tell`
        notifies the observers."""
        self._pool = pool
        self._scheduler = scheduler
        self._retry = retry
        self._writer = writer
        self._put = inbox.put
        self._learn = learn
        self._tell = tell
        self._clock = clock
        self._in_flight: dict[int, tuple[FetchRequest, float]] = {}
        """By urlnum, in the order they started; with the time they did."""
        self._attempted: dict[int, Attempted] = {}
        """By urlnum, of a request that is to be tried again."""
        self.held = 0
        """What all that was read and has no final row yet weighs, and what is kept of its attempts."""
        self._losses = CrashTracker()
        self._alone: FetchRequest | None = None
        """Handed out, and waiting until nothing else is in flight."""
        self.final: list[Record] = []
        """Rows that were not written yet; whoever writes them takes the list away."""
        self.state = RunState.RUNNING
        """Once it is another, no attempt is retried, and a request without an outcome has no row."""
        self.unfinished = False
        """Something was in flight when the run was stopped, and came to nothing."""

    def __len__(self) -> int:
        return len(self._in_flight)

    @property
    def waiting(self) -> int:
        """Handed out, and not started yet."""
        return int(self._alone is not None)

    def slowest(self, now: float) -> tuple[ActiveRequest, ...]:
        """Those that have been in flight for longest, for a person to see."""
        return tuple(
            ActiveRequest(escape_invisible(redact(request.url)), now - started)
            for request, started in islice(self._in_flight.values(), SHOWN)
        )

    def start(self, request: FetchRequest, now: float) -> bool:
        """Submits it; False when nothing may start beside it, since workers have died under it."""
        if self._losses.counts and self._losses.must_run_alone(request.urlnum):
            self._alone = request
            return not self.is_isolating(now)
        self.submit(request, now)
        return True

    def is_isolating(self, now: float) -> bool:
        """Whether nothing may start beside a request under which workers died; starts it when it can."""
        if not self._losses.counts:
            return False
        if self._alone is not None and not self._in_flight:
            self.submit(self._alone, now)
            self._alone = None
        return self._alone is not None or self._losses.one_runs_alone(self._in_flight.keys())

    def submit(self, request: FetchRequest, now: float) -> None:
        self._in_flight[request.urlnum] = (request, now)
        self._pool.submit(derive.sent(request)).add_done_callback(partial(self._finished, request))

    def _finished(self, request: FetchRequest, future: Future[Record]) -> None:
        """The done-callback; runs in the pool's thread."""
        assert isinstance(future, LightFuture)
        self._put(completed(request, future))

    def refuse(
        self, request: FetchRequest, kind: FailureKind, now: float, message: str | None = None
    ) -> None:
        """Ends a request that no worker gets."""
        self._conclude(CompletedAttempt(request, refusal(request, kind, message)), now)

    def give_up(self, request: FetchRequest, kind: FailureKind, now: float) -> None:
        """Ends a request whose host or proxy is down. What its last attempt came to says more than that there
        was no other."""
        if request.urlnum in self._attempted:
            self._settle(self._attempted[request.urlnum].last)
        else:
            self.refuse(request, kind, now)

    def landed(self, finished: CompletedAttempt) -> None:
        """A request is no longer in flight. Raises `OutputError` when it was our own disk that failed."""
        request, outcome = finished.request, finished.outcome
        _, started = self._in_flight.pop(request.urlnum)
        now = self._clock()
        cool_down = self._retry.cool_down(outcome) if outcome is not None else None
        self._scheduler.finished(request, now, started, outcome, cool_down)
        if outcome is None:
            self._requeue(finished, now)
            return
        self._writer.archive(outcome)
        if outcome.record.error and self._pool.queued and self._scheduler.is_throttled(request.host, now):
            self._pool.cancel_pending(request.host)
        if outcome.redirect is not None:
            again = self._weighed(derive.with_columns(outcome.redirect, request), request)
            self._scheduler.add(again, now, first=True)
        elif not (self.state is RunState.ABORTED and outcome.record.error == FailureKind.ABORTED):
            # What was aborted never came to its end: it has no row, and a resumed run asks again.
            self._conclude(finished, started)

    def _requeue(self, finished: CompletedAttempt, now: float) -> None:
        """Re-queue a request that has no outcome: its worker crashed, or it was cancelled."""
        request = finished.request
        if finished.lost and self.state is not RunState.ABORTED:
            losses = self._losses.count(request.urlnum)
            if losses >= MAX_LOSSES:
                self.refuse(request, FailureKind.INTERNAL, now, f"worker crashed {losses} times on this URL")
                return
            if losses == 1:
                self._tell(Notice(f"worker crashed; retrying {escape_invisible(redact(request.url))}"))
        elif self.state is not RunState.RUNNING:
            self.unfinished = True
            return
        self._scheduler.add(request, now, first=True)

    def _conclude(self, finished: CompletedAttempt, started: float) -> None:
        """An attempt that began at `started` has its outcome: it is made again, or was the final one."""
        outcome = finished.outcome
        assert outcome is not None
        if outcome.record.error is not None:
            if outcome.storage_error:
                raise OutputError(outcome.storage_error)
            if self._maybe_retry(finished, outcome, started):
                return
        self._settle(finished)

    def _settle(self, finished: CompletedAttempt) -> None:
        """No attempt follows."""
        request, outcome = finished.request, finished.outcome
        assert outcome is not None
        self.held -= request.weight
        if self._attempted and (attempted := self._attempted.pop(request.urlnum, None)) is not None:
            self.held -= attempted.weight
        if self._losses.counts:
            self._losses.forget(request.urlnum)
        if request.urlnum < 0:
            self._learn(request, outcome)
            return
        record = outcome.record
        if request.columns is not None:
            record = with_columns(record, request.columns)
        self._writer.archive_failure(record, outcome)
        self.final.append(record)

    def _maybe_retry(self, finished: CompletedAttempt, outcome: Outcome, started: float) -> bool:
        now, request, urlnum = self._clock(), finished.request, finished.request.urlnum
        before = self._attempted.get(urlnum)
        first = started if before is None else before.started
        delay = None
        if self._scheduler.was_crowded(request, outcome):
            delay = self._retry.spared(request, outcome)
        follows = derive.again if delay is None else derive.spared
        if delay is None:
            delay = self._retry.delay(request, outcome, now - first)
        if delay is None:
            return False
        kept = attempted(first, finished, outcome)
        self.held += kept.weight - (0 if before is None else before.weight)
        self._attempted[urlnum] = kept
        self._scheduler.enqueue_at(self._weighed(follows(request), request), now + delay)
        if urlnum >= 0:
            self._tell(RetryScheduled(outcome.record, delay))
        return True

    def _weighed(self, follows: FetchRequest, request: FetchRequest) -> FetchRequest:
        """What follows from a request, which may weigh more, or less."""
        self.held += follows.weight - request.weight
        return follows


def attempted(started: float, finished: CompletedAttempt, outcome: Outcome) -> Attempted:
    """What is kept of an attempt. What it brought for the archive is written by now: thousands may wait for
    their retry."""
    if outcome.records or outcome.content:
        outcome = replace(outcome, records=b"", warc_records_path="", content=b"")
        finished = replace(finished, outcome=outcome)
    record = outcome.record
    texts = (record.url_effective, record.errormsg, record.content_type, *record.extra.values())
    return Attempted(started, finished, sum([len(text) for text in texts if isinstance(text, str)]))
