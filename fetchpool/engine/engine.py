"""The engine: a single-threaded event loop that dispatches requests and writes results.

In: its parts, made by `build.py`. Out: rows in the sinks, snapshots to the observers. Completed attempts, DNS
results and commands arrive in one inbox, so that all state changes in one thread and no lock is needed
elsewhere.

Each iteration: drain the inbox, dispatch requests up to the pool's window, write the final rows.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, sleep
from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.engine.completed import CompletedAttempt, completed
from fetchpool.engine.dispatcher import Dispatcher
from fetchpool.engine.events import Snapshot
from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.inbox import Inbox, Message, PoolLost, PoolNotice, SteeringRequest
from fetchpool.engine.lifecycle import Lifecycle, RunState
from fetchpool.engine.monitor import Monitor
from fetchpool.engine.observers import Observers
from fetchpool.engine.preflight import Preflight
from fetchpool.engine.stats import Stats
from fetchpool.engine.steering import Steering
from fetchpool.engine.writer import Writer
from fetchpool.model.steering import Abort, Command, Stop
from fetchpool.pools.base import CollectingPool, InlinePool, Pool
from fetchpool.pools.future import LightFuture
from fetchpool.transports.dns import HostAddresses

if TYPE_CHECKING:  # loaded only for a crawl
    from fetchpool.engine.crawl import CrawlResult

BATCH_WAIT_FROM = 4
"""Number of requests queued in the pool from which completed attempts are handled in batches, since an
iteration for each would cost more than the fetch."""
BATCH_WAIT_EACH = 0.000_04
"""Seconds to wait for a batch, per queued request: half of the minimum time of a fetch."""
BATCH_WAIT_MAX = 0.004
SCALE_INTERVAL = 0.02
"""Seconds between two updates of the number of workers (`-w auto`)."""


class RunResult(Struct, frozen=True):
    """How the run ended."""

    snapshot: Snapshot
    interrupted: bool
    """Whether the run was stopped before the end of the input; URLs that were not fetched have no row."""
    aborted: bool
    """Whether in-flight requests were cancelled; they are not counted."""
    stopped_by: str
    """The option whose limit interrupted the run: `--max-runtime` or `--max-failures`; empty if none did."""
    steered_by: str
    """The origin of the command that interrupted the run: `from the web page`, `by a key`; empty if none
    did."""
    input_failure: str | None
    """Why an input could not be read to its end, in one line."""
    rows: tuple[int, ...]
    """Number of rows written to each output."""
    lost: str = ""
    """Why the cluster was lost, which aborted the run; empty if it was not lost."""
    crawl: CrawlResult | None = None
    """The result of a crawl; None for a list."""


class Engine:
    """The engine of one run: call `run()`, or `step()` until `done`."""

    def __init__(
        self,
        pool: Pool,
        dispatcher: Dispatcher,
        preflight: Preflight,
        in_flight: InFlightRequests,
        writer: Writer,
        *,
        inbox: Inbox,
        lifecycle: Lifecycle,
        monitor: Monitor,
        stats: Stats,
        observers: Observers,
        steering: Steering,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._pool = pool
        self._dispatcher = dispatcher
        self._preflight = preflight
        self._in_flight = in_flight
        self._writer = writer
        self._inbox = inbox
        self._lifecycle = lifecycle
        self._monitor = monitor
        self._stats = stats
        self._observers = observers
        self._steering = steering
        self._workers = steering.workers
        self._clock = clock
        self._next_scaling = 0.0
        self.done = False

    # From any thread, or a signal handler

    def stop(self) -> None:
        """Start no more requests; the run ends when those in flight have completed."""
        self.steer(Stop(), "")

    def abort(self) -> None:
        """Cancel the requests in flight, too. They get no row."""
        self.steer(Abort(), "")

    def steer(self, command: Command, by: str) -> None:
        """Apply a command to the run. `by`: its origin, which ends the notice about it: `from the web page`,
        `by a key`; empty for no notice. A command that changes nothing is ignored."""
        self._inbox.post(SteeringRequest(command, by))

    def notify(self, text: str) -> None:
        """Show a notice from the pool to the user."""
        self._inbox.post(PoolNotice(text))

    def lose_pool(self, reason: str) -> None:
        """Abort the run, because its pool can no longer fetch."""
        self._inbox.post(PoolLost(reason))

    def measure_stations(self, usage: Callable[[], tuple[float, float]]) -> None:
        """Have snapshots include what the stations of a cluster use (`Monitor.measure_stations`)."""
        self._monitor.measure_stations(usage)

    @property
    def lost(self) -> str:
        """Why the pool was lost; empty if it was not lost."""
        return self._lifecycle.lost

    # The loop

    def run(self) -> RunResult:
        """Run to the end. Raises `OutputError` when a sink fails; the rows already written are complete."""
        # A pool that runs in this thread makes no progress while a sink blocks.
        if self._writer.is_nonblocking and isinstance(self._pool, InlinePool):
            self._inbox.attach(self._pool)
            if isinstance(self._pool, CollectingPool):
                self._in_flight.collect_from(self._pool)
        try:
            while not self.done:
                self.step()
        finally:
            self.close()
        return self.result()

    def step(self) -> None:
        """Run one iteration: wait until something happens or is due, but at most for the interval between
        snapshots."""
        self._drain_inbox()
        now = self._clock()
        if self._lifecycle.expire(now):
            self._pool.cancel_pending()
        self._monitor.blocked_by(now, self._dispatcher.dispatch(now))
        autoscaler = self._workers.autoscaler
        if autoscaler is not None and now >= self._next_scaling:
            self._next_scaling = now + SCALE_INTERVAL
            autoscaler.update(now, len(self._in_flight))
        if not self._in_flight.finished_records:
            if not self._in_flight and not self._may_go_on():
                self.done = True
                return
            self._wait(now)
            self._drain_inbox()
        else:
            self._inbox.poll()
        now = self._clock()
        if self._in_flight.finished_records:
            self._write(now)
        if now >= self._monitor.next_snapshot:
            self._monitor.update(now)
        if self._writer.next_flush is not None and now >= self._writer.next_flush:
            self._writer.flush()
        while self._writer.notices:
            self._observers.notify(self._writer.notices.pop(0))

    def close(self) -> None:
        """Shut the pool down and close the sinks, in any state of the run. Idempotent."""
        self._dispatcher.close()
        try:
            self._pool.shutdown(abort=bool(self._in_flight))
        finally:
            try:
                self._writer.close()
            finally:
                self._monitor.finish()

    def result(self) -> RunResult:
        """Return the result so far."""
        lifecycle = self._lifecycle
        is_complete = not self._in_flight.has_dropped and not self._dispatcher.has_more
        aborted = lifecycle.state is RunState.ABORTED
        interrupted = lifecycle.is_stopped and not is_complete
        stopped_by = lifecycle.stopped_by if interrupted else ""
        crawl = self._dispatcher.crawl_result
        if crawl is not None and crawl.left and not interrupted and not aborted:
            interrupted, stopped_by = True, "--max-pages"
        return RunResult(
            self._monitor.snapshot(),
            interrupted=interrupted or aborted,
            aborted=aborted,
            stopped_by=stopped_by,
            lost=lifecycle.lost,
            steered_by=lifecycle.steered_by if interrupted or aborted else "",
            input_failure=self._dispatcher.input_failure,
            rows=tuple(self._writer.rows),
            crawl=crawl,
        )

    def _may_go_on(self) -> bool:
        """Whether more requests may start, now or after a pause."""
        return not self._lifecycle.is_stopped and self._dispatcher.has_more

    def _wait(self, now: float) -> None:
        until = [self._monitor.next_snapshot]
        if self._workers.autoscaler is not None and self._lifecycle.is_running:
            until.append(self._next_scaling)
        for time in (self._lifecycle.deadline, self._writer.next_flush, self._dispatcher.next_wakeup()):
            if time is not None:
                until.append(time)
        message = self._inbox.wait(max(0.0, min(until) - now))
        if message is None:
            return
        self._handle(message)
        if (queued := self._pool.queued) >= BATCH_WAIT_FROM:
            sleep(min(queued * BATCH_WAIT_EACH, BATCH_WAIT_MAX))

    def _drain_inbox(self) -> None:
        for message in self._inbox.drain():
            self._handle(message)
        for attempt in self._in_flight.take_collected():
            self._complete(attempt)

    def _complete(self, attempt: CompletedAttempt) -> None:
        started = self._in_flight.complete(attempt)
        autoscaler = self._workers.autoscaler
        if autoscaler is not None and attempt.request.urlnum >= 0 and attempt.outcome is not None:
            autoscaler.record(attempt.outcome, started, self._clock())

    def _handle(self, message: Message) -> None:
        if isinstance(message, LightFuture):
            self._complete(completed(message))
        elif isinstance(message, HostAddresses):
            self._preflight.on_lookup_done(message, self._clock())
        elif isinstance(message, SteeringRequest):
            self._steering.follow(message.command, message.by, self._clock())
            self._monitor.next_snapshot = 0.0  # the change is shown at once
        elif isinstance(message, PoolNotice):
            self._observers.notify(message.text)
        elif isinstance(message, PoolLost) and self._lifecycle.lose(message.reason):
            self._pool.shutdown(abort=True)

    def _write(self, now: float) -> None:
        """Write the rows that became final in this iteration."""
        records = self._in_flight.take_finished()
        self._writer.write(records, now)
        self._stats.add(records)
        self._observers.on_records(records)
        lifecycle = self._lifecycle
        if lifecycle.failures_left is not None:
            failed = sum([record.error is not None for record in records])
            if failed and lifecycle.count_failures(failed):
                self._pool.cancel_pending()
