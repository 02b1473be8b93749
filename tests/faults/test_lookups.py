"""Name servers that are unavailable, slow or verbose: No URL fails because of another host's name."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from fetchpool.sources.iterable import IterableSource
from fetchpool.transports.resolver import Resolver
from tests.faults.matrix import Rows, Way, at_once, engine_for, in_every_way
from tests.faults.server import FaultServer

waiting = at_once()
HERE = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]


class AwayAtFirst:
    """A `getaddrinfo` that can't say for the first so many questions of each name."""

    def __init__(self, times: int) -> None:
        self.times = times
        self.asked: Counter[bytes] = Counter()

    def __call__(self, host: bytes, *_: object, **__: object) -> list[tuple[Any, ...]]:
        self.asked[host] += 1
        if self.asked[host] <= self.times:
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return HERE


@in_every_way
@waiting
def test_63_a_name_server_that_is_briefly_unavailable_costs_no_url(server: FaultServer, way: Way) -> None:
    """If it says "try again" (EAI_AGAIN), it is asked again after half a second and another second, while the
    URLs of its hosts wait. This does not count as an attempt, and works without retries."""
    name_server, rows = AwayAtFirst(2), Rows()
    urls = [server.url(f"ok?{number}", host=f"h{number % 3}.test") for number in range(30)]
    engine_for(way, IterableSource(urls), rows, Resolver(lookup=name_server), workers=4).run()
    assert [(record.error, record.num_retries) for record in rows.records] == [(None, 0)] * 30
    assert set(name_server.asked.values()) == {3}


@in_every_way
def test_63_each_retry_asks_the_name_server_again(server: FaultServer, way: Way) -> None:
    """A temporary failure of a lookup is not cached. In this test no lookup has time for a second query."""
    name_server, rows = AwayAtFirst(2), Rows()
    engine_for(
        way,
        IterableSource([server.url("ok", host="h.test")]),
        rows,
        Resolver(lookup=name_server),
        connect_timeout=0.4,
        retry=2,
        retry_delay=0.05,
    ).run()
    [record] = rows.records
    assert (record.error, record.num_retries) == (None, 2)


@in_every_way
@waiting
def test_63_unresolvable_names_do_not_starve_others(server: FaultServer, way: Way) -> None:
    """If more lookups hang than may run at once, for longer than their timeout, other names are looked up
    later, with their full timeout."""

    def name_server(host: bytes, *_: object, **__: object) -> list[tuple[Any, ...]]:
        if host.startswith(b"dead"):
            threading.Event().wait(0.8)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return HERE

    urls = [f"http://dead{number}.test/" for number in range(12)]
    urls += [server.url(f"ok?{number}", host=f"live{number}.test") for number in range(12)]
    rows = Rows()
    resolver = Resolver(threads=4, lookup=name_server, most_threads=16)
    engine_for(way, IterableSource(urls), rows, resolver, workers=4, connect_timeout=0.3).run()
    found = {record.urlnum: record.error for record in rows.records}
    assert [found[number] for number in range(24)] == ["timeout_dns"] * 12 + [None] * 12


PROGRAM = """
    import sys, time
    import fetchpool

    if __name__ == "__main__":
        executor, transport, *urls = sys.argv[1:]
        began = time.monotonic()
        options = {"connect_timeout": 0.5, "max_time": 2}
        with fetchpool.Pool(2, executor=executor, transport=transport, **options) as pool:
            for outcome in [future.result() for future in [pool.submit(url) for url in urls]]:
                print(outcome.error, outcome.num_redirects, outcome.time_total < 1.5)
        print(time.monotonic() - began < 3)
"""
SITE = """
    import socket, time

    real = socket.getaddrinfo

    def getaddrinfo(host, *more, **options):
        if host == b"dead.test":
            time.sleep(20)
        return real(host, *more, **options)

    socket.getaddrinfo = getaddrinfo
"""


@pytest.mark.parametrize("way", ["thread curl", "thread requests", "async curl", "process curl"])
def test_63_a_pool_does_not_wait_for_a_lookup_beyond_its_timeout(
    server: FaultServer, way: str, tmp_path: Path
) -> None:
    """A program's `Pool`, and a redirect in it: `timeout_dns` in time. Neither `shutdown()` nor the end of
    the process waits for a lookup that still hangs."""
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM))
    (tmp_path / "sitecustomize.py").write_text(textwrap.dedent(SITE))
    began = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "program.py",
            *way.split(),
            "http://dead.test/",
            server.url("redirect-to?http://dead.test/"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.splitlines() == ["timeout_dns 0 True", "timeout_dns 1 True", "True"], done.stderr
    assert time.monotonic() - began < 10


@in_every_way
def test_63_only_some_of_thousands_of_addresses_are_kept(server: FaultServer, way: Way) -> None:
    """The first ones, of both families; the very first is used."""

    def name_server(*_: object, **__: object) -> list[tuple[Any, ...]]:
        others = [f"192.0.2.{number % 250}" for number in range(200)]
        others += [f"198.18.{number // 250}.{number % 250}" for number in range(5000)]
        return HERE + [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in others]

    rows = Rows()
    urls = [server.url(f"ok?{number}", host="many.test") for number in range(20)]
    began = time.monotonic()
    engine_for(way, IterableSource(urls), rows, Resolver(lookup=name_server), workers=2).run()
    assert [(record.error, record.remote_ip) for record in rows.records] == [(None, "127.0.0.1")] * 20
    assert time.monotonic() - began < 5
