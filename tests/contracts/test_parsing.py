"""User-defined parsers, in every pool."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import AbstractContextManager
from time import monotonic

import pytest

from fetchpool.pools.base import Pool
from tests.at_once import AtOnce
from tests.contracts import parsers
from tests.contracts.gauged import IN_PROCESS, WAYS, GaugedServer, ended, opened, serving, submit

QUICK = 10.0
"""Seconds that an ending may take on a busy machine."""


@pytest.fixture(autouse=True)
def _released() -> Iterator[None]:
    parsers.RELEASE.clear()
    yield
    parsers.RELEASE.set()


def running() -> AbstractContextManager[GaugedServer]:
    return serving(GaugedServer())


abandoning, waiting = AtOnce(server=running), AtOnce(server=running)


def parsing(way: tuple[str, ...], parser: str, workers: int, **options: object) -> Pool:
    return opened(way, workers, parse=(f"{parsers.__name__}:{parser}",), **options)


@abandoning
def test_a_parser_that_does_not_return_is_abandoned_and_all_others_continue(way, server):
    pool = parsing(way, "stays", 2, parse_timeout=0.5)
    futures = submit(pool, server, "/stay", *(f"/{number}" for number in range(10)), "/stay/too", "/last")
    outcomes = [future.result(30) for future in futures]
    pool.shutdown()
    late = [outcomes[0], outcomes[11]]
    assert {outcome.error for outcome in late} == {"parse"}
    assert {outcome.errormsg for outcome in late} == {f"{parsers.__name__}:stays did not return within 0.5 s"}
    assert [outcome.error for outcome in outcomes if outcome not in late] == [None] * 11
    assert [outcome.url_effective for outcome in outcomes] == [
        server.url(path) for path in ("/stay", *(f"/{number}" for number in range(10)), "/stay/too", "/last")
    ]
    if way[0] == "process":
        assert pool.stuck == 0
    else:
        assert pool.stuck == 2
        assert {outcome.response_code for outcome in late} == {200}
        assert {outcome.size_delivered for outcome in late} == {10}


@abandoning
def test_every_worker_may_be_held_by_one_that_does_not_return(way, server):
    pool = parsing(way, "stays", 2, parse_timeout=0.5)
    futures = submit(pool, server, *(f"/stay/{number}" for number in range(6)), "/last")
    assert [future.result(30).error for future in futures] == ["parse"] * 6 + [None]
    pool.shutdown()


@pytest.mark.parametrize("limit", [30.0, None])
def test_an_abort_does_not_wait_for_a_parser(way, server, limit):
    pool = parsing(way, "stays", 2, parse_timeout=limit)
    futures = submit(pool, server, "/stay", "/stay", "/stay")
    while len(server.asked) < 2:
        threading.Event().wait(0.01)
    started = monotonic()
    pool.shutdown(abort=True)
    assert monotonic() - started < QUICK
    for future in futures:
        assert future.done()
        if not future.cancelled() and future.exception() is None:
            assert future.result().error == "aborted"


@waiting
def test_a_slow_parser_delays_no_other_page(way, server):
    pool = parsing(way, "stays", 3, parse_timeout=60.0)
    slow, *others = submit(pool, server, "/stay", *(f"/{number}" for number in range(20)))
    assert [future.result(15).error for future in others] == [None] * 20
    assert not slow.done()
    pool.shutdown(abort=True)


def test_a_running_parser_does_not_block_the_exit(way, server):
    pool = parsing(way, "stays", 2)
    (future,) = submit(pool, server, "/x")
    extra = future.result(15).extra
    pool.shutdown()
    assert extra["daemon"] or extra["thread"] == "MainThread"  # a process's, which is killed


def test_the_built_in_parser_runs_where_the_fetch_does(way, server):
    pool = opened(way, 2, parse=("title",))
    futures = submit(pool, server, "/x", "/y")
    assert [future.result(15).extra for future in futures] == [{"title": None}] * 2
    assert "fetchpool-parser" not in {thread.name for thread in threading.enumerate()}
    pool.shutdown()


def test_a_pool_that_is_shut_down_leaves_no_parsers_thread(way, server):
    pool = parsing(way, "stays", 3)
    wait(submit(pool, server, *(f"/{number}" for number in range(20))))
    pool.shutdown()
    for thread in threading.enumerate():
        if thread.name == "fetchpool-parser":
            thread.join(5)
            assert not thread.is_alive()


@waiting
def test_a_parsers_own_thread_does_not_keep_a_pool_from_its_end(way, server):
    pool = parsing(way, "starts_a_thread", 2)
    futures = submit(pool, server, *(f"/{number}" for number in range(6)))
    started = monotonic()
    assert ended(futures) == ["fetched"] * 6
    pool.shutdown()
    assert monotonic() - started < QUICK


PROCESSES = [way for way in WAYS if way[0] == "process"]
in_processes = pytest.mark.parametrize("way", PROCESSES, ids="-".join)


@in_processes
@waiting
def test_a_parser_that_holds_the_interpreter_is_killed_and_the_other_requests_of_its_process_run_again(
    way, server
):
    pool = parsing(way, "computes", 2, parse_timeout=0.5)
    paths = [f"/{number}" for number in range(30)]
    paths[5] = paths[20] = "/stay"
    outcomes = [future.result(30) for future in submit(pool, server, *paths)]
    assert [outcome.error for outcome in outcomes] == ["parse" if path == "/stay" else None for path in paths]
    pool.shutdown()


@in_processes
@pytest.mark.parametrize("abort", [True, False])
@waiting
def test_no_ending_waits_for_a_parser_that_holds_the_interpreter(way, server, abort):
    pool = parsing(way, "block", 2, parse_timeout=None if abort else 0.5)
    futures = submit(pool, server, "/stay", "/stay")
    while len(server.asked) < 2:
        threading.Event().wait(0.01)
    started = monotonic()
    pool.shutdown(abort=abort)
    assert monotonic() - started < QUICK
    assert ended(futures) == (["lost"] * 2 if abort else ["fetched"] * 2)


@in_processes
def test_no_exit_waits_for_processes_that_a_parser_has_forked(way, server):
    pool = parsing(way, "forks", 2)
    futures = submit(pool, server, "/a", "/b")
    children = {future.result(15).extra["child"] for future in futures}
    started = monotonic()
    pool.shutdown()
    assert monotonic() - started < QUICK
    for child in children:
        os.kill(child, signal.SIGKILL)  # it lives on: it is the parser's


@in_processes
def test_programs_that_a_parser_starts_receive_signals_as_usual(way, server):
    pool = parsing(way, "starts_what_ends", 1)
    (future,) = submit(pool, server, "/x")
    assert future.result(15).extra == {"ended_by": -signal.SIGTERM}
    pool.shutdown()


@pytest.mark.parametrize("way", IN_PROCESS, ids="-".join)
@waiting
def test_parsers_that_wait_have_threads_enough(way, server):
    """Twenty pages whose parsers wait for something, which comes once all of them do."""
    barrier = parsers.BARRIERS[server.server_port] = threading.Barrier(20)
    pool = parsing(way, "meets", 20, parse_timeout=15.0)
    futures = submit(pool, server, *(f"/{number}" for number in range(20)))
    assert [future.result(30).error for future in futures] == [None] * 20
    assert not barrier.broken
    pool.shutdown()


@abandoning
def test_a_page_whose_parser_was_abandoned_is_requested_once(way, server: GaugedServer):
    pool = parsing(way, "stays", 1, parse_timeout=0.3)
    (future,) = submit(pool, server, "/stay")
    assert future.result(15).error == "parse"
    assert server.asked == ["/stay"]
    pool.shutdown()
