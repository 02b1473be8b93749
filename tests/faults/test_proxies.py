"""Proxies that refuse, break and restart: their errors are reported, and temporary ones are retried."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.outcome import Outcome
from fetchpool.model.urls import request
from fetchpool.pools.open import open_pool
from fetchpool.scheduler.retry import is_transient
from fetchpool.sources.iterable import IterableSource
from tests.cli import runner
from tests.faults import ports
from tests.faults.matrix import Rows, Way, at_once, engine_for, fetch_urls, in_every_way, over_each_transport
from tests.faults.proxy import Proxy
from tests.faults.server import FaultServer
from tests.measured import measured

TARGET = "https://203.0.113.7/"
"""An address that no client reaches: the proxy refuses."""

waiting = at_once()


def attempt(way: Way, url: str, proxy: str) -> Outcome:
    """One, without the check that asks for a library which this does not need."""
    pool = open_pool(way.executor, 1, FetchOptions(transport=way.transport, proxy=proxy))
    try:
        future = pool.submit(request(0, url))
        future.result(20)
        return future.outcome()
    finally:
        pool.shutdown()


@over_each_transport
@pytest.mark.parametrize("status", [401, 403, 407])
def test_65_a_permanent_proxy_error_is_reported_and_not_retried(way: Way, status: int) -> None:
    """`proxy`, with its response to CONNECT in `errormsg`, in the same words with both transports."""
    with Proxy(refuses=f"{status} No") as proxy:
        [row] = fetch_urls(way, [TARGET], proxy=f"http://127.0.0.1:{proxy.port}", retry=3, retry_delay=0)
    assert (row.error, row.errormsg) == ("proxy", f"the proxy answered {status} to CONNECT")
    assert (row.num_retries, row.response_code, row.exitcode) == (0, None, 97)


@over_each_transport
@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_65_a_temporary_proxy_error_is_retried(way: Way, status: int) -> None:
    """A CONNECT that is answered with 429, 502, 503 or 504."""
    with Proxy(refuses=f"{status} No") as proxy:
        [row] = fetch_urls(way, [TARGET], proxy=f"http://127.0.0.1:{proxy.port}", retry=1, retry_delay=0)
        assert len(proxy.heads) == 2
    assert (row.error, row.errormsg) == ("proxy", f"the proxy answered {status} to CONNECT")
    assert row.num_retries == 1


@over_each_transport
@pytest.mark.parametrize(
    ("how", "words"), [("close", "it closed the connection"), ("reset", "connection reset")]
)
@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_65_a_proxy_that_closes_the_connection_is_retried(
    way: Way, scheme: str, how: str, words: str
) -> None:
    """A connection that ends during CONNECT or the SOCKS handshake."""
    with Proxy(at_first=[how]) as proxy:
        outcome = attempt(way, TARGET, f"{scheme}://127.0.0.1:{proxy.port}")
    assert outcome.record.error == "proxy"
    assert outcome.record.errormsg == f"cannot connect through the proxy: {words}"
    assert is_transient(outcome)


@over_each_transport
@pytest.mark.parametrize(
    ("reply", "words", "passes"),
    [
        ("1", "general failure", True),
        ("2", "not allowed by its rules", False),
        ("4", "host unreachable", True),
        ("5", "connection refused", True),
        ("7", "command not supported", False),
    ],
)
def test_65_a_socks_error_is_reported(way: Way, reply: str, words: str, passes: bool) -> None:
    """`proxy`, in the same words with both transports; temporary errors are retried."""
    with Proxy(at_first=[reply]) as proxy:
        outcome = attempt(way, "http://203.0.113.7/", f"socks5h://127.0.0.1:{proxy.port}")
    assert (outcome.record.error, outcome.record.errormsg) == ("proxy", f"the SOCKS proxy refused: {words}")
    assert is_transient(outcome) is passes


@over_each_transport
@waiting
def test_65_a_socks_proxy_is_given_the_next_address_when_it_cannot_reach_one(
    way: Way, server: FaultServer
) -> None:
    """Also if it does not answer for the first one, which has half of the connect timeout."""
    addresses = ("2001:db8::1", "203.0.113.1", "203.0.113.2", "203.0.113.3", "127.0.0.1")
    unreachable = dict(zip(addresses, (8, 5, 4, None), strict=False))
    port = server.port
    with Proxy(unreachable=unreachable) as proxy:
        pool = open_pool(
            way.executor,
            1,
            FetchOptions(
                transport=way.transport,
                proxy=f"socks5://127.0.0.1:{proxy.port}",
                resolve=((f"page.example:{port}", addresses),),
                connect_timeout=2,
            ),
        )
        try:
            future = pool.submit(request(0, f"http://page.example:{port}/ok"))
            future.result(20)
            record = future.outcome().record
        finally:
            pool.shutdown()
        assert proxy.destinations == [(address, port) for address in addresses]
    assert (record.error, record.response_code, record.num_retries) == (None, 200, 0)


@over_each_transport
def test_65_a_socks_proxy_that_reaches_no_address_is_reported(way: Way) -> None:
    """With the reply for the last one. If its rules forbid one address, no other is tried."""
    for replies, asked in (((5, 4), 2), ((2, 4), 1)):
        unreachable = dict(zip(("203.0.113.1", "203.0.113.2"), replies, strict=True))
        with Proxy(unreachable=unreachable) as proxy:
            [row] = fetch_urls(
                way,
                ["http://page.example/"],
                proxy=f"socks5://127.0.0.1:{proxy.port}",
                resolve=["page.example:80:203.0.113.1,203.0.113.2"],
            )
            assert len(proxy.destinations) == asked
        words = "host unreachable" if asked == 2 else "not allowed by its rules"
        assert (row.error, row.errormsg) == ("proxy", f"the SOCKS proxy refused: {words}")


@over_each_transport
def test_65_an_unreachable_proxy_is_reported_in_the_same_words(way: Way) -> None:
    """`proxy`, and retried."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    [row] = fetch_urls(way, [TARGET], proxy=f"http://127.0.0.1:{port}", retry=1, retry_delay=0)
    assert (row.error, row.errormsg) == ("proxy", "cannot connect through the proxy: connection refused")
    assert row.num_retries == 1


@in_every_way
@waiting
def test_65_a_restarting_proxy_costs_no_url(way: Way) -> None:
    """The run waits, and tries one request at a time until the proxy works again, instead of turning the list
    into failed rows."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    back = threading.Event()
    rows = Rows()
    urls = [f"http://127.0.0.{number % 100 + 1}/{number}" for number in range(500)]
    engine = engine_for(
        way, IterableSource(urls), rows, proxy=f"http://127.0.0.1:{port}", workers=4, retry=2, retry_delay=0.1
    )

    def restart() -> None:
        back.wait(2.5)
        with Proxy(port=port):
            back.wait(30)

    starting = threading.Thread(target=restart)
    starting.start()
    try:
        engine.run()
    finally:
        back.set()
        starting.join(10)
    assert Counter(record.error for record in rows.records) == {None: 500}


IMPATIENT = """
import sys

from fetchpool.__main__ import main
from fetchpool.scheduler import proxy_breaker

proxy_breaker.INITIAL_PAUSE, proxy_breaker.DOWN_AFTER = 0.2, 1.5  # seconds; else 1 and 300
sys.exit(main())
"""


@over_each_transport
@waiting
@measured
def test_65_a_proxy_that_stays_down_ends_the_run(way: Way, tmp_path: Path) -> None:
    """The run pauses, then abandons the proxy, and every URL has a row that says so; the exit code is that of
    failed URLs."""
    urls = [f"http://127.0.0.{number % 50 + 1}/{number}" for number in range(300)]
    with ports.refused() as port:
        arguments = ["-", "-o", "rows.jsonl", "--overwrite", "-x", f"http://127.0.0.1:{port}", "-w", "8"]
        done = runner.run(
            [
                sys.executable,
                "-c",
                IMPATIENT,
                *arguments,
                "--retry",
                "1",
                "--retry-delay",
                "100ms",
                "--executor",
                way.executor,
                "--transport",
                way.transport,
            ],
            input="\n".join(urls),
            cwd=tmp_path,
            env=runner.environment(),
            capture_output=True,
            text=True,
            timeout=runner.PATIENCE,
            check=False,
        )
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert {row["urlnum"] for row in rows} == set(range(300))
    assert len(rows) == 300
    assert {row["error"] for row in rows} == {"proxy"}
    assert Counter(row["errormsg"] for row in rows)["skipped: proxy is not responding"] > 250
    assert done.returncode == 1
    assert "the proxy is not available; waiting for it" in done.stderr
    assert "failing queued URLs" in done.stderr
    assert "bottleneck: the proxy, which did not respond" in done.stderr


@over_each_transport
def test_65_hosts_that_the_proxy_cannot_reach_do_not_pause_others(way: Way) -> None:
    """502 and 504 are about the host, not the proxy."""
    urls = [f"https://203.0.113.{number}/" for number in range(1, 31)]
    with Proxy(refuses="502 Bad Gateway") as proxy:
        began = time.monotonic()
        rows = fetch_urls(way, urls, proxy=f"http://127.0.0.1:{proxy.port}", workers=2)
    assert [row.error for row in rows] == ["proxy"] * 30
    assert time.monotonic() - began < 5
