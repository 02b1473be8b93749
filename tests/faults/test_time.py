"""Time: every URL ends within its timeout, whatever the server, the network or the name server does."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fetchpool.model.record import Record
from fetchpool.sources.iterable import IterableSource
from fetchpool.transports.resolver import Resolver
from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import (
    CURL,
    LATE,
    Rows,
    Way,
    at_once,
    engine_for,
    errors,
    fetch_faults,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.server import FaultServer

MAX_TIME = 1.0
READ_TIMEOUT = 0.75
"""Shorter than the deadline: a byte each 300 ms keeps it from ever being reached."""

waiting = at_once()
starting = at_once()
"""Tests that measure the start, too. A process starts one run at a time, and with worker processes slowly."""


def assert_all_end_at_max_time(server: FaultServer, way: Way, faults: Sequence[str]) -> dict[str, Record]:
    records = fetch_faults(server, way, faults, max_time=MAX_TIME, read_timeout=READ_TIMEOUT)
    assert errors(records) == dict.fromkeys(faults, "timeout_total")
    for record in records.values():
        assert record.time_total is not None
        assert MAX_TIME - 0.1 < record.time_total < MAX_TIME + LATE
        assert record.exitcode == 28
    return records


@in_every_way
@waiting
def test_01_one_body_byte_every_300_ms_ends_at_max_time(server: FaultServer, way: Way) -> None:
    """`timeout_total` at `--max-time`, whether the body has a length or is chunked; the row has the status
    and the bytes received so far. A read timeout alone never fires here."""
    records = assert_all_end_at_max_time(server, way, ["byte-every-300-ms", "trickle", "trickle-chunked"])
    for record in records.values():
        assert record.response_code == 200
        assert record.size_download in range(1, 30)


@over_each_transport
@starting
def test_01_also_on_a_reused_connection(server: FaultServer, way: Way) -> None:
    """The same `timeout_total` on a connection that was opened for an earlier URL."""
    page, trickle = fetch_urls(way, [server.url("ok"), server.url("trickle")], workers=1, max_time=MAX_TIME)
    assert (page.error, trickle.error) == (None, "timeout_total")
    assert server.connections == 1
    assert (trickle.time_namelookup, trickle.time_connect, trickle.remote_ip) == (0, 0, "127.0.0.1")


@over_each_transport
@starting
def test_01_the_timeout_covers_all_redirects(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """A redirect does not restart the timeout, whether within a host or to another one."""
    targets = [server.url("trickle"), other_server.url("trickle")]
    urls = [server.url(f"slow-redirect?{quote(target, safe='')}") for target in targets]
    started = time.monotonic()
    records = fetch_urls(way, urls, max_time=MAX_TIME)
    assert [(record.error, record.num_redirects) for record in records] == [("timeout_total", 1)] * 2
    assert {record.errormsg for record in records} == {"total timeout: not complete after 1 s"}
    assert MAX_TIME - 0.1 < time.monotonic() - started < MAX_TIME + LATE


@in_every_way
@waiting
def test_02_an_endless_slow_header_ends_at_max_time(server: FaultServer, way: Way) -> None:
    """`timeout_total`: a status line, a header line or a header block that never ends."""
    records = assert_all_end_at_max_time(server, way, ["slow-status", "slow-header", "slow-headers"])
    assert all(record.response_code is None for record in records.values())


@in_every_way
@waiting
def test_03_endless_100_continue_ends_at_max_time(server: FaultServer, way: Way) -> None:
    """`timeout_total`: interim responses don't count as a response. A flood of them is `protocol` after 300
    KiB, and uses little CPU until then."""
    assert_all_end_at_max_time(server, way, ["endless-continue", "endless-early-hints"])
    flood = fetch_faults(server, way, ["flood-of-continue"])["flood-of-continue"]
    assert (flood.error, flood.response_code) == ("protocol", None)


@in_every_way
@waiting
def test_04_endless_trailers_end_at_max_time(server: FaultServer, way: Way) -> None:
    """`timeout_total`: the body is complete, but the trailers never end. libcurl and requests hang here. A
    flood of trailers is `protocol`."""
    records = assert_all_end_at_max_time(server, way, ["endless-trailers", "slow-trailer"])
    assert [record.size_download for record in records.values()] == [2, 2]
    flood = fetch_faults(server, way, ["flood-of-trailers"])["flood-of-trailers"]
    assert (flood.error, flood.response_code) == ("protocol", 200)


@in_every_way
@waiting
def test_05_silence_is_a_read_timeout_and_a_missing_accept_a_connect_timeout(
    server: FaultServer, way: Way
) -> None:
    """A server that sends headers, part of a body or nothing, and then stays silent: `timeout_read` after
    `--read-timeout`. A listener that never accepts: `timeout_connect` after `--connect-timeout`."""
    bodies = ["silence-in-body", "silence-without-length", "silence-in-chunks"]
    silent = ["silence", *bodies, "silence-in-headers", "silence-at-once"]
    records = fetch_faults(server, way, silent, read_timeout=READ_TIMEOUT)
    assert errors(records) == dict.fromkeys(silent, "timeout_read")
    message = f"read timeout: no data for {READ_TIMEOUT:g} s"
    assert {record.errormsg for record in records.values()} == {message}
    assert [record.response_code for record in records.values()] == [200, 200, 200, 200, None, None]
    assert [record.size_download for record in records.values()] == [0, 4, 4, 4, None, None]
    with ports.never_accepting() as port:
        urls = [f"http://127.0.0.1:{port}/{number}" for number in range(3)]
        deaf = fetch_urls(way, urls, connect_timeout=READ_TIMEOUT)
    assert [record.error for record in deaf] == ["timeout_connect"] * 3
    for record in [*records.values(), *deaf]:
        assert record.time_total is not None
        assert record.time_total < READ_TIMEOUT + LATE


class NameServer:
    """What `getaddrinfo` says; `dead.…` are asked of a server that never answers."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.closed = threading.Event()

    def __call__(self, host: bytes, *_: object, **__: object) -> list[tuple[Any, ...]]:
        name = host.decode()
        self.asked.append(name)
        if name.startswith("dead"):
            self.closed.wait(30)
            raise socket.gaierror(socket.EAI_AGAIN, "temporary failure")
        if name.startswith("none"):
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


@over_each_transport
@starting
def test_06_a_dead_name_server_delays_only_its_own_urls(server: FaultServer, way: Way) -> None:
    """A name server that doesn't answer: `timeout_dns` after `--connect-timeout`. A name that doesn't exist:
    `dns`. Names are looked up before a request occupies a worker, so twenty unresolvable names don't delay a
    valid one, and twenty URLs of one host cause a single lookup."""
    name_server = NameServer()
    timeout = 0.8
    urls = [f"http://dead{number}.test/" for number in range(20)]
    urls += [f"http://none{number}.test/" for number in range(3)]
    urls += [server.url(f"ok?{number}", host="live.test") for number in range(20)]
    rows = Rows()
    started = time.monotonic()
    engine = engine_for(
        way, IterableSource(urls), rows, Resolver(lookup=name_server), workers=2, connect_timeout=timeout
    )
    try:
        engine.run()
    finally:
        name_server.closed.set()
    found = {record.urlnum: record for record in rows.records}
    assert len(found) == len(rows.records) == len(urls)
    assert [found[number].error for number in range(43)] == ["timeout_dns"] * 20 + ["dns"] * 3 + [None] * 20
    assert max(rows.times.values()) - started < timeout + LATE + 2.0
    live, dead = range(23, 43), range(20)
    assert max(rows.times[number] for number in live) < min(rows.times[number] for number in dead)
    assert name_server.asked.count("live.test") == 1
    assert sum(found[number].time_namelookup > 0 for number in live) >= 1


@over_each_transport
@starting
def test_06_a_slow_lookup_counts_towards_the_connect_timeout(way: Way) -> None:
    """`--connect-timeout` covers DNS lookup and connect together."""

    def slowly(*_: object, **__: object) -> list[tuple[Any, ...]]:
        threading.Event().wait(0.6)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    rows = Rows()
    with ports.never_accepting() as port:
        url = f"http://slow.test:{port}/"
        engine_for(way, IterableSource([url]), rows, Resolver(lookup=slowly), connect_timeout=1.0).run()
    [record] = rows.records
    assert (record.error, record.errormsg) == ("timeout_connect", "connect timeout: no connection after 1 s")
    assert 0.9 < record.time_total < 1.5


@starting
def test_07_max_runtime_ends_the_run_and_unfetched_urls_have_no_row(
    server: FaultServer, tmp_path: Path
) -> None:
    """After `--max-runtime` no new request starts, requests in flight complete or time out, and the exit code
    is 4. A URL that was not requested has no row."""
    urls = [server.url(f"bytes-in-pieces?{number}") for number in range(50)]
    (tmp_path / "urls.txt").write_text("\n".join(urls))
    done = runner.fetchpool("urls.txt", "-w", "2", "--max-runtime", "700ms", "-o", "-", cwd=tmp_path)
    assert done.returncode == 4, done.stderr
    rows = done.stdout.splitlines()
    assert 2 <= len(rows) <= 12
    assert set(rows) <= {f"url:<{url}> size:[5]" for url in urls}


@starting
def test_07_the_slowest_urls_are_shown(server: FaultServer) -> None:
    """Every snapshot has the requests that have been in flight longest, with their URL and duration; the
    display shows them when nothing else completes."""
    url = server.url("silence")
    source = IterableSource([server.url("ok"), url])
    engine = engine_for(CURL, source, Rows(), workers=2, max_time=MAX_TIME)
    slowest = []
    while not engine.done:
        engine.step()
        slowest += engine.result().snapshot.slowest
    engine.close()
    assert {request.url for request in slowest if request.seconds > 0.2} == {url}
