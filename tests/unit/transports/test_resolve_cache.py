"""The CURLOPT_RESOLVE entries that libcurl is given."""

from __future__ import annotations

from contextlib import closing

import pycurl
import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.model.urls import authority
from fetchpool.transports.base import HopRequest
from fetchpool.transports.curl.resolve_cache import (
    MAX_IDLE,
    MAX_IDLE_OF_THREAD,
    ResolveCache,
    cache_timeout,
)
from fetchpool.transports.curl.transport import CurlTransport

HERE, THERE = ("127.0.0.1",), ("127.0.0.2", "127.0.0.3")


def test_a_host_is_passed_to_libcurl_once_and_again_when_its_addresses_change() -> None:
    book = ResolveCache()
    assert cycle(book, "a:80") == ["a:80:127.0.0.1"]
    assert cycle(book, "a:80", ("127.0.0.1",)) == []
    assert cycle(book, "a:80", THERE) == ["a:80:127.0.0.2,127.0.0.3"]
    assert cycle(book, "b:80", ()) == [], "libcurl looks by itself"


def test_every_hop_passes_a_host_until_one_that_did_has_ended() -> None:
    """Which of them libcurl starts first, it does not say."""
    book = ResolveCache()
    first, second = book.open("a:80", HERE), book.open("a:80", HERE)
    assert first == second == ["a:80:127.0.0.1"]
    book.close("a:80", first, None)
    assert book.open("a:80", HERE) == first, "that one had failed, maybe before libcurl read it"
    book.close("a:80", second, HERE)
    assert book.open("a:80", HERE) == []


def test_a_host_that_returns_while_it_is_being_removed_is_passed_until_it_was() -> None:
    book = ResolveCache(0)
    cycle(book, "a:80")
    lines = book.open("b:80", HERE)
    assert lines == ["-a:80", "b:80:127.0.0.1"]
    assert cycle(book, "a:80")[-1] == "a:80:127.0.0.1"
    assert cycle(book, "a:80")[-1] == "a:80:127.0.0.1", "it may have been forgotten after the first"
    book.close("b:80", lines, HERE)
    lines = book.open("a:80", HERE)
    book.close("a:80", lines, HERE)
    assert book.open("a:80", HERE) == []


@pytest.mark.parametrize("most", [MAX_IDLE, MAX_IDLE_OF_THREAD])
def test_a_thousand_of_a_million_hosts_are_kept_and_a_hundred_by_each_thread(most: int) -> None:
    book = ResolveCache(most)
    known: set[str] = set()
    for number in range(5 * most):
        for line in cycle(book, f"h{number}:80"):
            if line.startswith("-"):
                known.remove(line[1:])
            else:
                known.add(line.removesuffix(":127.0.0.1"))
    assert len(known) == most + 1
    assert cycle(book, "h0:80")[-1] == "h0:80:127.0.0.1", "removed, and added again"


def test_a_host_that_is_being_fetched_from_is_never_forgotten() -> None:
    book = ResolveCache(2)
    lines = book.open("slow:80", HERE)
    assert not any("-slow:80" in cycle(book, f"h{number}:80") for number in range(10))
    book.close("slow:80", lines, HERE)
    assert any("-slow:80" in cycle(book, f"h{number}:80") for number in range(10, 20))


def cycle(book: ResolveCache, where: str, addresses: tuple[str, ...] = HERE) -> list[str]:
    lines = book.open(where, addresses)
    book.close(where, lines, addresses)
    return lines


def test_entries_passed_to_libcurl_do_not_expire(demo_server: DemoServer) -> None:
    """`--resolve` held for a minute once."""
    options = FetchOptions()
    transport = CurlTransport(options)
    transport._handle.curl.setopt(pycurl.DNS_CACHE_TIMEOUT, 0)  # the minute is over
    url = f"http://passed.test:{demo_server.port}/bytes/1"
    for _ in range(2):
        transport._handle.curl.setopt(pycurl.FRESH_CONNECT, 1)
        response = transport.perform(
            HopRequest(url, authority(url), "GET", (), 5, 5, 10, ResponseBody(options, "GET"), HERE)
        )
        assert (response.failure, response.remote_ip) == (None, "127.0.0.1")
    transport.close()


def test_libcurl_never_goes_through_its_entries_where_it_looks_nothing_up() -> None:
    assert cache_timeout(FetchOptions(follow_across_hosts=False)) == -1
    assert cache_timeout(FetchOptions(follow_across_hosts=False, dns_servers="192.0.2.1")) == 60
    assert cache_timeout(FetchOptions()) == -1


def test_a_threads_transport_keeps_few_hosts(demo_server: DemoServer) -> None:
    """There may be hundreds of threads, and each keeps its own."""
    options = FetchOptions()
    with closing(CurlTransport(options)) as transport:
        for number in range(MAX_IDLE_OF_THREAD + 20):
            url = f"http://h{number}.test:{demo_server.port}/bytes/1"
            body = ResponseBody(options, "GET")
            transport.perform(HopRequest(url, authority(url), "GET", (), 5, 5, 10, body, HERE))
        assert len(transport._handle._resolve_cache._idle) == MAX_IDLE_OF_THREAD + 1
