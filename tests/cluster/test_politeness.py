"""Limits over all workers of a real cluster, measured at the server."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import pytest

import fetchpool
from tests.at_once import AtOnce
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer, Handler, serving

SETTINGS: dict[str, Any] = {"executor": "cluster", "workers": 12}
DELAY = 0.25
PAUSE = 1
"""Seconds of `Retry-After`."""


class ByHost(GaugedServer):
    """Notes when each host was asked, and how many requests it had at once."""

    def __init__(self) -> None:
        super().__init__("0.0.0.0", HostHandler)
        self.arrivals: defaultdict[str, list[float]] = defaultdict(list)
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self.refuses = ""
        """The host whose next request is answered with 429."""

    def urls(self, hosts: int, each: int) -> list[str]:
        """As many URLs for each of the hosts, in turn."""
        port = self.server_port
        return [
            f"http://127.0.0.{1 + host}:{port}/{number}" for number in range(each) for host in range(hosts)
        ]


class HostHandler(Handler):
    server: ByHost

    def do_GET(self) -> None:  # noqa: N802 - the name in http.server
        server, host = self.server, self.headers["Host"].partition(":")[0]
        with server.lock:
            server.arrivals[host].append(time.monotonic())
            server.at_once[host] += 1
            server.most_at_once[host] = max(server.most_at_once[host], server.at_once[host])
            is_refused = server.refuses == host
            if is_refused:
                server.refuses = ""
        time.sleep(0.01)
        with server.lock:
            server.at_once[host] -= 1
        if is_refused:
            self.send_response(429)
            self.send_header("Retry-After", str(PAUSE))
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            super().do_GET()


@pytest.fixture
def by_host() -> Iterator[ByHost]:
    with serving(ByHost()) as running:
        yield running


waiting = AtOnce(by_host=lambda: serving(ByHost()))


def fetched(dask: DaskProcesses, urls: list[str], **settings: Any) -> float:
    """Fetch all, and return when that began."""
    began = time.monotonic()
    rows = list(fetchpool.fetch(urls, cluster=dask.address, **{**SETTINGS, **settings}))
    assert Counter(row.url for row in rows) == Counter(urls)
    assert {row.error for row in rows} == {None}
    return began


def test_no_host_has_more_requests_at_once_than_per_host_allows(
    shared_dask: DaskProcesses, by_host: ByHost
) -> None:
    fetched(shared_dask, by_host.urls(4, 25), per_host=2)
    assert set(by_host.most_at_once.values()) == {2}


@waiting
def test_a_host_with_a_delay_is_asked_no_sooner_whichever_workers_there_are(
    shared_dask: DaskProcesses, by_host: ByHost
) -> None:
    """A busy machine delays requests, and never makes them come too early: none may come before its turn."""
    began = fetched(shared_dask, by_host.urls(5, 5), host_delay=DELAY)
    for arrivals in by_host.arrivals.values():
        for number, arrived in enumerate(arrivals):
            assert arrived - began >= number * DELAY
        assert len(arrivals) == 5


@waiting
def test_all_workers_wait_for_what_one_was_asked_to_wait_for(
    shared_dask: DaskProcesses, by_host: ByHost
) -> None:
    by_host.refuses = "127.0.0.2"
    fetched(shared_dask, by_host.urls(3, 6), per_host=1, retry=2)
    refused, following, *_ = by_host.arrivals.pop("127.0.0.2")
    assert following - refused >= PAUSE
    assert all(arrivals[-1] < following for arrivals in by_host.arrivals.values())


def test_a_url_that_takes_long_holds_back_no_other_row(
    shared_dask: DaskProcesses, server: GaugedServer
) -> None:
    server.release.clear()
    slow = server.url("/held")
    urls = [slow, *(server.url(f"/{number}") for number in range(200))]
    rows = fetchpool.fetch(urls, cluster=shared_dask.address, per_host=0, **SETTINGS)
    others = [next(rows).url for _ in range(200)]
    assert Counter(others) == Counter(urls[1:])
    server.release.set()
    assert [row.url for row in rows] == [slow]
