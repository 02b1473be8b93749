"""Which station a request goes to. Pure.

In: the hosts of requests, and the stations. Out: a station. The requests of a host go to one station as far
as possible, which has its kept connections, TLS sessions and addresses. Those of a spaced host always do,
while that station lives: the time between two starts is measured there.
"""

from __future__ import annotations

from bisect import bisect
from collections import deque
from collections.abc import Sequence
from zlib import crc32

from fetchpool.pools.cluster.remote_station import RemoteStation

MOST_HOSTS = 100_000
"""Spaced hosts whose station is remembered."""
POINTS = 256
"""Points of each station on the ring of hashes: the parts of the hosts that stations have differ by a
sixteenth."""


class Router:
    """Chooses stations."""

    def __init__(self) -> None:
        self.stations: Sequence[RemoteStation] = ()
        """Those that requests are routed to."""
        self._points: list[int] = []
        self._ring: list[RemoteStation] = []
        """A station for each of the points; that of a host is at the first point after its hash."""
        self._spaced: dict[str, RemoteStation] = {}
        """The stations of spaced hosts, which keep them when stations join."""
        self._moved: dict[str, float] = {}
        """Spaced hosts whose station is gone, and when they may have been asked last."""

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
        for host in [host for host, each in self._spaced.items() if each is station]:
            del self._spaced[host]
            self._moved[host] = now
        while len(self._moved) > MOST_HOSTS:
            del self._moved[next(iter(self._moved))]

    def preferred(self, host: str) -> RemoteStation:
        """Return the station of a host: the same one while no station comes or goes, and then for most hosts,
        too (consistent hashing)."""
        return self._ring[bisect(self._points, _point(host)) % len(self._ring)]

    def of_spaced(self, host: str) -> tuple[RemoteStation, bool]:
        """Return the station of a spaced host, and whether the host may have been asked from another one just
        now."""
        station = self._spaced.get(host)
        if station is not None:
            return station, False
        if len(self._spaced) >= MOST_HOSTS:
            self._forget_idle()
        station = self._spaced[host] = self.preferred(host)
        return station, self._moved.pop(host, None) is not None

    def _forget_idle(self) -> None:
        """Forget the older half of the spaced hosts, except those with requests at their station."""
        busy = {item.request.host for station in self.stations for item in station.held.values()}
        for host in list(self._spaced)[: MOST_HOSTS // 2]:
            if host not in busy:
                del self._spaced[host]

    def choose(self, host: str, capacities: Capacities) -> RemoteStation | None:
        """Return the station for a request to a host that is not spaced: the host's own, unless requests wait
        there and another station has a place. None if all are full."""
        own = self.preferred(host)
        if capacities.free[own] > 0:
            return own
        if (other := capacities.with_free_place()) is not None:
            return other
        return own if capacities.open[own] > 0 else capacities.with_open_place()


class Capacities:
    """What stations can be sent, counted down as they are given requests: one call takes the same time
    however many stations there are."""

    def __init__(self, stations: Sequence[RemoteStation]) -> None:
        self.free = {station: station.capacity(ahead=False) for station in stations}
        """The requests that each would start."""
        self.open = {station: station.capacity(ahead=True) for station in stations}
        """The same, and those ahead of them."""
        self._free = _emptiest_first(self.free)
        self._open = _emptiest_first(self.open)

    @property
    def is_full(self) -> bool:
        """Whether no station takes more."""
        return not self._open

    def given(self, station: RemoteStation) -> None:
        """Note that a station was given a request."""
        if station in self.free:  # one that has been silent until now may not be
            self.free[station] -= 1
            self.open[station] -= 1

    def with_free_place(self) -> RemoteStation | None:
        """Return a station that would start a request; each time another one."""
        return _next(self._free, self.free)

    def with_open_place(self) -> RemoteStation | None:
        """Return a station that takes a request; each time another one."""
        return _next(self._open, self.open)


def _point(text: str) -> int:
    """Return a place on the ring. Not by `hash()`, which differs from process to process: a run over a
    simulated cluster is to depend on its seed alone."""
    return crc32(text.encode("utf-8", "surrogatepass"))


def _emptiest_first(capacities: dict[RemoteStation, int]) -> deque[RemoteStation]:
    """Return the stations that are not full, those first of which the largest part is free."""
    stations = [station for station, number in capacities.items() if number > 0]
    return deque(sorted(stations, key=lambda station: capacities[station] / station.places, reverse=True))


def _next(stations: deque[RemoteStation], capacities: dict[RemoteStation, int]) -> RemoteStation | None:
    while stations:
        if capacities[stations[0]] > 0:
            stations.rotate(-1)
            return stations[-1]
        stations.popleft()
    return None
