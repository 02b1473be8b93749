"""Monitor: takes snapshots of a run, and passes them to the observers.

In: the parts of the engine, which it only reads. Out: `Snapshot`s, a few times a second and at the end. Only
the engine's thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import nlargest
from time import monotonic, perf_counter

from msgspec.structs import replace

from fetchpool.engine.bottlenecks import Bottleneck, BottleneckTimer
from fetchpool.engine.events import MOST_HOSTS, BusyHost, Hosts, Snapshot
from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.observers import Observers
from fetchpool.engine.reader import RequestReader
from fetchpool.engine.stats import Stats
from fetchpool.engine.steering import Steering
from fetchpool.engine.workers import Workers
from fetchpool.pools.base import Pool
from fetchpool.scheduler.scheduler import Scheduler

SNAPSHOT_INTERVAL = 0.25
"""Minimum seconds between two snapshots."""
SNAPSHOT_FACTOR = 20
"""Minimum interval as a multiple of a snapshot's duration: hundreds of thousands of hosts may be waiting."""
DETAILS_INTERVAL = 1.0
"""Seconds between two updates of a snapshot's details, which take a time proportional to the requests in
flight."""
SLOW_ENDING = 2.0
"""Seconds after which the last requests count as slow: the rate so far does not predict when they end."""
STUCK = (
    "a parser did not return in time: its page has a row with the error parse, and its thread continues "
    "until the program ends; --executor process would end such a parser"
)


class Monitor:
    """Makes the snapshots of a run."""

    def __init__(
        self,
        pool: Pool,
        scheduler: Scheduler,
        in_flight: InFlightRequests,
        reader: RequestReader,
        workers: Workers,
        steering: Steering,
        *,
        stats: Stats,
        observers: Observers,
        max_time: float | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`max_time`: the time limit of an attempt."""
        self._pool = pool
        self._scheduler = scheduler
        self._in_flight = in_flight
        self._reader = reader
        self._stats = stats
        self._observers = observers
        self._workers = workers
        self._steering = steering
        self._most_in_flight = workers.number
        """The number of workers; higher while requests from before a reduction are in flight."""
        self._max_time = max_time
        self._clock = clock
        self._timer = BottleneckTimer(clock())
        self._reported_stuck = False
        self._hosts_at_once = 0
        self._seq = 0
        self._next_details = 0.0
        self._hosts = Hosts()
        self._histograms: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())
        self.next_snapshot = 0.0
        """When `update()` is due."""

    def measure_stations(self, usage: Callable[[], tuple[float, float]]) -> None:
        """Have snapshots include the seconds and the CPU seconds of a cluster's stations, from `usage`."""
        self._timer.stations = usage

    def start(self) -> None:
        """Notify the observers that the run begins."""
        self._observers.on_start(self.snapshot())

    def update(self, now: float) -> None:
        """Pass a snapshot to the observers."""
        self._report_stuck()
        began = perf_counter()
        if self._observers:
            self._observers.on_snapshot(self.snapshot())
        self.next_snapshot = now + max(SNAPSHOT_INTERVAL, SNAPSHOT_FACTOR * (perf_counter() - began))

    def finish(self) -> None:
        """Notify the observers that the run has ended. Idempotent."""
        self._report_stuck()
        self._next_details = 0.0
        self._steering.end()
        self._observers.on_finish(self.snapshot())

    def blocked_by(self, now: float, bottleneck: Bottleneck) -> None:
        """Record what limits the run from now on."""
        self._timer.switch_to(now, bottleneck)

    def snapshot(self) -> Snapshot:
        """Return the current state of the run."""
        now = self._clock()
        total, exact = self._reader.estimate_total()
        state = self._steering.state()
        self._most_in_flight = max(self._pool.max_workers, min(self._most_in_flight, len(self._in_flight)))
        snapshot = self._stats.snapshot(
            in_flight=min(len(self._in_flight), self._most_in_flight),
            slowest=self._in_flight.slowest(now),
            queued=self._scheduler.queued,
            delayed=self._scheduler.delayed,
            duplicates=self._reader.duplicates,
            total=total,
            total_exact=exact,
            state=state,
            workers=self._workers.number,
            workers_reason=self._workers.reason,
            wait_times=self._timer.wait_times(now),
            least_wait=self._scheduler.least_wait(now),
        )
        self._hosts_at_once = max(self._hosts_at_once, self._scheduler.active_hosts)
        self._seq += 1
        if self._observers.want_details():
            self._update_details(now)
        times, sizes = self._histograms
        return replace(
            snapshot,
            hosts_at_once=self._hosts_at_once,
            seq=self._seq,
            workers_lost=self._in_flight.crashes.workers,
            attempts_lost=self._in_flight.crashes.attempts,
            hosts=self._hosts,
            times=times,
            sizes=sizes,
            settings=self._steering.settings(),
            wait=self._scheduler.wait(now),
            last_within=self._last_within(now),
        )

    def _update_details(self, now: float) -> None:
        """Update the details, which take long, at most once a second."""
        if now < self._next_details:
            return
        self._next_details = now + DETAILS_INTERVAL
        by_host = self._in_flight.by_host()
        busiest = nlargest(MOST_HOSTS, by_host, key=by_host.__getitem__)
        self._hosts = Hosts(
            tuple(BusyHost(host, by_host[host], self._scheduler.queued_for(host)) for host in busiest),
            self._scheduler.paused_hosts(now, MOST_HOSTS),
            self._stats.failures.hosts(),
        )
        self._histograms = self._stats.histograms()

    def _last_within(self, now: float) -> float | None:
        """Return the seconds until the last requests reach their time limit, if they are slow and nothing
        else is left."""
        has_more = not self._reader.exhausted or self._scheduler.queued
        if has_more or self._max_time is None or len(self._in_flight) > self._pool.max_workers:
            return None
        youngest = self._in_flight.seconds_since_last_start(now)
        if youngest is None or youngest < SLOW_ENDING:
            return None
        return max(self._max_time - youngest, 0.0)

    def _report_stuck(self) -> None:
        """Notify the user once when parsers have not returned."""
        if self._pool.stuck and not self._reported_stuck:
            self._reported_stuck = True
            self._observers.notify(STUCK)
