"""Distributes requests among the stations: sends them, receives outcomes, and returns to the engine the
requests of stations that have ended.

In: the waiting requests, the stations and their reports. Out: completed futures. Only the thread that runs
the pool's loop uses it.
"""

from __future__ import annotations

from collections.abc import Iterable

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.outcome import Outcome, internal
from fetchpool.pools import wire
from fetchpool.pools.cluster.messages import Kind, Report
from fetchpool.pools.cluster.remote_station import RemoteStation
from fetchpool.pools.cluster.routing import Capacities, Router
from fetchpool.pools.cluster.stations import End, Stations
from fetchpool.pools.future import LightFuture
from fetchpool.pools.process.hang_ups import HangUps
from fetchpool.pools.process.work import WorkItem, WorkQueue, cancel, complete

UNCHECKED = 0.5
"""Seconds until `recall()` must be called again if there is nothing to recall."""
RECALL_AFTER = 0.1
"""Seconds without an outcome after which a station returns the requests that it has not started, while
another station has free places."""


class ClusterDispatcher:
    """Distributes the requests of a `WorkQueue` among the stations."""

    def __init__(self, work: WorkQueue, stations: Stations, options: FetchOptions) -> None:
        self._work = work
        self._stations = stations
        self._options = options
        self._router = Router()
        self._hang_ups = HangUps()
        self._batches: dict[RemoteStation, list[WorkItem]] = {}
        """The batches that are about to be sent."""
        self.completed: list[tuple[LightFuture, Outcome]] = []
        """Futures to complete, with their outcomes."""

    def set_results(self) -> None:
        """Complete the futures of all requests that have ended."""
        completed, self.completed = self.completed, []
        complete(completed)

    def set_stations(self, now: float) -> None:
        """Route to the current stations."""
        stations = [station for station in self._stations.opened if not station.is_silent(now)]
        if stations != self._router.stations:
            self._router.set_stations(stations)

    def station_of(self, host: str) -> RemoteStation:
        """Return the station of a host. There must be one."""
        return self._router.preferred(host)

    # Sending

    def send(self, now: float) -> None:
        """Send waiting requests to the stations, as far as they have capacity."""
        work, router = self._work, self._router
        if work.is_held:
            work.cancel(None)
            return
        stations = router.stations
        if not stations:
            return
        if work.alone:
            self._isolate(now)
        capacities = Capacities(stations)
        left: list[WorkItem] = []
        for item in work.take(len(work.waiting)):
            request = item.request
            if request.spacing:
                station = router.choose_spaced(request.host, capacities, now)
                if station is not None and (station.is_isolating or station.is_silent(now)):
                    station = None
            elif capacities.is_full:
                station = None
            else:
                station = router.choose(request.host, capacities)
            if station is None:
                left.append(item)
                continue
            capacities.count_given(station)
            self._give(item, station, now)
        if left:
            work.put_back(left)
        for station, items in self._batches.items():
            self._encode(station, items)
        self._batches.clear()

    def _give(self, item: WorkItem, station: RemoteStation, now: float) -> None:
        request = item.request
        if request.spacing and self._router.give(request, station, now):
            station.add(Kind.HOLD, request.host.encode("utf-8", "surrogatepass"))
        item.holder = station
        item.call = station.coming_call
        station.held[item.number] = item
        self._batches.setdefault(station, []).append(item)
        if request.close:
            self._hang_up(item, station, now)

    def _encode(self, station: RemoteStation, items: list[WorkItem]) -> None:
        try:
            message = wire.encode_requests([(item.number, item.request) for item in items])
        except Exception:  # noqa: BLE001 - it costs one row, not the run
            for item in items:
                try:
                    message = wire.encode_requests([(item.number, item.request)])
                except Exception as error:  # noqa: BLE001 - as above
                    del self._work.open[item.number]
                    self._release(station, item.number, None)
                    self.completed.append((item.future, internal(item.request, error)))
                else:
                    station.add(Kind.REQUESTS, message)
        else:
            station.add(Kind.REQUESTS, message)

    def _hang_up(self, item: WorkItem, station: RemoteStation, now: float) -> None:
        """Have the other stations close their idle connections to a host that accepts few."""
        message = self._hang_ups.message(item.request, now)
        for other in self._stations.opened:
            if message and other is not station:
                other.add(Kind.HANG_UP, message)

    def _isolate(self, now: float) -> None:
        """Send one request to a station that holds no others, after letting that station finish its requests.
        The other stations continue."""
        stations = self._router.stations
        chosen = next((station for station in stations if station.is_isolating), None)
        if chosen is None:
            request = self._work.alone[0].request
            if request.spacing:
                chosen = self._router.choose_spaced(request.host, Capacities(stations), now)
            elif ready := [station for station in stations if station.places]:
                chosen = min(ready, key=lambda station: len(station.held))
        if chosen is not None:
            chosen.is_isolating = True
            if not chosen.held:
                for item in self._work.take_alone():
                    self._give(item, chosen, now)

    # Receiving

    def receive(self, station: RemoteStation, report: Report, now: float) -> None:
        """Handle the outcomes of a report."""
        if report.outcomes:
            fields, returned, station.stuck = wire.decode_outcomes(report.outcomes)
            opened = self._work.open
            for each in fields:
                self._release(station, each[0], now)
                if (item := opened.pop(each[0], None)) is not None:
                    self.completed.append((item.future, wire.outcome_of(each, item.request.urlnum)))
            if returned:
                held = [self._release(station, number, None) for number in returned]
                self._put_back(item for item in held if item is not None)
            station.last_outcome = now
            station.rate.add(len(fields), now)
        if not station.held:
            station.is_isolating = False
        if report.ended:
            self._stations.end(station, End.SILENT)

    def _release(self, station: RemoteStation, number: int, started_at: float | None) -> WorkItem | None:
        """Remove a request from those that a station holds. `started_at`: when it may have started; None if
        it has not."""
        item = station.held.pop(number, None)
        if item is not None and item.request.spacing:
            self._router.take_back(item.request.host, started_at)
        return item

    def _put_back(self, unstarted: Iterable[WorkItem]) -> None:
        """Put requests that a station has not started back into the queue, or cancel them."""
        items = [item for item in unstarted if item.number in self._work.open]
        recalled = [item for item in items if item.recalled]
        self._work.put_back(item for item in items if not item.recalled)
        self._cancel(recalled)

    def _cancel(self, items: list[WorkItem]) -> None:
        """Cancel requests: the engine schedules them again, unless the run is being stopped."""
        for item in items:
            self._work.open.pop(item.number, None)
        cancel(item.future for item in reversed(items))

    # Lost and returned requests

    def recover(self, now: float) -> None:
        """Reschedule the requests of stations that have ended, except for those that a dead worker may have
        started: these count as lost with it."""
        ended, self._stations.ended = self._stations.ended, []
        for station, end in ended:
            self._router.lost(station, now)
            held = [item for item in station.held.values() if item.number in self._work.open]
            started = 0
            if end is End.DIED or (end is End.SILENT and self._options.has_slow_parsers):
                # Requests start nearly in order (spaced ones may be overtaken), so those after them have
                # probably not been started. If they have, they are among the first next time.
                started = max(station.bound, 1)
            lost, undelivered = self._divide(held[:started], station)
            self._cancel(held[started:])
            self._put_back(undelivered)
            self._work.lose(lost, f"worker {station.worker.address}")

    def _divide(
        self, started: list[WorkItem], station: RemoteStation
    ) -> tuple[list[WorkItem], list[WorkItem]]:
        """Divide requests into those that a dead worker has lost, and those that may never have reached it.
        Workers often die together, so a lost request may be sent to a worker that is dead, too, which does
        not count as a second loss. But a page may kill its worker before the request is confirmed: next time
        it counts."""
        lost: list[WorkItem] = []
        undelivered: list[WorkItem] = []
        for item in started:
            if item.call <= station.delivered_call or item.was_undelivered:
                lost.append(item)
            else:
                item.was_undelivered = True
                undelivered.append(item)
        return lost, undelivered

    def cancel(self, host: str | None) -> None:
        """Have the stations return the requests for a host that they have not started, to cancel them.
        Without a host: the requests for all hosts."""
        for station in self._stations.opened:
            theirs = [item for item in station.held.values() if host is None or item.request.host == host]
            if theirs:
                for item in theirs:
                    item.recalled = True
                station.add(Kind.CANCEL, (host or "").encode("utf-8", "surrogatepass"))

    def cancel_all(self) -> None:
        """Cancel every request that has no outcome."""
        self._cancel(list(self._work.open.values()))

    def recall(self, now: float, interval: float) -> float:
        """Have stations return requests that they have not started and that others could start. Return the
        seconds until the next check."""
        stations = self._router.stations
        if self._work.waiting or not any(station.capacity(ahead=False) for station in stations):
            return UNCHECKED
        after = RECALL_AFTER + 2 * interval
        least = UNCHECKED
        for station in stations:
            if station.surplus:
                since = max(station.last_outcome, station.recalled_at)
                if now - since < after:
                    least = min(least, since + after - now)
                else:
                    station.recalled_at = now
                    station.rate.clear()
                    station.add(Kind.CANCEL)
        return least
