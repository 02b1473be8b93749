"""The loop: one thread, one inbox, the only writer.

In: a source, a scheduler, a pool, sinks and observers, all made by `app.py`. Out: rows in the sinks,
snapshots to the observers. Finished futures, commands and wake-ups arrive in the same queue, so there
is one place where anything can happen and no lock elsewhere.

Each turn: hear what came in, fill the pool up to its window, write the rows that became final.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from fetchpool import urls
from fetchpool.clean import visible
from fetchpool.concurrency import Concurrency
from fetchpool.errors import OutputError
from fetchpool.exchange import refusal, utc_now
from fetchpool.known import Known
from fetchpool.model import FailureKind, FetchRequest, Outcome, Record
from fetchpool.names import Named, Names
from fetchpool.observe.events import InFlight, Notice, Observer, Retrying, Snapshot
from fetchpool.observe.limits import HeldBy, LimitsClock
from fetchpool.observe.stats import Stats
from fetchpool.pools.base import WorkerPool
from fetchpool.retry import RetryPolicy
from fetchpool.scheduler import Scheduler
from fetchpool.sinks.base import Sink
from fetchpool.sources.base import Source
from fetchpool.summary import Finished, conclude, summarise
from fetchpool.urls import redact

if TYPE_CHECKING:  # loaded by those who use it
    from fetchpool.archive import Archive
    from fetchpool.robots import Robots
    from fetchpool.spool import SpoolFolder

LOOK_AHEAD = 10_000
"""Requests read ahead of those that may start, so that a list sorted by host keeps all hosts busy.
Past it nothing is read until something of it has started."""
FLUSH_INTERVAL = 0.5
"""Seconds a written row may wait for the operating system."""
SAMPLE_INTERVAL = 0.25
"""Seconds between two snapshots."""
LOOK_INTERVAL = 0.05
"""Seconds between two looks at whether the workers are as many as they should be (`-w auto`)."""
MAX_LOSSES = 3
"""Workers that may die under one request before it is taken for the cause."""


class Command(Enum):
    """What the inbox can hold beside finished requests."""

    WAKE = auto()
    STOP = auto()
    ABORT = auto()


class RunResult(Struct, frozen=True):
    """How the run ended."""

    snapshot: Snapshot
    interrupted: bool
    """Stopped before the input's end; what was not fetched has no row."""
    timed_out: bool
    """It was `max_runtime` that stopped it."""
    input_failure: str | None
    """An input broke off; one line."""
    rows: tuple[int, ...]
    """How many each output was given."""


class Engine:
    """`run()` to the end, or `step()` by `step()` until `done`."""

    def __init__(
        self,
        source: Source,
        pool: WorkerPool,
        sinks: Sequence[Sink],
        *,
        scheduler: Scheduler,
        retry: RetryPolicy,
        known: Known | None = None,
        names: Names | None = None,
        robots: Robots | None = None,
        archive: Archive | None = None,
        spools: Sequence[SpoolFolder] = (),
        max_runtime: float | None = None,
        concurrency: Concurrency | None = None,
        observers: Sequence[Observer] = (),
        notices: Sequence[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._source = source
        self._pool = pool
        self._sinks = sinks
        self._rows = [0] * len(sinks)
        self._known = known if known is not None else Known(dedupe=False)
        self._reading_back = True
        self._scheduler = scheduler
        self._retry = retry
        self._observers = observers
        self._clock = clock
        self._inbox: SimpleQueue[Finished | Named | Command] = SimpleQueue()
        self._names = names
        self._robots = robots
        self._concurrency = concurrency
        self._next_look = 0.0
        self._archive = archive
        self._spools = spools
        self._robots_asked = 0
        self._ends_at = None if max_runtime is None else clock() + max_runtime
        self._timed_out = False
        self._in_flight: dict[int, tuple[FetchRequest, float]] = {}
        """By urlnum, in the order they started; with the time they did."""
        self._first_attempt: dict[int, float] = {}
        """When a request that is being retried was first started."""
        self._losses: dict[int, int] = {}
        """Workers that died under a request."""
        self._suspects: deque[FetchRequest] = deque()
        """Lost twice: each runs alone, so that the cause is known if it happens again."""
        self._final: list[Record] = []
        self._stopping = self._aborted = False
        self._stats = Stats(clock)
        self._limits = LimitsClock(clock())
        self._next_flush = self._next_sample = 0.0
        self._read = 0
        self._unflushed = False
        self.done = False
        source.start(self.wake)
        if names is not None:
            names.start(self._inbox.put)
        for observer in observers:
            observer.started(self.snapshot())
        for text in notices:
            self._tell(Notice(text))

    # From any thread, or a signal handler

    def wake(self) -> None:
        """Something may have become possible: look again."""
        self._inbox.put(Command.WAKE)

    def stop(self) -> None:
        """Start nothing more; end when what is in flight has ended."""
        self._inbox.put(Command.STOP)

    def abort(self) -> None:
        """End what is in flight, too. What has no row yet gets none."""
        self._inbox.put(Command.ABORT)

    # The loop

    @property
    def _window(self) -> int:
        """How many requests the pool may hold."""
        if self._concurrency is not None:
            return self._concurrency.target
        return self._pool.workers if self._scheduler.paced else self._pool.window

    def run(self) -> RunResult:
        """To the end. Raises `OutputError` when a sink fails; what it holds is whole."""
        try:
            while not self.done:
                self.step()
        finally:
            self.close()
        return self.result()

    def step(self) -> None:
        """One turn: waits until something happens or is due, at most a snapshot's interval."""
        now = self._clock()
        if self._ends_at is not None and now >= self._ends_at and not self._stopping:
            self._timed_out = True
            self._stop()
        self._fill(now)
        if not self._final:
            if not self._in_flight and self._nothing_left():
                self.done = True
                return
            self._wait(now)
        self._hear()
        self._write()
        now = self._clock()
        if self._concurrency is not None and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            cpu = self._limits.limits(now).cpu / max(1, self._stats.done)
            self._concurrency.look(now, len(self._in_flight), cpu)
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_INTERVAL
            self._sample()
        if self._unflushed and now >= self._next_flush:
            self._flush(now)

    def close(self) -> None:
        """Ends the pool and closes the sinks, in whatever state the run is. Idempotent."""
        self._source.close()
        try:
            self._pool.shutdown(abort=bool(self._in_flight))
        finally:
            failures = []
            outputs: list[Archive | Sink] = [*self._sinks]
            if self._archive is not None:
                outputs.insert(0, self._archive)
            for output in outputs:
                try:
                    output.close()
                except Exception as failure:  # noqa: BLE001 - the others must be closed all the same
                    failures.append(failure)
            self._sinks = ()
            self._archive = None
            for spool in self._spools:
                spool.close()
            snapshot = self.snapshot()
            for observer in self._observers:
                observer.finished(snapshot)
            self._observers = ()
            if failures:
                raise failures[0]

    def result(self) -> RunResult:
        """How it went, so far."""
        interrupted = self._stopping and not (self._source.exhausted and not self._scheduler.queued)
        return RunResult(
            self.snapshot(),
            interrupted=interrupted or self._aborted,
            timed_out=self._timed_out and interrupted,
            input_failure=self._source.failure,
            rows=tuple(self._rows),
        )

    def _nothing_left(self) -> bool:
        if self._stopping:
            return True
        return self._source.exhausted and not self._scheduler.queued and not self._suspects

    def _fill(self, now: float) -> None:
        """Submits what may start, up to the pool's window; reads ahead as far as that needs."""
        if self._stopping:
            self._limits.account(now, HeldBy.ENDING)
            return
        if self._suspects:
            if not self._in_flight:
                self._submit(self._suspects.popleft(), now)
            return
        if self._reading_back:
            self._read_back(now)
            return
        scheduler, window = self._scheduler, self._window
        while len(self._in_flight) < window:
            request = scheduler.next(now)
            if request is not None:
                if self._robots is None or self._allowed(self._robots, request, now):
                    self._submit(request, now)
            elif not self._read_ahead(window, now):
                break
        while scheduler.given_up:
            self._refuse(scheduler.given_up.popleft(), FailureKind.HOST_DOWN, now)
        if self._names is not None:
            while scheduler.asked:
                self._names.ask(scheduler.asked.popleft())
            for named in self._names.overdue(now):
                self._introduce(named, now)
        self._limits.account(now, self._state(window))

    def _state(self, window: int) -> HeldBy:
        queued, exhausted = self._scheduler.queued, self._source.exhausted
        if exhausted and not queued:
            return HeldBy.ENDING
        if len(self._in_flight) >= window:
            return HeldBy.WORKERS
        if self._scheduler.asking and self._scheduler.asking >= queued - self._scheduler.waiting:
            return HeldBy.NAMES
        return HeldBy.HOSTS if queued else HeldBy.SOURCE

    def _read_back(self, now: float) -> None:
        """Learns a piece of what earlier runs have done; nothing is fetched before all is known."""
        self._limits.account(now, HeldBy.SOURCE)
        self._reading_back = self._known.read_back()
        if not self._reading_back and self._known.damaged:
            self._tell(Notice(f"damaged lines, which count as no rows: {self._known.damaged:,}"))
        self.wake()

    def _read_ahead(self, window: int, now: float) -> bool:
        """Queues a batch from the source; False when nothing of it may start, there is none now, or
        enough waits already."""
        room = LOOK_AHEAD - self._scheduler.queued
        if room <= 0 or self._source.exhausted:
            return False
        taken = self._source.take(min(room, max(64, 2 * window)))
        requests, earlier = self._known.sift(taken)
        self._read += len(requests) + len(earlier)
        self._stats.found(earlier)
        queued = self._scheduler.queued
        for request in requests:
            if request.refused is None:
                self._scheduler.add(request, now)
            else:
                self._refuse(request, request.refused, now)
        if self._scheduler.queued > queued:
            return True
        if taken:  # it may go on like this for millions: signals are heard, and rows written, in between
            self.wake()
        return False

    def _allowed(self, robots: Robots, request: FetchRequest, now: float) -> bool:
        """Whether the host's owner lets it be fetched; False, too, while that is being asked."""
        rules = robots.rules_for(request)
        if rules is None:
            self._scheduler.hold(request)
            self._robots_asked += 1
            self._submit(robots.request_for(request, -self._robots_asked), now)
            return False
        if robots.allows(rules, request):
            return True
        self._scheduler.finished(request, now, now, None)
        self._refuse(request, FailureKind.ROBOTS, now, rules.refusal)
        return False

    def _introduce(self, named: Named, now: float) -> None:
        """A host's addresses are known, or it has none."""
        if named.failure is None:
            self._scheduler.known(named.host, now, named.until, named.addresses, named.seconds)
            return
        for request in self._scheduler.unknown(named.host, now):
            self._refuse(request, named.failure, now, named.message)

    def _refuse(
        self, request: FetchRequest, kind: FailureKind, now: float, message: str | None = None
    ) -> None:
        """Ends a request that no worker gets."""
        self._conclude(conclude(request, refusal(request, kind, utc_now(), message)), now)

    def _submit(self, request: FetchRequest, now: float) -> None:
        self._in_flight[request.urlnum] = (request, now)
        sent = request if request.columns is None else replace(request, columns=None)
        self._pool.submit(sent).add_done_callback(partial(self._finished, request))

    def _finished(self, request: FetchRequest, future: Future[Outcome]) -> None:
        """The done-callback; runs in the pool's thread."""
        self._inbox.put(summarise(request, future))

    def _wait(self, now: float) -> None:
        until = [self._next_sample]
        if self._concurrency is not None:
            until.append(self._next_look)
        if self._ends_at is not None and not self._stopping:
            until.append(self._ends_at)
        if self._unflushed:
            until.append(self._next_flush)
        if len(self._in_flight) < self._window and not self._stopping:
            # With every worker busy, only one that ends can change anything.
            wake_at = self._scheduler.wake_at()
            if wake_at is not None:
                until.append(wake_at)
        if self._names is not None and (late_at := self._names.wake_at()) is not None:
            until.append(late_at)
        try:
            self._take(self._inbox.get(timeout=max(0.0, min(until) - now)))
        except Empty:
            return

    def _hear(self) -> None:
        """Everything that is in the inbox by now."""
        inbox = self._inbox
        for _ in range(inbox.qsize()):
            self._take(inbox.get())

    def _take(self, message: Finished | Named | Command) -> None:
        if isinstance(message, Finished):
            self._landed(message)
        elif isinstance(message, Named):
            if self._names is not None and self._names.heard(message):
                self._introduce(message, self._clock())
        elif message is Command.STOP:
            self._stop()
        elif message is Command.ABORT:
            self._stop()
            self._aborted = True
            self._pool.shutdown(abort=True)

    def _stop(self) -> None:
        """Nothing more starts; what is in flight ends."""
        self._stopping = True
        self._pool.recall()

    def _landed(self, finished: Finished) -> None:
        """A request is no longer in flight."""
        request, outcome = finished.request, finished.outcome
        _, started = self._in_flight.pop(request.urlnum)
        now = self._clock()
        if request.urlnum < 0:
            self._learn(request, outcome, now)
            return
        cool_down = self._retry.cool_down(outcome) if outcome is not None else None
        self._scheduler.finished(request, now, started, outcome, cool_down)
        if self._concurrency is not None and outcome is not None:
            self._concurrency.landed(outcome)
        if self._archive is not None and outcome is not None:
            self._archive.write(outcome)
        if outcome is None:
            if finished.lost and not self._aborted:
                self._lost(request, now)
        elif outcome.redirect is not None:
            redirect = outcome.redirect
            if request.columns is not None:
                redirect = replace(redirect, columns=request.columns)
            self._scheduler.add(redirect, now, first=True)
        elif not (self._aborted and outcome.error == FailureKind.ABORTED):
            # What was aborted never came to its end: it has no row, and a resumed run asks again.
            self._conclude(finished, started)

    def _learn(self, request: FetchRequest, outcome: Outcome | None, now: float) -> None:
        """A `robots.txt` has come; without an outcome it is asked for again when it is needed."""
        assert self._robots is not None
        if outcome is not None:
            rules = self._robots.learn(request, outcome)
            self._scheduler.delay(request.host, rules.crawl_delay)
        self._scheduler.resume(request.host, now)

    def _conclude(self, finished: Finished, started: float) -> None:
        """An attempt that began at `started` has its outcome: it is made again, or was the final one."""
        request, outcome, record = finished.request, finished.outcome, finished.record
        assert outcome is not None
        assert record is not None
        urlnum = request.urlnum
        if outcome.error is not None:
            if outcome.output_failure:
                raise OutputError(outcome.output_failure)
            now = self._clock()
            first = self._first_attempt.get(urlnum, started)
            delay = self._retry.delay(request, outcome, now - first)
            if delay is not None:
                self._first_attempt[urlnum] = first
                # From the start, whatever hop it had come to.
                again = replace(
                    urls.request(urlnum, request.url),
                    num_retries=request.num_retries + 1,
                    previous=request.previous,
                    columns=request.columns,
                )
                self._scheduler.add_later(again, now + delay)
                self._stats.retried()
                self._tell(Retrying(record, delay))
                return
        if self._first_attempt:
            self._first_attempt.pop(urlnum, None)
        if self._losses:
            self._losses.pop(urlnum, None)
        if self._archive is not None and record.error is not None and not outcome.answered:
            self._archive.write_failure(record)
        self._final.append(record)

    def _lost(self, request: FetchRequest, now: float) -> None:
        """The worker died under it: that is no attempt, and it runs again."""
        urlnum = request.urlnum
        losses = self._losses[urlnum] = self._losses.get(urlnum, 0) + 1
        url = visible(redact(request.url))
        if losses == 1:
            self._tell(Notice(f"a worker died; {url} runs again"))
            self._scheduler.add(request, now, first=True)
        elif losses < MAX_LOSSES:
            self._suspects.append(request)
        else:
            message = f"a worker died under it {losses} times"
            self._refuse(request, FailureKind.INTERNAL, now, message)

    def _write(self) -> None:
        """The rows that became final in this turn, to every sink."""
        if not self._final:
            return
        records, self._final = self._final, []
        for number, sink in enumerate(self._sinks):
            lacking = self._known.lacking(records, number)
            sink.write(lacking)
            self._rows[number] += len(lacking)
        self._known.settle(records)
        self._stats.add(records)
        for observer in self._observers:
            observer.records(records)
        self._unflushed = True

    def _flush(self, now: float) -> None:
        if self._archive is not None:
            self._archive.flush()
        for sink in self._sinks:
            sink.flush()
        self._unflushed = False
        self._next_flush = now + FLUSH_INTERVAL

    # What observers are told

    def _tell(self, event: Retrying | Notice) -> None:
        for observer in self._observers:
            observer.event(event)

    def _sample(self) -> None:
        if self._observers:
            snapshot = self.snapshot()
            for observer in self._observers:
                observer.sampled(snapshot)

    def snapshot(self) -> Snapshot:
        """The run as it stands."""
        now = self._clock()
        queued = self._scheduler.queued + len(self._suspects)
        total, exact = self._total()
        return self._stats.snapshot(
            in_flight=min(len(self._in_flight), self._pool.workers),
            slowest=tuple(
                InFlight(visible(redact(request.url)), now - started)
                for request, started in islice(self._in_flight.values(), 5)
            ),
            backlog=queued,
            waiting=self._scheduler.waiting,
            duplicates=self._known.duplicates,
            total=total,
            total_exact=exact,
            stopping=self._stopping,
            workers=self._pool.workers if self._concurrency is None else self._concurrency.target,
            workers_reason="" if self._concurrency is None else self._concurrency.reason,
            limits=self._limits.limits(now),
        )

    def _total(self) -> tuple[int | None, bool]:
        """The URLs of the whole input: counted, or estimated from the share of it that was read."""
        source = self._source
        if source.exhausted:
            return self._read, True
        if not source.bytes_total or not source.bytes_read:
            return None, False
        return max(self._read, round(self._read * source.bytes_total / source.bytes_read)), False
