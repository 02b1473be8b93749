"""The cluster pool: runs stations in the workers of a cluster, on other machines, each with many fetches at
once.

    submit() ──▶ WorkQueue ──▶ commands as bytes ──▶ the cluster ──▶ host.py: a station
    Future.set_result() ◀── reports as bytes ◀── the cluster ◀───────────┘

The pool is the driver: it decides which station gets what, and how many fetches each runs, which add up to
`max_workers` at any moment. The cluster's threads only put events into a queue; the thread that runs the loop
handles them, and completes the futures. When a worker dies, what it may have started fails with
`WorkerLostError`. While there is no worker, everything waits; after `wait` seconds the pool is lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic

from fetchpool.config.cluster_options import PER_WORKER
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.model.request import FetchRequest
from fetchpool.pools.cluster.cluster import Cluster, Event
from fetchpool.pools.cluster.dispatch import ClusterDispatcher
from fetchpool.pools.cluster.messages import Kind
from fetchpool.pools.cluster.resolver import ClusterResolver
from fetchpool.pools.cluster.shares import grant_places
from fetchpool.pools.cluster.stations import Stations
from fetchpool.pools.future import LightFuture
from fetchpool.pools.loop_pool import LoopPool, State
from fetchpool.pools.process.work import WorkQueue
from fetchpool.pools.wakeup import Wakeup, poll_wakeup

CHECK = 0.5
"""Seconds between two checks of the stations."""
OPENING = 10.0
"""Seconds for the first stations to open; those that take longer join later."""
ABORT_TIMEOUT = 5.0
"""Maximum seconds that an abort takes."""
INTERVAL = 0.002
"""Seconds between two calls to a station, for each station: 500 calls a second in all."""


class ClusterPool(LoopPool):
    """At most `max_workers` fetches at once, divided among the workers of a cluster."""

    def __init__(
        self,
        max_workers: int,
        options: FetchOptions,
        cluster: Cluster,
        *,
        wait: float,
        clock: Callable[[], float] = monotonic,
        poll: Callable[[Wakeup, float], object] = poll_wakeup,
    ) -> None:
        """Open a station in each worker of the cluster. If `max_workers` is 0, it depends on the number of
        workers. `wait`: seconds to wait for a worker when there is none. `poll`: waits for a wakeup, with a
        timeout in seconds. Raises `UsageError` when a worker can't be used."""
        super().__init__("cluster", max_workers or PER_WORKER, interval=CHECK, abort_timeout=ABORT_TIMEOUT)
        self._clock = clock
        self._poll = poll
        now = clock()
        self._cluster = cluster
        self._wait = wait
        self._waits_since: float | None = None
        """When the wait for a worker began; None if there is a worker."""
        self._has_requested = False
        self._work = WorkQueue()
        self._commands: deque[Callable[[], object]] = deque()
        """Commands from other threads for the thread that runs the loop."""
        self._events: deque[Event] = deque()
        self._is_spaced: bool | None = None
        self._next_check = now
        self._grants_all = True
        """Whether every station has its share."""
        self._stations = Stations(cluster, options, now)
        self._dispatcher = ClusterDispatcher(self._work, self._stations, options)
        self.resolver = ClusterResolver(self._look_up)
        """Looks up names at the stations."""
        self.notify: Callable[[str], object] | None = None
        """Called with notices for the user."""
        self.on_lost: Callable[[str], object] | None = None
        """Called with the reason, once, when the cluster is lost; the caller then aborts the pool. Without it
        the pool ends itself."""
        self._is_lost = False
        try:
            self._open(depends=not max_workers)
        except BaseException:
            self._state = State.CLOSED
            self._close()
            raise

    def _open(self, *, depends: bool) -> None:
        self._cluster.listen(self._on_event)
        workers = self._cluster.workers()
        self.default_workers = PER_WORKER * max(1, len(workers))
        """The maximum number of fetches unless the user sets it."""
        if depends:
            self.max_workers = self.default_workers
        self._stations.most = self.max_workers
        now = self._clock()
        self._stations.open(workers, now)
        until = now + OPENING
        while self._stations.is_opening and (left := until - self._clock()) > 0:
            self._wakeup.waiting = True  # from here on events end the wait
            self._poll(self._wakeup, 0.0 if self._events else min(left, CHECK))
            self._wakeup.waiting = self._wakeup.pending = False
            self._handle_events(self._clock())
        self._stations.refuse()
        if self._stations.lost:
            raise UsageError(f"--cluster: {self._stations.lost}")

    # Any thread

    @property
    def keeps_spacing(self) -> bool:
        return True

    @property
    def max_pending(self) -> int:
        return self.max_workers + sum([station.ahead for station in self._stations.opened])

    @property
    def queued(self) -> int:
        surplus = sum([station.surplus for station in list(self._stations.opened)])
        return len(self._work.waiting) + surplus

    @property
    def stuck(self) -> int:
        return sum([station.stuck for station in list(self._stations.opened)])

    @property
    def workers(self) -> int:
        """Number of workers that take requests."""
        return len(self._stations.opened)

    def stations_cpu(self) -> tuple[float, float]:
        """Return the seconds for which stations have worked, added up, and the CPU seconds of their
        workers."""
        return self._stations.cpu

    def cancel_pending(self, host: str | None = None) -> None:
        self._work.cancel(host)
        self._command(partial(self._dispatcher.cancel, host))

    def space_hops(self, spaced: bool) -> None:
        self._command(partial(self._space_hops, spaced))

    def resize(self, workers: int) -> None:
        self._command(partial(self._resize, workers))
        super().resize(workers)

    def _look_up(self, host: str) -> None:
        self._command(partial(self.resolver.asked.append, host))

    def _on_event(self, event: Event) -> None:
        """Called by the cluster, in any thread."""
        self._events.append(event)
        if self._wakeup.waiting:
            self._wakeup.notify()

    def _command(self, command: Callable[[], object]) -> None:
        self._commands.append(command)
        self._wakeup.notify()

    def _enqueue(self, request: FetchRequest, future: LightFuture, alone: bool) -> None:
        self._work.add(request, future, alone=alone)

    def _abort(self) -> None:
        self._work.cancel(None)
        self.wake()

    # Everything below runs in the thread that runs the loop.

    def _has_work(self) -> bool:
        return bool(self._work.open)

    def _run_once(self, timeout: float) -> None:
        wakeup, work, dispatcher = self._wakeup, self._work, self._dispatcher
        wakeup.waiting = True  # from here on producers write to the socket; earlier items are seen now
        while self._commands:
            self._commands.popleft()()
        now = self._clock()
        if work.waiting or work.alone:
            dispatcher.send(now)
        interval = INTERVAL * max(1, self.workers)
        until = self._next_check
        if work.open:
            until = min(until, now + dispatcher.recall(now, interval))
        for station in self._stations.opened:
            station.call(now, interval)
            if station.may_call:
                until = min(until, station.next_call())
        if wakeup.pending or dispatcher.completed or self._events:
            timeout = 0.0
        self._poll(wakeup, min(timeout, max(0.0, until - now)))
        wakeup.waiting = wakeup.pending = False
        now = self._clock()
        self._handle_events(now)
        if now >= self._next_check:
            self._next_check = now + CHECK
            self._check(now)
        dispatcher.set_results()

    def _handle_events(self, now: float) -> None:
        events, stations, dispatcher = self._events, self._stations, self._dispatcher
        while events:
            stations.handle(events.popleft(), now)
        while stations.reports:
            station, report = stations.reports.popleft()
            dispatcher.receive(station, report, now)
            for lookup in report.lookups:
                station.lookups.discard(lookup.host)
                self.resolver.finish(lookup)
        if stations.has_changed:
            self._on_change(now)
        elif not self._grants_all:
            self._grants_all = grant_places(self.max_workers, stations.opened)
        if self.resolver.asked and stations.opened:
            self._ask_for_names()
        while stations.notices and self.notify is not None:
            self.notify(stations.notices.popleft())
        if stations.lost:
            self._lose(stations.lost)

    def _on_change(self, now: float) -> None:
        """Handle stations that have joined or ended."""
        stations, dispatcher = self._stations, self._dispatcher
        stations.has_changed = False
        for station, _ in stations.ended:
            self.resolver.asked.extend(station.lookups)
        dispatcher.set_stations(now)
        dispatcher.recover(now)
        for station in stations.opened:
            if self._is_spaced is not None and not station.places:
                station.add(Kind.SPACED, b"1" if self._is_spaced else b"")
        self._grants_all = grant_places(self.max_workers, stations.opened)

    def _check(self, now: float) -> None:
        self._stations.check(now)
        if self._stations.has_changed:
            self._on_change(now)
        self._dispatcher.set_stations(now)
        self._wait_for_workers(now)

    def _wait_for_workers(self, now: float) -> None:
        """Wait for a worker while there is none, as long as `--cluster-wait` allows."""
        if self._stations.opened or self._is_lost:
            self._waits_since = None
            return
        if self._waits_since is None:
            self._waits_since = now
            self._stations.notices.append(
                f"waiting for workers: the cluster has none (--cluster-wait {self._wait:g}s)"
            )
        if not self._has_requested:
            self._has_requested = True
            self._cluster.request_worker()
        if now - self._waits_since >= self._wait:
            self._lose(f"no worker joined within {self._wait:g} s (--cluster-wait)")

    def _lose(self, reason: str) -> None:
        if self._is_lost:
            return
        self._is_lost = True
        if self.on_lost is not None:
            self.on_lost(reason)
        else:
            self._crash = f"the cluster was lost: {reason}"
            self._state = State.ABORTING

    def _ask_for_names(self) -> None:
        asked, self.resolver.asked = self.resolver.asked, []
        for host in asked:
            station = self._dispatcher.station_of(host)
            station.lookups.add(host)
            self.resolver.begin(host)
            station.add(Kind.LOOK_UP, host.encode("utf-8", "surrogatepass"))

    def _space_hops(self, spaced: bool) -> None:
        self._is_spaced = spaced
        for station in self._stations.opened:
            station.add(Kind.SPACED, b"1" if spaced else b"")

    def _resize(self, workers: int) -> None:
        self._grants_all = grant_places(workers, self._stations.opened)

    def _close(self) -> None:
        """Drop all stations, and complete every future that is left."""
        self._cluster.close()
        self._dispatcher.set_results()
        if self._crash:
            self._work.lose_waiting()
            self._work.lose(list(self._work.open.values()))
        else:
            self._work.cancel(None)
            self._dispatcher.cancel_all()
        self._wakeup.close()
