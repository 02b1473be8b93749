"""How the fetches of a run are divided among stations, also while stations come and go. Pure.

At no moment may more than the run's number be in progress. A station that is to have fewer runs on until some
have ended; another one gets these places only then.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.pools.cluster.remote_station import RemoteStation


def divide(most: int, limits: Sequence[int]) -> list[int]:
    """Divide `most` fetches at once evenly, to no station more than its limit."""
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
    """Grant each station its share, as far as places are free; return whether all have theirs."""
    wanted = divide(most, [station.limit for station in stations])
    for station, places in zip(stations, wanted, strict=True):
        if places < station.places:
            station.grant(places)
    free = most - sum([station.bound for station in stations])
    for station, places in zip(stations, wanted, strict=True):
        if places > station.places and free > 0:
            # What the station may still be running of an earlier, larger share is free for itself.
            more = min(places, max(station.bound, station.places) + free)
            if more > station.places:
                free -= max(0, more - station.bound)
                station.grant(more)
    return all(station.places == places for station, places in zip(stations, wanted, strict=True))
