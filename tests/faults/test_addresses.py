"""Addresses: no untrusted list, page or name server can make fetchpool connect to private addresses. By
default a redirect from a public page must not lead to a private address. As loopback is never public, these
tests mark a page as public in the request, or by a transport that reports a public address."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool import Record, UsageError
from fetchpool.config.configure import configure
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.sources.iterable import IterableSource
from fetchpool.transports.base import Headers, HopRequest, HopResult, ResponseHead
from fetchpool.transports.resolver import Resolver
from tests.faults.matrix import Rows, Way, engine_for, fetch_urls, in_every_way, over_each_transport
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer, Peer, Received

PUBLIC = "93.184.215.14"
PRIVATE = (
    "http://127.0.0.1/",
    "http://169.254.169.254/latest/meta-data/",
    "http://10.1.2.3/",
    "http://[fd00::1]/",
    "http://[::1]/",
)


class FromPublic(IterableSource):
    """Requests whose earlier hop was a page of the public internet."""

    def take(self, limit: int) -> list[FetchRequest]:
        return [replace(request, from_public=True, num_redirects=1) for request in super().take(limit)]


class NameServer:
    """Says another address each time it is asked for a name."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked = 0

    def __call__(self, _host: bytes, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.asked += 1
        address = self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0))]


def fetch_with(
    way: Way,
    urls: Sequence[str],
    *,
    source: type[IterableSource] = IterableSource,
    name_server: NameServer | None = None,
    workers: int = 4,
    **settings: Any,
) -> list[Record]:
    """As `fetch_urls`, with a source and a name server of our own."""
    rows = Rows()
    resolver = Resolver(lookup=name_server) if name_server else None
    engine_for(way, source(urls), rows, resolver, workers=workers, connect_timeout=2, **settings).run()
    assert sorted(record.urlnum for record in rows.records) == list(range(len(urls)))
    return sorted(rows.records, key=lambda record: record.urlnum)


def redirected_from(ip: str, location: str, **options: Any) -> HopRequest | Outcome:
    """What the exchange does next when a page at that address redirects to `location`."""
    request = FetchRequest(0, "http://page.example/", "http://page.example/", "page.example")
    steps = Exchange(FetchOptions(**options)).steps(request)
    hop = next(steps)
    assert hop.receiver.on_head(
        ResponseHead(302, "1.1", Headers([f"Location: {location}\r\n".encode(), b"Content-Length: 0\r\n"]))
    )
    try:
        return steps.send(HopResult(remote_ip=ip))
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome


@over_each_transport
def test_31_a_public_page_may_not_redirect_to_a_private_address(server: FaultServer, way: Way) -> None:
    """`forbidden_address` for loopback, link-local (cloud metadata), private and unique local addresses;
    nothing is sent there. `--allow-private` turns this off."""
    urls = [server.url("ok"), *PRIVATE]
    forbidden = fetch_with(way, urls, source=FromPublic)
    assert [(record.error, record.exitcode) for record in forbidden] == [("forbidden_address", 7)] * len(urls)
    assert server.connections == 0
    [allowed] = fetch_with(way, urls[:1], source=FromPublic, allow_private=True)
    assert (allowed.error, allowed.size_delivered) == (None, len(PAGE))


@pytest.mark.parametrize("location", PRIVATE)
def test_31_the_connected_address_decides_whether_a_page_is_public(location: str) -> None:
    """The address from which a page was received decides where it may redirect to."""
    following = redirected_from(PUBLIC, location)
    assert isinstance(following, HopRequest)
    assert following.public_only
    following = redirected_from("192.168.0.7", location)
    assert isinstance(following, HopRequest)
    assert not following.public_only
    following = redirected_from(PUBLIC, location, allow_private=True)
    assert isinstance(following, HopRequest)
    assert not following.public_only


@over_each_transport
def test_31_public_only_also_refuses_them_in_the_list(server: FaultServer, way: Way) -> None:
    """For untrusted lists: `forbidden_address` without a connection. A private `--resolve` address is
    rejected before anything is fetched."""
    records = fetch_urls(
        way, [server.url("ok"), server.url("ok", host="localhost"), *PRIVATE], public_only=True
    )
    assert [record.error for record in records] == ["forbidden_address"] * len(records)
    assert server.connections == 0
    with pytest.raises(UsageError, match="--public-only"):
        configure(public_only=True, resolve=["page.example:80:127.0.0.1"])


SPELLINGS = (
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "127.1",
    "127.0.1",
    "0",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::1]",
    "100.64.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[ff02::1]",
    "[fe80::1]",
    "\uff11\uff12\uff17.0.0.1",
    "127\u30020\u30020\u30021",
    "localhost",
)


@over_each_transport
def test_32_unusual_notations_of_an_address_are_recognized(server: FaultServer, way: Way) -> None:
    """2130706433, 0x7f.1, 127.1, 0, full-width digits, IPv4 in IPv6 (mapped, NAT64, 6to4, Teredo), shared and
    multicast addresses: the address that would be connected to is checked."""
    records = fetch_urls(way, [server.url("ok", host=host) for host in SPELLINGS], public_only=True)
    assert {record.url: record.error for record in records} == {
        server.url("ok", host=host): "forbidden_address" for host in SPELLINGS
    }
    assert server.connections == 0
    records = fetch_urls(way, [server.url("ok", host=host) for host in SPELLINGS[:6]])
    assert [record.error for record in records] == [None] * 6, "they are spellings of 127.0.0.1"


@over_each_transport
def test_33_the_checked_address_is_the_one_connected_to(server: FaultServer, way: Way) -> None:
    """DNS rebinding: a name is looked up once per run, the result is checked, and every hop connects to it.
    The transport does not look up the name again."""
    url = server.url("ok", host="rebinding.test")
    name_server = NameServer("127.0.0.1", "127.0.0.9")
    records = fetch_with(way, [url] * 3, name_server=name_server)
    assert [(record.error, record.remote_ip) for record in records] == [(None, "127.0.0.1")] * 3
    assert name_server.asked == 1
    before = server.connections
    [forbidden] = fetch_with(way, [url], name_server=NameServer("127.0.0.1"), public_only=True)
    assert forbidden.error == "forbidden_address"
    assert server.connections == before


@over_each_transport
def test_33_also_after_a_redirect_to_the_same_name(server: FaultServer, way: Way) -> None:
    """The second hop connects to the same address as the first one, even if the name server gives another one
    by then; and a reused connection to a private address does not bypass the check."""
    name_server = NameServer("127.0.0.1", "127.0.0.9")
    url = server.url("redirect?2", host="rebinding.test")
    [record] = fetch_with(way, [url], name_server=name_server)
    assert (record.error, record.num_redirects, record.remote_ip) == (None, 2, "127.0.0.1")
    assert name_server.asked == 1

    class SecondFromPublic(IterableSource):
        """The first request keeps a connection that the second may not use."""

        def take(self, limit: int) -> list[FetchRequest]:
            requests = super().take(limit)
            return [replace(request, from_public=request.urlnum > 0) for request in requests]

    first, second = fetch_with(
        way, [server.url("ok"), server.url("capture")], source=SecondFromPublic, workers=1
    )
    assert (first.error, second.error) == (None, "forbidden_address")
    assert all(request.scenario != "capture" for request in server.received)


SIGNS = "!$&'()*+=`{}"


@in_every_way
def test_59_no_host_name_affects_the_address_of_another_host(way: Way) -> None:
    """A name that starts with `-` is a host like any other; `+h`, `*` and other characters that are syntax to
    libcurl are `invalid_url`. Whatever a list or a `Location` contains, other hosts are connected to at their
    own addresses."""

    def closing(peer: Peer, request: Received) -> None:
        host = request.headers()["host"].partition(":")[0]
        peer.respond(host.encode(), "Connection: close")
        peer.keep = False

    def look_up(host: bytes, *_: object, **__: object) -> list[tuple[Any, ...]]:
        where = "127.0.0.1" if host == b"h.test" else "127.0.0.2" if host == b"-h.test" else "127.0.0.9"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, 0))]

    own = {"closing": closing}
    with (
        FaultServer(scenarios=own) as server,
        FaultServer(host="127.0.0.2", port=server.port, scenarios=own),
    ):
        odd = (
            [f"{sign}h.test" for sign in SIGNS] + [f"h{sign}.test" for sign in SIGNS] + ["*", "*.", "+", "**"]
        )
        hosts = ["h.test", "-h.test", "h.test", *odd, "-h.test", "h.test", *odd[::-1], "h.test", "-h.test"]
        urls = [server.url(f"closing?{number}", host) for number, host in enumerate(hosts)]
        urls += [
            server.url(f"redirect-to?{server.url('closing', host)}", "h.test") for host in ("*", "+h.test")
        ]
        rows = Rows()
        engine_for(way, IterableSource(urls), rows, Resolver(lookup=look_up), workers=1).run()
    records = sorted(rows.records, key=lambda record: record.urlnum)
    at = {"h.test": "127.0.0.1", "-h.test": "127.0.0.2"}
    for host, record in zip([*hosts, "*", "+"], records, strict=True):
        if host in at:
            assert (record.error, record.remote_ip, record.size_delivered) == (None, at[host], len(host)), (
                record
            )
        else:
            assert record.error == "invalid_url", record


@pytest.mark.parametrize(
    "given", ["*:80:192.0.2.1", "+h.test:80:192.0.2.1", "h+:80:192.0.2.1", "*.test:80:192.0.2.1"]
)
def test_59_curl_syntax_in_resolve_is_rejected_with_a_message(given: str) -> None:
    with pytest.raises(UsageError, match="--resolve"):
        configure(["list.txt"], resolve=[given])
