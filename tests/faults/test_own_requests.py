"""Requests for robots.txt: requests for `robots.txt` follow the same rules and limits as any other. A host is
a name or address without its port; each server in these tests is a different host."""

from __future__ import annotations

import gzip
import resource
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool import Record
from fetchpool.model.request import FetchRequest
from fetchpool.sources.iterable import IterableSource
from tests.faults import ports
from tests.faults.matrix import (
    ASYNC,
    CURL,
    Rows,
    Way,
    at_once,
    engine_for,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.server import FaultServer, Peer, Received

SECRETS = {"user": "ann:s3cret", "headers": ["X-Api-Key: t0ken", "Cookie: session=1"]}
SECRET_NAMES = {"authorization", "x-api-key", "cookie"}
EARLY = 0.06
"""Seconds by which two requests may come closer together than they were sent."""
FORBIDS = b"User-agent: *\nDisallow: /capture\n"

Says = Callable[[Peer, Received], None]


@contextmanager
def hosts_saying(*says: Says) -> Iterator[list[FaultServer]]:
    """Servers at 127.0.0.1 and on, each with a `robots.txt` of its own."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(FaultServer(host=f"127.0.0.{number}", scenarios={"robots.txt": say}))
            for number, say in enumerate(says, 1)
        ]


def text(content: bytes = FORBIDS, *headers: str) -> Says:
    return lambda peer, _: peer.respond(content, *headers)


def none_there(peer: Peer, _: Received) -> None:
    peer.respond(b"", status="404 Not Found")


def elsewhere(location: str | Callable[[], str]) -> Says:
    def say(peer: Peer, _: Received) -> None:
        where = location if isinstance(location, str) else location()
        peer.respond(b"", f"Location: {where}", status="302 Found")

    return say


def failing(times: int, then: Says = none_there) -> Says:
    left = [times]

    def say(peer: Peer, request: Received) -> None:
        left[0] -= 1
        if left[0] >= 0:
            peer.respond(b"", status="500 Down")
        else:
            then(peer, request)

    return say


def paths_received_by(server: FaultServer) -> list[str]:
    return [request.scenario for request in server.received]


def secrets(server: FaultServer) -> set[str]:
    return {name for request in server.received for name in request.headers()} & SECRET_NAMES


@in_every_way
def test_58_secrets_are_not_sent_for_robots_txt_of_other_hosts(way: Way) -> None:
    """With `-u` and `-H`: hosts of the list receive them for `robots.txt` as for pages; hosts that a page or
    a `robots.txt` redirects to receive no `Authorization`, `Cookie` or custom header, not even with a
    retry."""
    stack: list[FaultServer] = []
    sent = elsewhere(lambda: stack[2].url("moved-robots.txt"))
    with hosts_saying(none_there, failing(1), failing(1, sent)) as servers:
        stack += servers
        first, second, third = servers
        urls = [
            first.url(f"redirect-to?{second.url('capture')}"),
            first.url(f"redirect-to?{third.url('ok')}"),
        ]
        records = fetch_urls(way, urls, robots=True, retry=2, retry_delay=0, **SECRETS)
        assert [record.error for record in records] == [None, None]
        assert paths_received_by(second) == ["robots.txt", "robots.txt", "capture"]
        assert paths_received_by(third) == ["robots.txt", "robots.txt", "moved-robots.txt", "ok"]
        assert (secrets(first), secrets(second), secrets(third)) == (SECRET_NAMES, set(), set())
        assert first.received[0].headers().keys() >= SECRET_NAMES


class FromPublic(IterableSource):
    """Requests whose earlier hop was a page of the public internet."""

    def take(self, limit: int) -> list[FetchRequest]:
        return [replace(request, from_public=True, num_redirects=1) for request in super().take(limit)]


def fetch_from(source: IterableSource, way: Way, **settings: Any) -> list[Record]:
    rows = Rows()
    engine_for(way, source, rows, workers=4, **settings).run()
    return sorted(rows.records, key=lambda record: record.urlnum)


@in_every_way
def test_58_address_rules_apply_to_robots_txt(way: Way) -> None:
    """Nothing is sent to a private host that a public page redirects to, nor with `--public-only` to any
    private host; the row is `forbidden_address`, as without `--robots`."""
    with hosts_saying(text()) as (private,):
        urls = [private.url(f"ok?{number}") for number in range(3)]
        for robots in (False, True):
            sent_there = fetch_from(FromPublic(urls), way, robots=robots)
            listed = fetch_urls(way, urls, robots=robots, public_only=True)
            assert {record.error for record in [*sent_there, *listed]} == {"forbidden_address"}
            assert {record.errormsg for record in [*sent_there, *listed]} == {
                "127.0.0.1 is not a public address"
            }
        assert private.connections == 0
        assert [record.error for record in fetch_urls(way, urls, robots=True)] == [None] * 3


@over_each_transport
@pytest.mark.parametrize("pace", [{"host_delay": "150ms"}, {"rate": "400/m"}], ids=["host-delay", "rate"])
@at_once()
def test_58_redirects_and_retries_of_robots_txt_respect_the_limits(way: Way, pace: Mapping[str, str]) -> None:
    """`--host-delay` and `--rate` apply to every request that a server receives: the first `robots.txt`, its
    retries, each of its redirects, and the pages."""
    stack: list[FaultServer] = []
    there = elsewhere(lambda: stack[1].url("redirect-to?%2Fmoved-robots.txt"))
    with hosts_saying(failing(2, there), none_there) as servers:
        stack += servers
        first, second = servers
        urls = [
            first.url("ok?1"),
            first.url("capture"),
            first.url("ok?2"),
            second.url("ok?1"),
            second.url("ok?2"),
        ]
        records = fetch_urls(way, urls, robots=True, retry=3, retry_delay="10ms", **pace)
        assert [record.error for record in records] == [None, "robots", None, None, None]
        assert paths_received_by(first) == ["robots.txt"] * 3 + ["ok", "ok"]
        assert sorted(paths_received_by(second)) == [
            "moved-robots.txt",
            "ok",
            "ok",
            "redirect-to",
            "robots.txt",
        ]
        together = [[*first.received, *second.received]] if "rate" in pace else []
        for received in together or [first.received, second.received]:
            times = sorted(request.at for request in received)
            assert all(at - times[0] > place * 0.15 - EARLY for place, at in enumerate(times))


@over_each_transport
@at_once()
def test_58_per_host_applies_to_redirected_robots_txt(way: Way) -> None:
    """`--per-host 1` applies to a host that ten others redirect to; each of them waits for its own
    response."""
    stack: list[FaultServer] = []
    sent = elsewhere(lambda: stack[0].url("bytes-in-pieces?robots"))
    with hosts_saying(none_there, *[sent] * 4) as servers:
        stack += servers
        goal, *others = servers
        records = fetch_urls(way, [server.url("ok") for server in others], robots=True, per_host=1)
        assert [record.error for record in records] == [None] * 4
        times = sorted(request.at for request in goal.received)
        assert len(times) == 4
        assert all(at - times[0] > place * 0.25 - EARLY for place, at in enumerate(times))


@over_each_transport
def test_58_an_unavailable_robots_txt_disallows_all(way: Way) -> None:
    """Redirects in a circle, to a dead host or to a forbidden address, or no response: the host's URLs end as
    `robots`, all of them at once, and others are fetched."""
    with (
        ports.refused() as port,
        hosts_saying(
            elsewhere("/robots.txt"),
            elsewhere(f"http://127.0.0.9:{port}/robots.txt"),
            elsewhere("file:///etc/passwd"),
            lambda peer, _: peer.reset(),
            none_there,
        ) as servers,
    ):
        urls = [server.url(f"ok?{number}") for server in servers for number in range(4)]
        records = fetch_urls(way, urls, robots=True)
        assert [record.error for record in records] == ["robots"] * 16 + [None] * 4
        assert all(set(paths_received_by(server)) == {"robots.txt"} for server in servers[:4])


@pytest.mark.parametrize("way", [CURL, ASYNC], ids=str)
def test_58_urls_waiting_for_an_unreadable_robots_txt_end_with_it(way: Way) -> None:
    """A `robots.txt` that can't be read disallows for a minute. For URLs that waited for it, it is not
    requested again, even if they would have been sent later than that."""

    def busy(peer: Peer, _: Received) -> None:
        peer.respond(b"", "Retry-After: 90", status="503 Busy")

    with hosts_saying(busy) as (server,):
        records = fetch_urls(
            way, [server.url(f"ok?{number}") for number in range(50)], robots=True, max_runtime=10
        )
        assert [record.error for record in records] == ["robots"] * 50
        assert paths_received_by(server) == ["robots.txt"]


@over_each_transport
def test_58_robots_txt_is_read_whatever_it_is_written_with(way: Way) -> None:
    """With a byte order mark, in UTF-16, with any line ends, compressed, with many groups, with a rule of
    many stars, at the end of half a megabyte."""
    says = [
        text(b"\xef\xbb\xbf" + FORBIDS),
        text(FORBIDS.decode().encode("utf-16")),
        text(FORBIDS.replace(b"\n", b"\r")),
        text(gzip.compress(FORBIDS), "Content-Encoding: gzip"),
        text(b"User-agent: other\nUser-agent: *\nAllow: /\nDisallow: /capture"),
        text(b"User-agent: *\nDisallow: /c" + b"*" * 5000 + b"e$"),
        text((b"#" * 79 + b"\n") * 6550 + FORBIDS),
    ]
    with hosts_saying(*says) as servers:
        records = fetch_urls(
            way, [server.url(path) for server in servers for path in ("capture", "ok")], robots=True
        )
        assert [record.error for record in records] == ["robots", None] * len(says)


BLOCK = bytes(1 << 20)


@cache
def bomb() -> bytes:
    """A quarter of a gibibyte."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(BLOCK) for _ in range(256)) + packer.flush()


@over_each_transport
def test_58_no_robots_txt_takes_more_memory_or_time_than_its_half_megabyte(way: Way) -> None:
    """A bomb of 256 MiB, an endless file of a hundred megabytes, thousands of agents with thousands of rules:
    512 KiB are read, in less than 80 MB of memory, and no other host waits."""

    def endless(peer: Peer, _: Received) -> None:
        peer.send("HTTP/1.1 200 OK\r\n\r\n" + FORBIDS.decode())
        for _ in range(100):
            peer.send(b"#" * 1_000_000 + b"\n")

    agents = b"".join(b"user-agent:%x\n" % number for number in range(15_000))
    says = [
        text(bomb(), "Content-Encoding: gzip"),
        endless,
        text(agents + b"user-agent:*\ndisallow:/capture\n" + b"allow:/a\n" * 25_000),
        text(b"user-agent:*\ndisallow:/capture\n" + b"disallow:/*a*a*a*a*b$\n" * 20_000),
    ]
    with hosts_saying(*says) as servers:
        urls = [
            server.url(path) for server in servers for path in ("capture", "ok?aaaaaaaaaaaaaaaaaaaaaaaaa")
        ]
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        records = fetch_urls(way, urls, robots=True, max_time=10)
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert [record.error for record in records] == [None, None, *["robots", None] * 3]
        assert grown < 80 * 1024
