"""Stations: requests as bytes in, outcomes as bytes out, whatever runs the fetches."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from queue import SimpleQueue

import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.outcome import Outcome
from fetchpool.pools import wire
from fetchpool.pools.station import MOST, Station
from tests.contracts.gauged import GaugedServer

PATIENCE = 15


class Driver:
    """A station in a thread, and the messages that it sends."""

    def __init__(self, places: int, transport: str) -> None:
        self.messages: SimpleQueue[bytes] = SimpleQueue()
        self.beats = 0
        options = FetchOptions(transport=transport)
        self.station = Station(places, options, self.messages.put, beat=self._beat)
        self.thread = threading.Thread(target=self.station.run)
        self.thread.start()

    def _beat(self) -> None:
        self.beats += 1

    def put(self, server: GaugedServer, *paths: str, first: int = 0) -> None:
        requests = [urls.request(0, server.url(path)) for path in paths]
        self.station.put(wire.encode_requests(enumerate(requests, first)))

    def outcomes(self, number: int) -> tuple[dict[int, Outcome], list[int], int]:
        """So many outcomes or returned requests, and in how many messages they came."""
        came: dict[int, Outcome] = {}
        returned: list[int] = []
        messages = 0
        while len(came) + len(returned) < number:
            fields, numbers, _ = wire.decode_outcomes(self.messages.get(timeout=PATIENCE))
            came |= {each[0]: wire.outcome_of(each, each[0]) for each in fields}
            returned += numbers
            messages += 1
        return came, returned, messages

    def close(self) -> None:
        self.station.close(abort=True)
        self.thread.join(PATIENCE)


@pytest.fixture(params=["curl", "requests"])
def driver(request: pytest.FixtureRequest) -> Iterator[Driver]:
    driver = Driver(2, request.param)
    yield driver
    driver.close()


def test_every_request_gets_its_own_outcome(driver: Driver, server: GaugedServer) -> None:
    driver.put(server, *(f"/{number}" for number in range(40)))
    driver.put(server, *(f"/{number}" for number in range(40, 60)), first=40)
    came, returned, _ = driver.outcomes(60)
    assert {number: outcome.record.url_effective for number, outcome in came.items()} == {
        number: server.url(f"/{number}") for number in range(60)
    }
    assert not returned


def test_no_more_fetches_run_at_once_than_there_are_places(driver: Driver, server: GaugedServer) -> None:
    driver.put(server, *["/held"] * 6)
    server.wait_until_held(2)
    server.release.set()
    assert len(driver.outcomes(6)[0]) == 6
    assert server.most == 2


def test_requests_that_wait_are_returned_by_host_or_all(driver: Driver, server: GaugedServer) -> None:
    driver.put(server, *["/held"] * 4)
    driver.station.put(wire.encode_requests([(4, urls.request(0, "http://localhost:1/"))]))
    server.wait_until_held(2)
    driver.station.cancel("localhost")
    assert driver.outcomes(1)[1] == [4]
    driver.station.cancel(None)
    assert driver.outcomes(2)[1] == [2, 3]
    server.release.set()
    assert sorted(driver.outcomes(2)[0]) == [0, 1]


@pytest.mark.parametrize("transport", ["curl", "requests"])
def test_what_waits_for_a_host_that_asks_for_a_pause_is_returned(
    transport: str, server: GaugedServer
) -> None:
    """The driver learns of it only when the message has reached it."""
    driver = Driver(1, transport)
    driver.put(server, "/429", "/a", "/b", first=7)
    came, returned, _ = driver.outcomes(3)
    assert [outcome.record.response_code for outcome in came.values()] == [429]
    assert returned == [8, 9]
    assert server.asked == ["/429"]
    driver.close()


def test_an_outcome_does_not_wait_while_a_place_is_free(driver: Driver, server: GaugedServer) -> None:
    driver.put(server, "/held", "/quick")
    assert list(driver.outcomes(1)[0]) == [1]
    server.release.set()


def test_outcomes_are_sent_together_while_requests_wait(server: GaugedServer) -> None:
    driver = Driver(8, "curl")
    driver.put(server, *["/x"] * 400)
    came, _, messages = driver.outcomes(400)
    assert len(came) == 400
    assert messages < 200, "more than two in each"
    assert MOST >= 100
    driver.close()


def test_a_station_that_is_closed_returns_what_waits_and_ends_with_its_fetches(
    driver: Driver, server: GaugedServer
) -> None:
    driver.put(server, *["/held"] * 4)
    server.wait_until_held(2)
    driver.station.close()
    assert driver.outcomes(2)[1] == [2, 3]
    driver.put(server, "/x", first=4)
    assert driver.outcomes(1)[1] == [4]
    server.release.set()
    assert sorted(driver.outcomes(2)[0]) == [0, 1]
    driver.thread.join(PATIENCE)
    assert not driver.thread.is_alive()


def test_an_aborted_station_ends_although_most_fetches_have_not_begun() -> None:
    """They begin some at a time."""
    sent: list[bytes] = []
    messages = iter([lambda: station.put(requests), lambda: None, lambda: station.close(abort=True)])

    def beat() -> None:
        next(messages, lambda: None)()

    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        requests = wire.encode_requests((number, urls.request(0, url)) for number in range(400))
        station = Station(400, FetchOptions(), sent.append, beat=beat)
        thread = threading.Thread(target=station.run, daemon=True)
        thread.start()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    fields = [each for message in sent for each in wire.decode_outcomes(message)[0]]
    assert sorted(each[0] for each in fields) == list(range(400))
    assert {wire.outcome_of(each, 0).record.error for each in fields} == {"aborted"}


def test_an_idle_station_gives_signs_of_life(driver: Driver) -> None:
    before = driver.beats
    pause = threading.Event()
    while driver.beats < before + 5:
        pause.wait(0.05)


def test_a_request_is_not_sent_and_comes_back_if_it_may_not_start_any_more_once_it_is_connected(
    server: GaugedServer,
) -> None:
    """As in a process that was stopped while libcurl connected, for longer than its lease."""
    messages: SimpleQueue[bytes] = SimpleQueue()
    answers = iter([True])  # when it starts
    station = Station(2, FetchOptions(), messages.put, may_start=lambda: next(answers, False))
    thread = threading.Thread(target=station.run)
    thread.start()
    station.put(wire.encode_requests([(7, urls.request(0, server.url("/x")))]))
    while thread.is_alive() and messages.empty():
        thread.join(0.01)
    station.abandon()
    thread.join(PATIENCE)
    outcomes, returned, _ = wire.decode_outcomes(messages.get(timeout=PATIENCE))
    assert (outcomes, returned) == ([], [7])
    assert server.asked == []


def test_a_station_that_abandons_all_returns_also_what_is_in_progress(server: GaugedServer) -> None:
    messages: SimpleQueue[bytes] = SimpleQueue()
    station = Station(2, FetchOptions(), messages.put)
    thread = threading.Thread(target=station.run)
    thread.start()
    station.put(wire.encode_requests(enumerate([urls.request(0, server.url("/held"))] * 5)))
    server.wait_until_held(2)
    station.abandon()
    thread.join(PATIENCE)
    came = []
    while not messages.empty():
        outcomes, returned, _ = wire.decode_outcomes(messages.get())
        assert not outcomes
        came += returned
    assert sorted(came) == [0, 1, 2, 3, 4]
