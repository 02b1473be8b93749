"""Which station a request goes to. Pure.

In: the hosts of requests, and the stations. Out: a station. The requests of a host go to one station as far
as possible, which has its kept connections, TLS sessions and addresses. Those of a spaced host always do,
while that station lives: the time between two starts is measured there.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.pools.cluster.remote_station import RemoteStation

MOST_HOSTS = 100_000
"""Hosts whose station is remembered."""


class Router:
    """Chooses stations."""

    def __init__(self) -> None:
        self.stations: Sequence[RemoteStation] = ()
        """Those that requests are routed to."""
        self._preferred: dict[str, RemoteStation] = {}
        """The station by host, for hosts that are not spaced."""
        self._spaced: dict[str, RemoteStation] = {}
        """The same for spaced hosts, which keep it when stations join."""
        self._moved: dict[str, float] = {}
        """Spaced hosts whose station is gone, and when they may have been asked last."""

    def set_stations(self, stations: Sequence[RemoteStation]) -> None:
        """Route to these stations from now on."""
        self.stations = stations
        self._preferred.clear()

    def lost(self, station: RemoteStation, now: float) -> None:
        """Route the hosts of a station elsewhere."""
        for host in [host for host, each in self._spaced.items() if each is station]:
            del self._spaced[host]
            self._moved[host] = now
        while len(self._moved) > MOST_HOSTS:
            del self._moved[next(iter(self._moved))]

    def preferred(self, host: str) -> RemoteStation:
        """Return the station of a host: the same one while no station comes or goes, and then for most hosts,
        too (rendezvous hashing)."""
        station = self._preferred.get(host)
        if station is None:
            if len(self._preferred) >= MOST_HOSTS:
                self._preferred.clear()
            station = max(self.stations, key=lambda each: hash((host, each.name)))
            self._preferred[host] = station
        return station

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

    def choose(self, host: str, *, is_free: bool) -> RemoteStation | None:
        """Return the station for a request to a host that is not spaced: the host's own, unless requests wait
        there and another station has a place. `is_free`: whether any station has. None if all are full."""
        own = self.preferred(host)
        if own.capacity(ahead=False):
            return own
        if is_free and (other := self._emptiest(ahead=False)) is not None:
            return other
        return own if own.capacity(ahead=True) else self._emptiest(ahead=True)

    def _emptiest(self, *, ahead: bool) -> RemoteStation | None:
        """Return the station with the largest part of its capacity free; None if all are full."""
        best, most = None, 0.0
        for station in self.stations:
            if (free := station.capacity(ahead=ahead)) and free / station.places > most:
                best, most = station, free / station.places
        return best
