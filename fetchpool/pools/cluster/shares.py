"""Divides the concurrent fetches of a run among stations, also while stations join and leave. Pure.

No more fetches than the run's maximum may be in flight at any moment. If a station's share shrinks, other
stations get its places only after enough of its fetches have completed.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.pools.cluster.remote_station import RemoteStation


def divide(most: int, limits: Sequence[int]) -> list[int]:
    """Divide `most` concurrent fetches evenly, giving no station more than its limit."""
    parts = [0] * len(limits)
    left = most
    open_ = [place for place, limit in enumerate(limits) if limit]
    while left and open_:
        share, more = divmod(left, len(open_))
        for number, place in enumerate(open_):
            part = min(share + (number < more), limits[place] - parts[place])
            parts[place] += part
            left -= part
        open_ = [place for place in open_ if parts[place] < limits[place]]
    return parts


def grant_places(most: int, stations: Sequence[RemoteStation]) -> bool:
    """Grant each station its share, as far as places are free; return whether every station has its share."""
    wanted = divide(most, [station.limit for station in stations])
    for station, places in zip(stations, wanted, strict=True):
        if places < station.places:
            station.grant(places)
    free = most - sum([station.bound for station in stations])
    for station, places in zip(stations, wanted, strict=True):
        if places > station.places and free > 0:
            # Places that the station may still be using from an earlier, larger share are free for itself.
            more = min(places, max(station.bound, station.places) + free)
            if more > station.places:
                free -= max(0, more - station.bound)
                station.grant(more)
    return all(station.places == places for station, places in zip(stations, wanted, strict=True))
