"""Which station of a cluster a request goes to."""

from __future__ import annotations

from typing import Any

import pytest

from fetchpool.model.request import FetchRequest
from fetchpool.pools.cluster import routing
from fetchpool.pools.cluster.cluster import Worker
from fetchpool.pools.cluster.remote_station import RemoteStation
from fetchpool.pools.cluster.routing import Capacities, Router

DELAY = 2.0


class Calls:
    """Keeps what stations hold, as the dispatcher does."""

    def __init__(self, stations: int, places: int) -> None:
        cluster: Any = None  # these stations are never called
        self.stations = [
            RemoteStation(str(each), Worker(f"w{each}"), cluster, 0.0) for each in range(stations)
        ]
        for station in self.stations:
            station.is_open = True
            station.places = places
        self.router = Router()
        self.router.set_stations(self.stations)
        self.has_moved = False
        """The last request went to another station within the spacing of its host."""

    def give(self, host: str, now: float) -> RemoteStation | None:
        station = self.router.choose_spaced(host, Capacities(self.router.stations), now)
        if station is not None:
            request = FetchRequest(0, host, host, host, spacing=DELAY)
            self.has_moved = self.router.give(request, station, now)
            self.fill(station, 1)
        return station

    def fill(self, station: RemoteStation, number: int) -> None:
        item: Any = None
        station.held.update(dict.fromkeys(range(len(station.held), len(station.held) + number), item))

    def end(self, host: str, station: RemoteStation, now: float | None) -> None:
        station.held.popitem()
        self.router.take_back(host, now)


def test_spaced_hosts_fill_all_stations_evenly() -> None:
    calls = Calls(10, 40)
    for host in range(400):
        calls.give(f"h{host}", 0.0)
    assert [len(station.held) for station in calls.stations] == [40] * 10


def test_a_host_stays_at_its_station_while_that_holds_a_request_however_full_it_is() -> None:
    calls = Calls(4, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.fill(station, 1_000)
    assert calls.give("a", 100.0) is station
    joined = Calls(1, 10).stations
    calls.router.set_stations([*calls.stations, *joined])
    assert calls.give("a", 100.0) is station


def test_a_host_stays_while_it_has_just_been_asked_and_its_station_takes_more() -> None:
    calls = Calls(4, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.end("a", station, 10.0)
    calls.fill(station, 10)
    assert calls.give("a", 11.0) is station


def test_a_host_whose_station_is_full_goes_to_a_free_place_and_counts_as_asked_there() -> None:
    calls = Calls(4, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.end("a", station, 10.0)
    calls.fill(station, 15)
    assert calls.give("a", 11.0) not in (station, None)
    assert calls.has_moved
    other = calls.give("b", 11.0)
    assert other is not None
    assert not calls.has_moved
    calls.end("b", other, 12.0)
    calls.fill(other, 20)
    assert calls.give("b", 12.0 + DELAY) not in (other, None)
    assert not calls.has_moved  # its spacing is over


def test_a_host_waits_when_it_has_just_been_asked_and_no_place_is_free() -> None:
    calls = Calls(2, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.end("a", station, 10.0)
    for each in calls.stations:
        calls.fill(each, 15 if each is station else 10)
    assert calls.give("a", 11.0) is None
    assert calls.give("a", 10.0 + DELAY) not in (station, None)


def test_a_request_that_was_not_started_says_nothing_about_when_its_host_was_asked() -> None:
    calls = Calls(2, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.end("a", station, None)
    calls.fill(station, 20)
    assert calls.give("a", 0.0) not in (station, None)
    assert not calls.has_moved


def test_the_hosts_of_a_station_that_is_lost_count_as_asked_until_then() -> None:
    calls = Calls(2, 10)
    station = calls.give("a", 0.0)
    assert station is not None
    calls.router.set_stations([each for each in calls.stations if each is not station])
    calls.router.lost(station, 5.0)
    assert calls.give("a", 5.0 + DELAY / 2) not in (station, None)
    assert calls.has_moved


def test_only_hosts_that_may_be_asked_from_anywhere_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "MOST_HOSTS", 10)
    calls = Calls(2, 1_000)
    held = calls.give("held", 0.0)
    for number in range(50):
        host = f"h{number}"
        station = calls.give(host, 0.0)
        assert station is not None
        calls.end(host, station, 1.0)
    known = calls.router._spaced
    assert len(known) == 51
    for number in range(50, 150):
        host = f"h{number}"
        station = calls.give(host, 1.0 + DELAY)
        assert station is not None
        calls.end(host, station, 1.0)
    assert len(known) <= 11
    assert known["held"].station is held
