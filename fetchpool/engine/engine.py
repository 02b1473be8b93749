"""The engine: a single-threaded event loop that dispatches requests and writes results.

In: a source, a scheduler, a pool, sinks and observers, all made by `build.py`. Out: rows in the sinks,
snapshots to the observers. Completed attempts, DNS results and commands arrive in one inbox, so that all
state changes in one thread and no lock is needed elsewhere.

Each step: drain the inbox, submit requests up to the pool's window, write the rows that became final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.engine.bottlenecks import BottleneckTimer
from fetchpool.engine.completed import CompletedAttempt
from fetchpool.engine.dispatcher import Dispatcher
from fetchpool.engine.events import Notice, RetryScheduled, Snapshot
from fetchpool.engine.in_flight import InFlightRequests, RunState
from fetchpool.engine.inbox import Command, Inbox, Message
from fetchpool.engine.observers import Observer, Observers
from fetchpool.engine.preflight import Preflight
from fetchpool.engine.reader import RequestReader
from fetchpool.engine.stats import Stats
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.pools.base import InlinePool, Pool
from fetchpool.scheduler.autoscale import AutoScaler
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sources.base import Source
from fetchpool.transports.dns import HostLookups

if TYPE_CHECKING:  # loaded by those who use it
    from fetchpool.scheduler.robots import RobotsCache

SAMPLE_INTERVAL = 0.25
"""Seconds between two snapshots."""
BATCH_WAIT_FROM = 4
"""Requests that the pool has to do without us: then what ends is heard together, since a turn for each
costs more than the fetch."""
BATCH_WAIT_EACH = 0.000_04
"""Seconds to gather for each of them: half of what a fetch takes at least."""
BATCH_WAIT_MOST = 0.004
LOOK_INTERVAL = 0.05
"""Seconds between two looks at whether the workers are as many as they should be (`-w auto`)."""

STUCK = (
    "a parser did not return in time: its page is a parse row, its thread goes on until the program ends; "
    "with --executor process such a parser is ended"
)


class RunResult(Struct, frozen=True):
    """How the run ended."""

    snapshot: Snapshot
    interrupted: bool
    """Stopped before the input's end; what was not fetched has no row."""
    aborted: bool
    """What was in flight was ended too; what it took is in no number."""
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
        pool: Pool,
        writer: Writer,
        *,
        scheduler: Scheduler,
        retry: RetryPolicy,
        known: DuplicateFilter | None = None,
        names: HostLookups | None = None,
        robots: RobotsCache | None = None,
        max_runtime: float | None = None,
        concurrency: AutoScaler | None = None,
        observers: Sequence[Observer] = (),
        notices: Sequence[str] = (),
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pool = pool
        self._writer = writer
        self._known = known if known is not None else DuplicateFilter(dedupe=False)
        self._scheduler = scheduler
        self._observers = Observers(observers)
        self._clock = clock
        self._inbox = Inbox()
        self._notified_stuck = False
        self._flights = flights = InFlightRequests(
            pool,
            scheduler,
            retry,
            writer,
            inbox=self._inbox,
            learn=self._learn,
            tell=self._notify,
            clock=clock,
        )
        self._gate = Preflight(scheduler, names, robots, flights)
        self._concurrency = concurrency
        self._next_check = 0.0
        self._ends_at = None if max_runtime is None else clock() + max_runtime
        self._timed_out = False
        self._stats = Stats(clock)
        self._limits = BottleneckTimer(clock())
        self._next_snapshot = 0.0
        self._intake = intake = RequestReader(source, self._known, self._stats)
        self._filling = Dispatcher(
            intake,
            scheduler,
            self._gate,
            flights,
            workers=pool.max_workers,
            inbox=self._inbox,
            tell=self._notify,
            clock=clock,
        )
        self.done = False
        self._intake.start(self.wake)
        if names is not None:
            names.start(self._inbox.post)
        self._observers.on_start(self.snapshot())
        for text in notices:
            self._notify(Notice(text))

    # From any thread, or a signal handler

    def wake(self) -> None:
        """Wake the loop so that it checks for work again."""
        self._inbox.post(Command.WAKE)

    def stop(self) -> None:
        """Start no more requests; the run ends when those in flight have ended."""
        self._inbox.post(Command.STOP)

    def abort(self) -> None:
        """Cancel the requests in flight, too. They get no row."""
        self._inbox.post(Command.ABORT)

    # The loop

    @property
    def _window(self) -> int:
        """How many requests the pool may hold."""
        if self._concurrency is not None:
            return self._concurrency.target
        return self._pool.max_workers if self._scheduler.paced else self._pool.max_pending

    def run(self) -> RunResult:
        """To the end. Raises `OutputError` when a sink fails; what it holds is whole."""
        # A pool that runs in this thread stands still while a sink blocks.
        if self._writer.is_nonblocking and isinstance(self._pool, InlinePool):
            self._inbox.attach(self._pool)
        try:
            while not self.done:
                self.step()
        finally:
            self.close()
        return self.result()

    def step(self) -> None:
        """One turn: waits until something happens or is due, at most a snapshot's interval."""
        self._drain_inbox()
        now = self._clock()
        if self._ends_at is not None and now >= self._ends_at and self._flights.state is RunState.RUNNING:
            self._timed_out = True
            self._stop()
        self._limits.account(now, self._filling.fill(now, self._window))
        if self._concurrency is not None and now >= self._next_check:
            self._next_check = now + LOOK_INTERVAL
            cpu = self._limits.limits(now).cpu / max(1, self._stats.done)
            self._concurrency.look(now, len(self._flights), cpu)
        if not self._flights.final:
            if not self._flights and self._is_finished():
                self.done = True
                return
            self._wait(now)
            self._drain_inbox()
        else:
            self._inbox.poll()
        now = self._clock()
        if self._flights.final:
            self._write(now)
        if now >= self._next_snapshot:
            self._next_snapshot = now + SAMPLE_INTERVAL
            self._take_snapshot()
        if self._writer.next_flush is not None and now >= self._writer.next_flush:
            self._writer.flush()
        while self._writer.notices:
            self._notify(Notice(self._writer.notices.pop(0)))

    def close(self) -> None:
        """Ends the pool and closes the sinks, in whatever state the run is. Idempotent."""
        self._intake.close()
        try:
            self._pool.shutdown(abort=bool(self._flights))
        finally:
            try:
                self._writer.close()
            finally:
                self._notify_stuck()
                self._observers.on_finish(self.snapshot())

    def result(self) -> RunResult:
        """How it went, so far."""
        flights = self._flights
        left = flights.unfinished or flights.waiting or not self._intake.exhausted or self._scheduler.queued
        interrupted = flights.state is not RunState.RUNNING and bool(left)
        aborted = flights.state is RunState.ABORTED
        return RunResult(
            self.snapshot(),
            interrupted=interrupted or aborted,
            aborted=aborted,
            timed_out=self._timed_out and interrupted,
            input_failure=self._intake.failure,
            rows=tuple(self._writer.rows),
        )

    def _is_finished(self) -> bool:
        if self._flights.state is not RunState.RUNNING:
            return True
        return self._intake.exhausted and not self._scheduler.queued and not self._flights.waiting

    def _wait(self, now: float) -> None:
        until = [self._next_snapshot]
        running = self._flights.state is RunState.RUNNING
        if self._concurrency is not None:
            until.append(self._next_check)
        if self._ends_at is not None and running:
            until.append(self._ends_at)
        if self._writer.next_flush is not None:
            until.append(self._writer.next_flush)
        # With every worker busy, or the run stopping, only what ends can change anything.
        if self._filling.has_idle_workers and (wake_at := self._scheduler.next_wakeup()) is not None:
            until.append(wake_at)
        if running and (wake_at := self._gate.next_wakeup()) is not None:
            until.append(wake_at)
        seconds = 0.0 if self._filling.has_more_input else max(0.0, min(until) - now)
        message = self._inbox.wait(seconds)
        if message is None:
            return
        self._handle(message)
        if (queued := self._pool.queued) >= BATCH_WAIT_FROM:
            sleep(min(queued * BATCH_WAIT_EACH, BATCH_WAIT_MOST))

    def _drain_inbox(self) -> None:
        for message in self._inbox.drain():
            self._handle(message)

    def _handle(self, message: Message) -> None:
        if isinstance(message, CompletedAttempt):
            self._on_completed(message)
        elif not isinstance(message, Command):
            self._gate.heard(message, self._clock())
        elif message is Command.STOP:
            self._stop()
        elif message is Command.ABORT:
            self._stop()
            self._flights.state = RunState.ABORTED
            self._pool.shutdown(abort=True)

    def _stop(self) -> None:
        """Start no more requests."""
        if self._flights.state is RunState.RUNNING:
            self._flights.state = RunState.STOPPING
        self._pool.cancel_pending()

    def _on_completed(self, finished: CompletedAttempt) -> None:
        request, outcome = finished.request, finished.outcome
        if self._concurrency is not None and outcome is not None and request.urlnum >= 0:
            self._concurrency.landed(outcome)
        self._flights.landed(finished)

    def _learn(self, request: FetchRequest, outcome: Outcome) -> None:
        """What came of a request of our own."""
        self._gate.learn(request, outcome, self._clock())

    def _write(self, now: float) -> None:
        """The rows that became final in this turn."""
        records, self._flights.final = self._flights.final, []
        self._writer.write(records, now)
        self._stats.add(records)
        self._observers.on_records(records)

    # What observers are told

    def _notify(self, event: RetryScheduled | Notice) -> None:
        if isinstance(event, RetryScheduled):
            self._stats.retried(event.record)
        self._observers.on_event(event)

    def _notify_stuck(self) -> None:
        """Once, that there are parsers which go on by themselves."""
        if self._pool.stuck and not self._notified_stuck:
            self._notified_stuck = True
            self._notify(Notice(STUCK))

    def _take_snapshot(self) -> None:
        self._notify_stuck()
        if self._observers:
            self._observers.on_snapshot(self.snapshot())

    def snapshot(self) -> Snapshot:
        """The run as it stands."""
        now = self._clock()
        queued = self._scheduler.queued + self._flights.waiting
        total, exact = self._intake.total()
        return self._stats.snapshot(
            in_flight=min(len(self._flights), self._pool.max_workers),
            slowest=self._flights.slowest(now),
            queued=queued,
            delayed=self._scheduler.delayed,
            duplicates=self._known.duplicates,
            total=total,
            total_exact=exact,
            stopping=self._flights.state is not RunState.RUNNING,
            workers=self._pool.max_workers if self._concurrency is None else self._concurrency.target,
            workers_reason="" if self._concurrency is None else self._concurrency.reason,
            limits=self._limits.limits(now),
        )
