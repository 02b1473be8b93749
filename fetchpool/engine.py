"""The loop: one thread, one inbox, the only writer.

In: a source, a scheduler, a pool, sinks and observers, all made by `app.py`. Out: rows in the sinks,
snapshots to the observers. Finished futures, commands and wake-ups arrive in the same queue, so there
is one place where anything can happen and no lock elsewhere.

Each turn: hear what came in, fill the pool up to its window, write the rows that became final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from enum import Enum, auto
from functools import partial
from itertools import islice
from queue import Empty, SimpleQueue
from time import monotonic, sleep
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from fetchpool import urls
from fetchpool.clean import visible
from fetchpool.concurrency import Concurrency
from fetchpool.errors import OutputError
from fetchpool.exchange import refusal, utc_now
from fetchpool.gate import Gate
from fetchpool.intake import Intake
from fetchpool.known import Known
from fetchpool.losses import MAX_LOSSES, Losses
from fetchpool.model import FailureKind, FetchRequest, Outcome, Record
from fetchpool.names import Named, Names
from fetchpool.observe.events import InFlight, Notice, Observer, Retrying, Snapshot
from fetchpool.observe.limits import HeldBy, LimitsClock
from fetchpool.observe.stats import Stats
from fetchpool.pools.base import WorkerPool
from fetchpool.retry import RetryPolicy
from fetchpool.scheduler import Scheduler
from fetchpool.sources.base import Source
from fetchpool.summary import Finished, conclude, summarise
from fetchpool.urls import redact
from fetchpool.writer import Writer

if TYPE_CHECKING:  # protego is loaded by those who use it
    from fetchpool.robots import Robots

LOOK_AHEAD = 10_000
"""Requests read ahead of those that may start, so that a list sorted by host keeps all hosts busy.
Past it nothing is read until something of it has started."""
SAMPLE_INTERVAL = 0.25
"""Seconds between two snapshots."""
GATHER_FROM = 4
"""Requests that the pool has to do without us: then what ends is heard together, since a turn for each
costs more than the fetch."""
GATHER_EACH = 0.000_04
"""Seconds to gather for each of them: half of what a fetch takes at least."""
LOOK_INTERVAL = 0.05
"""Seconds between two looks at whether the workers are as many as they should be (`-w auto`)."""


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
        writer: Writer,
        *,
        scheduler: Scheduler,
        retry: RetryPolicy,
        known: Known | None = None,
        names: Names | None = None,
        robots: Robots | None = None,
        max_runtime: float | None = None,
        concurrency: Concurrency | None = None,
        observers: Sequence[Observer] = (),
        notices: Sequence[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._known = known if known is not None else Known(dedupe=False)
        self._scheduler = scheduler
        self._retry = retry
        self._observers = observers
        self._clock = clock
        self._inbox: SimpleQueue[Finished | Named | Command] = SimpleQueue()
        self._gate = Gate(scheduler, names, robots, retry, submit=self._submit, refuse=self._refuse)
        self._work: Callable[[float], None] | None = None
        """The pool's, to be done instead of waiting for it."""
        self._concurrency = concurrency
        self._next_look = 0.0
        self._ends_at = None if max_runtime is None else clock() + max_runtime
        self._timed_out = False
        self._in_flight: dict[int, tuple[FetchRequest, float]] = {}
        """By urlnum, in the order they started; with the time they did."""
        self._first_attempt: dict[int, float] = {}
        """When a request that is being retried was first started."""
        self._losses = Losses()
        self._alone: FetchRequest | None = None
        """Handed out, and waiting until nothing else is in flight."""
        self._looking = False
        """Workers are free, and nothing may start before its time."""
        self._unfinished = False
        """Something was in flight when the run was stopped, and came to nothing."""
        self._final: list[Record] = []
        self._stopping = self._aborted = False
        self._stats = Stats(clock)
        self._limits = LimitsClock(clock())
        self._next_sample = 0.0
        self._intake = Intake(source, self._known, self._stats)
        self.done = False
        self._intake.start(self.wake)
        if names is not None:
            names.start(self._post)
        for observer in observers:
            observer.started(self.snapshot())
        for text in notices:
            self._tell(Notice(text))

    # From any thread, or a signal handler

    def wake(self) -> None:
        """Something may have become possible: look again."""
        self._post(Command.WAKE)

    def stop(self) -> None:
        """Start nothing more; end when what is in flight has ended."""
        self._post(Command.STOP)

    def abort(self) -> None:
        """End what is in flight, too. What has no row yet gets none."""
        self._post(Command.ABORT)

    def _post(self, message: Named | Command) -> None:
        self._inbox.put(message)
        self._pool.wake()

    # The loop

    @property
    def _window(self) -> int:
        """How many requests the pool may hold."""
        if self._concurrency is not None:
            return self._concurrency.target
        return self._pool.workers if self._scheduler.paced else self._pool.window

    def run(self) -> RunResult:
        """To the end. Raises `OutputError` when a sink fails; what it holds is whole."""
        self._work = self._pool.take_over()
        try:
            while not self.done:
                self.step()
        finally:
            self.close()
        return self.result()

    def step(self) -> None:
        """One turn: waits until something happens or is due, at most a snapshot's interval."""
        self._hear()
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
        now = self._clock()
        if self._final:
            self._write(now)
        if self._concurrency is not None and now >= self._next_look:
            self._next_look = now + LOOK_INTERVAL
            cpu = self._limits.limits(now).cpu / max(1, self._stats.done)
            self._concurrency.look(now, len(self._in_flight), cpu)
        if now >= self._next_sample:
            self._next_sample = now + SAMPLE_INTERVAL
            self._sample()
        if self._writer.flush_at is not None and now >= self._writer.flush_at:
            self._writer.flush()

    def close(self) -> None:
        """Ends the pool and closes the sinks, in whatever state the run is. Idempotent."""
        self._intake.close()
        try:
            self._pool.shutdown(abort=bool(self._in_flight))
        finally:
            try:
                self._writer.close()
            finally:
                snapshot = self.snapshot()
                for observer in self._observers:
                    observer.finished(snapshot)
                self._observers = ()

    def result(self) -> RunResult:
        """How it went, so far."""
        left = self._unfinished or not self._intake.exhausted or self._scheduler.queued
        interrupted = self._stopping and bool(left)
        return RunResult(
            self.snapshot(),
            interrupted=interrupted or self._aborted,
            timed_out=self._timed_out and interrupted,
            input_failure=self._intake.failure,
            rows=tuple(self._writer.rows),
        )

    def _nothing_left(self) -> bool:
        if self._stopping:
            return True
        return self._intake.exhausted and not self._scheduler.queued and self._alone is None

    def _fill(self, now: float) -> None:
        """Submits what may start, up to the pool's window; reads ahead as far as that needs."""
        self._looking = False
        if self._stopping:
            self._limits.account(now, HeldBy.ENDING)
        elif self._intake.reading_back:
            self._read_back(now)
        elif self._losses and self._holds_one_alone(now):
            self._limits.account(now, HeldBy.WORKERS)
        else:
            self._gate.ask_again(now)
            self._submit_what_may(now)
            while self._scheduler.given_up:
                self._refuse(self._scheduler.given_up.popleft(), FailureKind.HOST_DOWN, now)
            self._gate.open(now)
            self._limits.account(now, self._state())

    def _submit_what_may(self, now: float) -> None:
        scheduler, window = self._scheduler, self._window
        pause = False
        while len(self._in_flight) < window:
            request = scheduler.next(now)
            if request is None:
                self._looking = True
                self._gate.open(now)  # so that lookups are under way while more is read
                if pause or not self._read_ahead(window, now):
                    return
                # What has been heard meanwhile matters more than the rest of a source that gives
                # little at once: an iterable may take its time for each.
                pause = self._intake.gave_little
                now = self._clock()
            elif not self._gate.lets_through(request, now):
                continue
            elif self._losses and self._losses.must_run_alone(request.urlnum):
                self._alone = request
                self._holds_one_alone(now)
                return
            else:
                self._submit(request, now)
                pause = False
        self._looking = False

    def _holds_one_alone(self, now: float) -> bool:
        """Whether nothing may start beside a request under which workers died; starts it when it can."""
        if self._alone is not None and not self._in_flight:
            self._submit(self._alone, now)
            self._alone = None
        return self._alone is not None or self._losses.one_runs_alone(self._in_flight.keys())

    def _state(self) -> HeldBy:
        queued, exhausted = self._scheduler.queued, self._intake.exhausted
        if exhausted and not queued:
            return HeldBy.ENDING
        if len(self._in_flight) >= self._window:
            return HeldBy.WORKERS
        if self._scheduler.asking > self._scheduler.waiting_hosts:
            return HeldBy.NAMES
        return HeldBy.HOSTS if queued else HeldBy.SOURCE

    def _read_back(self, now: float) -> None:
        """Learns what earlier runs have done, piece by piece; nothing is fetched before all is known."""
        self._limits.account(now, HeldBy.SOURCE)
        if notice := self._intake.read_back():
            self._tell(Notice(notice))
        self.wake()

    def _read_ahead(self, window: int, now: float) -> bool:
        """Queues a batch from the source. False when there is nothing to start in it, or enough waits
        already."""
        room = LOOK_AHEAD - self._scheduler.queued
        if room <= 0 or self._intake.exhausted:
            return False
        requests, more = self._intake.take(room, window)
        for request in requests:
            if request.refused is None:
                self._scheduler.add(request, now)
            else:
                self._refuse(request, request.refused, now)
        if more:  # it may go on like this for millions: signals are heard, and rows written, in between
            self.wake()
        return len(requests) > 0

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
        if self._writer.flush_at is not None:
            until.append(self._writer.flush_at)
        # With every worker busy, or the run stopping, only what ends can change anything.
        if self._looking and (wake_at := self._scheduler.wake_at()) is not None:
            until.append(wake_at)
        if not self._stopping and (wake_at := self._gate.wake_at()) is not None:
            until.append(wake_at)
        seconds = max(0.0, min(until) - now)
        if self._work is not None:
            self._work(seconds)
            return
        try:
            self._take(self._inbox.get(timeout=seconds))
        except Empty:
            return
        if (spare := self._pool.spare) >= GATHER_FROM:
            sleep(spare * GATHER_EACH)

    def _hear(self) -> None:
        """Everything that is in the inbox by now."""
        inbox = self._inbox
        for _ in range(inbox.qsize()):
            self._take(inbox.get())

    def _take(self, message: Finished | Named | Command) -> None:
        if isinstance(message, Finished):
            self._landed(message)
        elif isinstance(message, Named):
            self._gate.heard(message, self._clock())
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
            self._gate.learn(request, outcome, now)
            return
        cool_down = self._retry.cool_down(outcome) if outcome is not None else None
        self._scheduler.finished(request, now, started, outcome, cool_down)
        if self._concurrency is not None and outcome is not None:
            self._concurrency.landed(outcome)
        if outcome is not None:
            self._writer.archive(outcome)
            if outcome.error is not None and self._scheduler.holds_back(request.host, now):
                self._pool.recall(request.host)
        if outcome is None:
            if finished.lost and not self._aborted:
                self._lost(request, now)
            elif self._stopping:
                self._unfinished = True
            else:  # recalled, for a better time
                self._scheduler.add(request, now, first=True)
        elif outcome.redirect is not None:
            self._scheduler.add(replace(outcome.redirect, columns=request.columns), now, first=True)
        elif not (self._aborted and outcome.error == FailureKind.ABORTED):
            # What was aborted never came to its end: it has no row, and a resumed run asks again.
            self._conclude(finished, started)

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
            self._losses.forget(urlnum)
        self._writer.archive_failure(record, outcome)
        self._final.append(record)

    def _lost(self, request: FetchRequest, now: float) -> None:
        """The worker died under it: that is no attempt, and it runs again."""
        losses = self._losses.count(request.urlnum)
        if losses >= MAX_LOSSES:
            self._refuse(request, FailureKind.INTERNAL, now, f"a worker died under it {losses} times")
            return
        if losses == 1:
            self._tell(Notice(f"a worker died; {visible(redact(request.url))} runs again"))
        self._scheduler.add(request, now, first=True)

    def _write(self, now: float) -> None:
        """The rows that became final in this turn."""
        records, self._final = self._final, []
        self._writer.write(records, now)
        self._stats.add(records)
        for observer in self._observers:
            observer.records(records)

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
        queued = self._scheduler.queued + (self._alone is not None)
        total, exact = self._intake.total()
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
