"""Router: decides which station gets a request. Pure.

In: the hosts of requests, and the stations. Out: a station. As far as possible, the requests of a host go to
one station, which has its open connections, TLS sessions and addresses. Those of a spaced host always do
while the station holds one of them, because it measures the time between two starts.
"""

from __future__ import annotations

from bisect import bisect
from collections import OrderedDict, deque
from collections.abc import Sequence
from zlib import crc32

from fetchpool.model.request import FetchRequest
from fetchpool.pools.cluster.remote_station import RemoteStation

MOST_HOSTS = 100_000
"""Number of spaced hosts that are remembered; more if their spacing makes it necessary."""
POINTS = 256
"""Points of each station on the hash ring; with this number the shares of stations differ by a sixteenth."""


class SpacedHost:
    """The station that sends requests to a spaced host."""

    __slots__ = ("held", "spacing", "started_at", "station")

    def __init__(self) -> None:
        self.station: RemoteStation | None = None
        """The last one that was given a request; None if it has ended."""
        self.held = 0
        """Number of requests for the host that stations hold."""
        self.started_at = float("-inf")
        """When the last request may have started, unless a station holds one."""
        self.spacing = 0.0

    def may_start(self, now: float) -> bool:
        """Whether any station may send a request at once."""
        return not self.held and now >= self.started_at + self.spacing


class Router:
    """Chooses stations."""

    def __init__(self) -> None:
        self.stations: Sequence[RemoteStation] = ()
        """The stations that requests are routed to."""
        self._points: list[int] = []
        self._ring: list[RemoteStation] = []
        """The station of each point. A host belongs to the station at the first point after its hash."""
        self._spaced: OrderedDict[str, SpacedHost] = OrderedDict()
        """Spaced hosts, in the order of their latest request."""

    def set_stations(self, stations: Sequence[RemoteStation]) -> None:
        """Route to these stations from now on."""
        self.stations = stations
        ring = {
            _point(f"{station.worker.address} {point}"): station
            for station in stations
            for point in range(POINTS)
        }
        self._points = sorted(ring)
        self._ring = [ring[point] for point in self._points]

    def lost(self, station: RemoteStation, now: float) -> None:
        """Route the hosts of a station elsewhere."""
        for known in self._spaced.values():
            if known.station is station:
                known.station, known.held, known.started_at = None, 0, now

    def preferred(self, host: str) -> RemoteStation:
        """Return the station of a host. It stays the same while no station joins or leaves, and for most
        hosts even then (consistent hashing)."""
        return self._ring[bisect(self._points, _point(host)) % len(self._ring)]

    def choose(self, host: str, capacities: Capacities) -> RemoteStation | None:
        """Return the station for a request to a host that is not spaced: the host's own, unless requests wait
        there and another station has a place. None if all are full."""
        own = self.preferred(host)
        if capacities.free[own] > 0:
            return own
        if (other := capacities.with_free_place()) is not None:
            return other
        return own if capacities.open[own] > 0 else capacities.with_open_place()

    def choose_spaced(self, host: str, capacities: Capacities, now: float) -> RemoteStation | None:
        """Return the station for a request to a spaced host: the host's last one while that holds another
        request or the spacing is not over. Otherwise the host may move to a free place: the ring alone would
        leave some stations with too many hosts. None if the request has to wait."""
        known = self._spaced.get(host)
        if known is None:
            return self.choose(host, capacities)
        own = known.station
        if own is None:
            return self.choose(host, capacities)
        if known.held:
            return own
        free = capacities.free.get(own, 0)  # a silent station is not included
        if free > 0 or (capacities.open.get(own, 0) > 0 and not known.may_start(now)):
            return own
        # Elsewhere its spacing begins again, which takes longer than a place here, unless one is free there.
        if (other := capacities.with_free_place()) is not None or not known.may_start(now):
            return other
        return own if capacities.open.get(own, 0) > 0 else capacities.with_open_place()

    def give(self, request: FetchRequest, station: RemoteStation, now: float) -> bool:
        """Record that a station is given a request to a spaced host; return whether another one may have sent
        one so recently that the spacing is not over."""
        host = request.host
        known = self._spaced.get(host)
        if known is None:
            known = self._spaced[host] = SpacedHost()
            self._forget(now)
        else:
            self._spaced.move_to_end(host)
        known.spacing = request.spacing
        has_moved = known.station is not station and not known.may_start(now)
        known.station = station
        known.held += 1
        return has_moved

    def take_back(self, host: str, started_at: float | None) -> None:
        """Record that a station no longer holds a request to a spaced host. `started_at`: when it may have
        started; None if it has not."""
        known = self._spaced.get(host)
        if known is not None:
            known.held = max(0, known.held - 1)
            if started_at is not None:
                known.started_at = started_at

    def _forget(self, now: float) -> None:
        """Forget the oldest hosts that any station may fetch from: two for each new one, until few enough are
        left."""
        for _ in range(2):
            if len(self._spaced) <= MOST_HOSTS:
                return
            host, known = self._spaced.popitem(last=False)
            if not known.may_start(now):
                self._spaced[host] = known


class Capacities:
    """The remaining capacity of stations, reduced as they are given requests. A call takes constant time,
    however many stations there are."""

    def __init__(self, stations: Sequence[RemoteStation]) -> None:
        self.free = {station: station.capacity(ahead=False) for station in stations}
        """Number of requests that each station would start."""
        self.open = {station: station.capacity(ahead=True) for station in stations}
        """Number of requests that each station would start or hold ahead."""
        self._free = _emptiest_first(self.free)
        self._open = _emptiest_first(self.open)

    @property
    def is_full(self) -> bool:
        """Whether no station has capacity left."""
        return not self._open

    def count_given(self, station: RemoteStation) -> None:
        """Record that a station was given a request."""
        if station in self.free:  # a station that has been silent until now may not be included
            self.free[station] -= 1
            self.open[station] -= 1

    def with_free_place(self) -> RemoteStation | None:
        """Return a station that would start a request, in rotation."""
        return _next(self._free, self.free)

    def with_open_place(self) -> RemoteStation | None:
        """Return a station that has capacity for a request, in rotation."""
        return _next(self._open, self.open)


def _point(text: str) -> int:
    """Return a point on the ring. `hash()` would differ between processes, and a run over a simulated cluster
    must depend only on its seed."""
    return crc32(text.encode("utf-8", "surrogatepass"))


def _emptiest_first(capacities: dict[RemoteStation, int]) -> deque[RemoteStation]:
    """Return the stations that are not full, the one with the largest free share first."""
    stations = [station for station, number in capacities.items() if number > 0]
    return deque(sorted(stations, key=lambda station: capacities[station] / station.places, reverse=True))


def _next(stations: deque[RemoteStation], capacities: dict[RemoteStation, int]) -> RemoteStation | None:
    while stations:
        if capacities[stations[0]] > 0:
            stations.rotate(-1)
            return stations[-1]
        stations.popleft()
    return None
