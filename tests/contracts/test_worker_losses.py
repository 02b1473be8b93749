"""Worker processes that die, are stopped, or whose parser does not return: what each costs the others."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import fetchpool
from fetchpool.pools.base import Pool
from fetchpool.pools.process.pool import ProcessPool
from tests.at_once import AtOnce
from tests.contracts import parsers
from tests.contracts.gauged import GaugedServer, ended, opened, serving, submit
from tests.faults.matrix import ASYNC, PROCESS, Way

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only /proc tells")
PARSERS = parsers.__name__
waiting = AtOnce(server=lambda: serving(GaugedServer()))


def workers_of(pool: Pool) -> list[int]:
    assert isinstance(pool, ProcessPool)
    return [worker.process.pid for worker in pool._supervisor.workers]


def await_true(condition: Any) -> None:
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def held_by(pool: ProcessPool) -> list[int]:
    return [len(worker.held) for worker in pool._supervisor.workers]


def test_a_process_that_dies_costs_what_it_held_and_is_replaced(server: GaugedServer) -> None:
    """Of ten requests in flight in two processes half are lost; the others are not even repeated."""
    pool = opened(("process", "curl"), 10)
    assert isinstance(pool, ProcessPool)
    futures = submit(pool, server, *(f"/held?{number}" for number in range(10)))
    server.wait_until_held(10)
    assert held_by(pool) == [5, 5]
    os.kill(workers_of(pool)[0], signal.SIGKILL)
    await_true(lambda: sum(future.done() for future in futures) == 5)
    assert Counter(ended([future for future in futures if future.done()])) == {"lost": 5}
    more = submit(pool, server, *["/held"] * 10)
    server.wait_until_held(15)  # five of a client that is gone
    server.release.set()
    assert Counter(ended(futures)) == {"lost": 5, "fetched": 5}
    assert ended(more) == ["fetched"] * 10
    assert max(Counter(path for path in server.asked if "?" in path).values()) == 1
    assert server.most <= 15
    pool.shutdown()


def test_a_page_that_kills_its_process_is_isolated_while_the_others_go_on(server: GaugedServer) -> None:
    """It is tried with others, again, then alone, then `internal`; every other page has its row."""
    urls = [server.url(f"/{'die' if number in (3, 40) else 'x'}?{number}") for number in range(80)]
    records = list(fetchpool.fetch(urls, executor="process", workers=8, per_host=0, parse=f"{PARSERS}:die"))
    assert {record.url: record.error for record in records} == {
        url: "internal" if "/die" in url else None for url in urls
    }
    assert len(records) == len(urls)
    assert {record.errormsg for record in records if record.error} == {"worker crashed 3 times on this URL"}
    assert sum("/die" in path for path in server.asked) < 12


@LINUX
@waiting
def test_a_stopped_process_holds_up_no_other_and_is_replaced(server: GaugedServer) -> None:
    """A stopped worker is killed within seconds, and its requests fail instead of waiting in its socket."""
    pool = opened(("process", "curl"), 4)
    wait_for = submit(pool, server, *["/x"] * 20)
    assert ended(wait_for) == ["fetched"] * 20
    stopped = workers_of(pool)[0]
    os.kill(stopped, signal.SIGSTOP)
    began = time.monotonic()
    ways = ended(submit(pool, server, *["/x"] * 200))
    assert time.monotonic() - began < 15
    assert ways.count("fetched") >= 150
    await_true(lambda: stopped not in workers_of(pool))
    assert ended(submit(pool, server, *["/x"] * 20)) == ["fetched"] * 20
    pool.shutdown()


@pytest.mark.parametrize("way", [ASYNC, PROCESS], ids=str)
@waiting
def test_other_pages_have_their_rows_while_a_parser_computes(
    server: GaugedServer, way: Way, tmp_path: Path
) -> None:
    """Neither does one wait for it, nor does one time out."""
    others_are_here = tmp_path / "others"
    urls = [server.url(f"/compute?{others_are_here}"), *(server.url(f"/{number}") for number in range(120))]
    settings: dict[str, Any] = {"max_time": 2, "retry": 0, "per_host": 0, "workers": 10, "parse_timeout": 30}
    errors = []
    for record in fetchpool.fetch(urls, executor=way.executor, parse=f"{PARSERS}:compute", **settings):
        errors.append((record.url == urls[0], record.error))
        if len(errors) == 120:
            others_are_here.touch()
    assert errors == [(False, None)] * 120 + [(True, None)]


@waiting
def test_what_a_blocked_process_holds_runs_elsewhere_before_its_parser_is_ended(
    server: GaugedServer,
) -> None:
    """The parser holds the interpreter lock: after two seconds its process gets no more requests."""
    pool = opened(("process", "curl"), 8, parse=(f"{PARSERS}:block",), parse_timeout=5.0)
    stay, *others = submit(pool, server, "/stay", *(f"/{number}" for number in range(100)))
    assert ended(others) == ["fetched"] * 100
    assert not stay.done()
    assert stay.result(15).error == "parse"
    assert stay.result().errormsg == f"{PARSERS}:block did not return within 5 s"
    pool.shutdown()


@waiting
def test_a_parser_that_never_returns_costs_no_other_page_a_second_fetch(server: GaugedServer) -> None:
    """Its process is replaced when the other fetches in it have ended."""
    pool = opened(("process", "curl"), 6, parse=(f"{PARSERS}:never",), parse_timeout=0.5)
    before = set(workers_of(pool))
    paths = [f"/stay?{0}", *(f"/held?{number}" for number in range(5))]
    stay, *others = submit(pool, server, *paths)
    server.wait_until_held(5)
    assert stay.result(15).error == "parse"
    server.release.set()
    assert [future.result(15).error for future in others] == [None] * 5
    assert sorted(server.asked) == sorted(paths)
    assert pool.stuck == 0
    await_true(lambda: not before <= {child.pid for child in multiprocessing.active_children()})
    assert ended(submit(pool, server, *["/x"] * 20)) == ["fetched"] * 20
    pool.shutdown()


def test_the_shares_add_up_while_processes_are_replaced(server: GaugedServer) -> None:
    """Nine at once over two processes, whatever is killed: the server never has more than nine live ones."""
    pool = opened(("process", "curl"), 9)
    stop = threading.Event()

    def kill() -> None:
        while not stop.wait(0.2):
            for pid in workers_of(pool)[:1]:
                os.kill(pid, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    for _ in range(10):
        ended(submit(pool, server, *["/x"] * 100))
    stop.set()
    killer.join()
    server.asked.clear()
    futures = submit(pool, server, *["/held"] * 30)
    server.wait_until_held(9)
    time.sleep(0.2)  # one more would come now
    assert server.held == 9
    server.release.set()
    ended(futures)
    pool.shutdown()
