"""Every pool through the same cases: what the engine relies on."""

from __future__ import annotations

import asyncio
import gc
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial
from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

import fetchpool
from fetchpool.config.choices import EXECUTORS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.model import urls
from fetchpool.model.errors import PoolClosedError, UsageError, WorkerLostError
from fetchpool.pools.async_.pollers import MANY, GrowingPoller, PerformPoller, SocketPoller
from fetchpool.pools.async_.pool import AsyncPool
from fetchpool.pools.base import InlinePool, Pool
from fetchpool.pools.open import open_pool
from fetchpool.runtime import threads
from tests.at_once import AtOnce
from tests.contracts.gauged import (
    IN_PROCESS,
    WAYS,
    WITH_ADDRESSES,
    GaugedServer,
    ended,
    opened,
    serving,
    submit,
)

waiting = AtOnce(server=lambda: serving(GaugedServer()))


@waiting
def test_every_request_gets_its_own_outcome(way, server):
    pool = opened(way, 3)
    futures = submit(pool, server, *(f"/{number}" for number in range(60)))
    for number, future in enumerate(futures):
        outcome = future.result(15)
        assert outcome.error is None
        assert outcome.url_effective == server.url(f"/{number}")
        assert (outcome.response_code, outcome.size_delivered) == (200, 10)
    pool.shutdown()


@waiting
def test_no_more_than_the_workers_fetch_at_once_and_all_of_them_do(way, server):
    pool = opened(way, 3)
    futures = submit(pool, server, *["/held"] * 9)
    server.wait_until_held(3)
    server.release.set()
    assert [future.result(15).error for future in futures] == [None] * 9
    assert server.most == 3
    pool.shutdown()


@waiting
def test_a_slow_url_delays_no_other(way, server):
    pool = opened(way, 2)
    wait(submit(pool, server, *["/quick"] * 40))  # the pool has learned that fetches here are short
    slow, *others = submit(pool, server, "/held", *["/quick"] * 60)
    for future in others:
        assert future.result(15).error is None
    assert not slow.done()
    server.release.set()
    assert slow.result(15).error is None
    pool.shutdown()


@waiting
def test_shutdown_waits_for_what_was_submitted(way, server):
    pool = opened(way, 2)
    futures = submit(pool, server, *["/held"] * 4)
    server.wait_until_held(2)
    threading.Timer(0.2, server.release.set).start()
    pool.shutdown()
    assert [future.result(0).error for future in futures] == [None] * 4


@waiting
def test_abort_ends_what_is_in_flight_at_once(way, server):
    pool = opened(way, 2)
    futures = submit(pool, server, *["/held"] * 6)
    server.wait_until_held(2)
    started = monotonic()
    pool.shutdown(abort=True)
    assert monotonic() - started < 5
    for future in futures:
        assert future.done()
        if not future.cancelled() and future.exception() is None:
            assert future.result().error == "aborted"


def test_what_no_worker_has_begun_can_be_recalled_by_its_host(way, server):
    pool = opened(way, 1)
    (begun,) = submit(pool, server, "/held")
    server.wait_until_held(1)
    theirs = [pool.submit(urls.request(number, "http://localhost:1/")) for number in range(40)]
    ours = submit(pool, server, *["/quick"] * 3)
    pool.cancel_pending("localhost")
    server.release.set()
    assert [future.result(15).error for future in [begun, *ours]] == [None] * 4
    wait(theirs)
    if way[0] == "async":  # it had begun all that it was given
        assert not any(future.cancelled() for future in theirs)
    else:
        assert sum(future.cancelled() for future in theirs) >= 30  # a batch may have been under way
    pool.shutdown()


def inline_pool(max_workers: int) -> InlinePool:
    """A pool whose loop runs in this thread."""
    pool = opened(("async", "curl"), max_workers)
    assert isinstance(pool, InlinePool)
    pool.run_once(0)
    return pool


def test_an_inline_pool_completes_its_futures_in_the_callers_thread(server):
    pool = inline_pool(2)
    futures = submit(pool, server, *["/x"] * 5)
    ended_in: set[str] = set()
    for future in futures:
        future.add_done_callback(lambda _: ended_in.add(threading.current_thread().name))
    while not all(future.done() for future in futures):
        pool.run_once(5)
    assert ended_in == {threading.current_thread().name}
    assert {future.result(0).error for future in futures} == {None}
    pool.shutdown()


def test_a_wait_of_an_inline_pool_can_be_ended_from_another_thread(server):
    pool = inline_pool(1)
    (held,) = submit(pool, server, "/held")
    pool.run_once(0)
    timer = threading.Timer(0.1, pool.wake)
    timer.start()
    started = monotonic()
    while timer.is_alive():
        pool.run_once(30)
    assert monotonic() - started < 10
    pool.shutdown(abort=True)
    assert held.result(0).error == "aborted"


@pytest.mark.parametrize(
    ("max_workers", "options", "poller"),
    [
        (MANY, {}, PerformPoller),
        (MANY, {"proxy": "http://proxy:3128"}, PerformPoller),
        (MANY, {"dns_servers": "192.0.2.1"}, SocketPoller),
        (MANY + 1, {}, GrowingPoller),
    ],
)
def test_the_poller_depends_on_the_workers_and_on_who_resolves_names(max_workers, options, poller):
    pool = AsyncPool(max_workers, FetchOptions(**options))
    assert isinstance(pool._poller, poller)
    pool.shutdown()


def test_a_pool_of_many_workers_fetches_over_new_and_kept_connections(server):
    pool = opened(("async", "curl"), MANY + 40, **WITH_ADDRESSES)
    few = submit(pool, server, *["/x"] * 2)
    assert [future.result(15).error for future in few] == [None] * 2
    assert not pool._poller.has_grown
    for _ in range(2):
        held = submit(pool, server, *["/held"] * (MANY + 40))
        server.wait_until_held(MANY + 40)
        server.release.set()
        assert [future.result(15).error for future in held] == [None] * (MANY + 40)
        server.release.clear()
        assert pool._poller.has_grown
    after = submit(pool, server, *["/x"] * 100)
    assert [future.result(15).error for future in after] == [None] * 100
    pool.shutdown()


def test_an_inline_pool_that_was_shut_down_does_nothing(server):
    pool = inline_pool(1)
    (future,) = submit(pool, server, "/held")
    pool.run_once(0.0)
    pool.shutdown(abort=True)
    pool.run_once(5)
    assert future.result(0).error == "aborted"


def test_a_pool_that_was_released_ends_what_it_has_and_then_itself(way, server):
    before = set(threading.enumerate())
    pool = opened(way, 2)
    futures = submit(pool, server, *["/held"] * 5)
    server.wait_until_held(2)
    mine = [thread for thread in threading.enumerate() if thread not in before and is_a_pools(thread)]
    assert mine
    pool.release()
    server.release.set()
    assert [future.result(15).error for future in futures] == [None] * 5
    for thread in mine:
        thread.join(15)
        assert not thread.is_alive()
    with pytest.raises(PoolClosedError):
        pool.submit(urls.request(0, server.url("/")))
    pool.shutdown()


def test_a_pool_with_nothing_to_do_ends_when_it_is_released(way):
    before = set(threading.enumerate())
    pool = opened(way, 2)
    pool.release()
    for thread in threading.enumerate():
        if thread not in before and is_a_pools(thread):
            thread.join(15)
            assert not thread.is_alive()


def is_a_pools(thread):
    shared = {"fetchpool-watchdog", "fetchpool-resolver"}
    return thread.name.startswith("fetchpool") and thread.name not in shared


def test_a_thread_that_an_abort_frees_takes_no_other_request(server, monkeypatch):
    """It may be back at the queue before the requests in it are cancelled."""
    pool = opened(("thread", "curl"), 1)
    held, waiting = submit(pool, server, "/held", "/x")
    server.wait_until_held(1)
    cancel_pending = pool.cancel_pending

    def late() -> None:
        wait([held, waiting], 15)
        cancel_pending()

    monkeypatch.setattr(pool, "cancel_pending", late)
    pool.shutdown(abort=True)
    assert held.result(0).error == "aborted"
    assert waiting.cancelled()
    assert len(server.asked) == 1


@pytest.mark.parametrize("abort", [False, True])
def test_a_callback_can_shut_its_pool_down(way, server, caplog, abort):
    before = {thread for thread in threading.enumerate() if is_a_pools(thread)}
    pool = opened(way, 2)
    futures = submit(pool, server, *["/held"] * 5)
    server.wait_until_held(2)
    returned = threading.Event()

    def last(_):
        pool.shutdown(abort=abort)
        returned.set()

    futures[0].add_done_callback(last)
    server.release.set()
    assert returned.wait(15)
    outcomes = ended(futures)
    assert outcomes == ["fetched"] * 5 or abort
    pool.shutdown()  # from here it can be waited for
    for thread in threading.enumerate():
        if is_a_pools(thread) and thread not in before:
            thread.join(5)
            assert not thread.is_alive()
    assert caplog.text == ""


def test_the_stack_size_a_program_has_set_is_its_own_again(server):
    def use():
        pool = opened(("thread", "curl"), 8)
        wait(submit(pool, server, *["/x"] * 40))
        pool.shutdown()

    before = threading.stack_size(64 * 1024 * 1024)
    try:
        for _ in range(10):
            users = [threading.Thread(target=use) for _ in range(2)]
            for user in users:
                user.start()
            for user in users:
                user.join()
    finally:
        after = threading.stack_size(before)
    assert after == 64 * 1024 * 1024


def test_a_pool_can_be_shut_down_by_several_at_once(way, server):
    begun = threading.Barrier(4)

    def shut(pool):
        begun.wait()
        pool.shutdown()

    for _ in range(10 if way in IN_PROCESS else 1):
        pool = opened(way, 8)
        futures = submit(pool, server, *["/x"] * 16)
        with ThreadPoolExecutor(4) as others:
            assert list(others.map(shut, [pool] * 4)) == [None] * 4
        assert [future.result(0).error for future in futures] == [None] * 16


def test_a_callback_that_raises_a_base_exception_affects_no_other_future(way, server, caplog):
    pool = opened(way, 2)
    futures = submit(pool, server, "/held", "/held")
    server.wait_until_held(2)
    futures += submit(pool, server, *["/x"] * 40)
    for future, kind in zip(futures, [SystemExit, KeyboardInterrupt, asyncio.CancelledError], strict=False):
        future.add_done_callback(partial(raising, kind))
    server.release.set()
    assert ended(futures) == ["fetched"] * 42
    assert ended(submit(pool, server, "/x")) == ["fetched"]
    pool.shutdown()
    assert caplog.text.count("exception calling callback") == 3


def raising(kind, _):
    raise kind


def test_a_pool_with_a_thread_of_its_own_does_not_run_inline(server):
    pool = opened(("async", "curl"), 1)
    assert isinstance(pool, InlinePool)
    (future,) = submit(pool, server, "/x")
    with pytest.raises(RuntimeError, match="its own thread"):
        pool.run_once(0)
    assert future.result(15).error is None
    pool.shutdown()


def test_submit_after_shutdown_is_refused(way, server):
    pool = opened(way, 1)
    pool.shutdown()
    pool.shutdown()
    with pytest.raises(PoolClosedError):
        pool.submit(urls.request(0, server.url("/")))


def test_no_thread_is_left_behind(way, server):
    shared = {"fetchpool-watchdog", "fetchpool-resolver"}
    before = set(threading.enumerate())
    pool = opened(way, 4)
    wait(submit(pool, server, *["/x"] * 20))
    pool.shutdown()
    left = [
        thread.name
        for thread in threading.enumerate()
        if thread not in before and thread.name not in shared and "process_request" not in thread.name
    ]
    # The process pool's listener ends as soon as it has read the word to.
    for thread in threading.enumerate():
        if thread.name in left and thread not in before:
            thread.join(5)
    assert not [thread for thread in threading.enumerate() if thread.name in left and thread not in before]


def test_a_refused_request_is_an_outcome_too(way):
    pool = opened(way, 1)
    assert pool.submit(urls.request(0, "http://[::1")).result(15).error == "invalid_url"
    pool.shutdown()


def test_a_parser_that_cannot_be_loaded_is_refused_in_words(way):
    with pytest.raises(UsageError, match="--parse"):
        opened(way, 1, parse=("nosuch.module:function",))


def test_a_parser_runs_while_the_body_arrives(way, server):
    pool = opened(way, 2, parse=("tests.contracts.parsers:first_bytes",))
    (future,) = submit(pool, server, "/x")
    assert future.result(15).extra == {"first": "xxx"}
    pool.shutdown()


@pytest.mark.parametrize("way", IN_PROCESS, ids="-".join)
def test_a_pool_that_waits_holds_no_body(way, server):
    gc.collect()
    others = [held for held in gc.get_objects() if isinstance(held, ResponseBody)]
    pool = opened(way, 2, parse=("tests.contracts.parsers:first_bytes",))
    wait(submit(pool, server, *["/x"] * 6))
    deadline = monotonic() + 5
    while [held for held in gc.get_objects() if isinstance(held, ResponseBody) and held not in others]:
        assert monotonic() < deadline
    pool.shutdown()


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_internal_error_costs_one_row_and_not_the_run(executor, server):
    pool = opened((executor, "curl"), 1)
    sound = urls.request(0, server.url("/x"))
    unsendable = replace(sound, href=server.url("/caf\u00e9"))  # no URL that was checked is like that
    outcomes = [pool.submit(request).result(15) for request in (sound, unsendable, sound)]
    assert [outcome.error for outcome in outcomes] == [None, "internal", None]
    pool.shutdown()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_async_pools_thread_ends_no_caller_waits_for_ever(server):
    pool = opened(("async", "curl"), 1)
    futures = submit(pool, server, "/held", "/x")
    server.wait_until_held(1)
    pool.wake()
    deadline = monotonic() + 10
    while (
        pool._wakeup.pending
    ):  # until the iteration is over in which the request was sent: from then on the pool only waits
        assert monotonic() < deadline
    pool._poller.close()
    for future in futures:
        assert isinstance(future.exception(15), WorkerLostError)
    with pytest.raises(PoolClosedError, match="ValueError \\(please report this"):
        submit(pool, server, "/x")
    pool.shutdown()


def test_a_worker_process_that_dies_loses_its_request_and_the_pool_goes_on(server):
    pool = open_pool("process", 2, FetchOptions(parse=("tests.contracts.parsers:die_if_asked",)))
    (dead,) = submit(pool, server, "/die")
    assert isinstance(dead.exception(15), WorkerLostError)
    (alive,) = submit(pool, server, "/live")
    assert alive.result(15).error is None
    pool.shutdown()


def mortal_pool(workers: int) -> Pool:
    return open_pool("process", workers, FetchOptions(parse=("tests.contracts.parsers:die_if_asked",)))


@pytest.mark.parametrize("others", [0, 1])
@waiting
def test_a_worker_that_dies_in_the_midst_of_a_large_outcome_is_seen_to_die(server, others):
    parse = ("tests.contracts.parsers:die_while_sending",)
    pool = open_pool("process", 1 + others, FetchOptions(parse=parse))
    held = submit(pool, server, *["/held"] * others)
    server.wait_until_held(others)
    assert ended(submit(pool, server, "/die")) == ["lost"]
    assert not any(future.done() for future in held), "another process has it"
    server.release.set()
    assert ended(submit(pool, server, "/live")) == ["fetched"]
    assert ended(held) == ["fetched"] * others
    pool.shutdown()


@pytest.mark.parametrize("abort", [False, True])
def test_a_dead_worker_holds_up_neither_what_waits_nor_the_end(server, abort):
    pool = mortal_pool(2)
    futures = submit(pool, server, "/die", *["/live"] * 100)
    ways = ended(futures)
    assert ways[0] == "lost"
    assert ways.count("fetched") > 50
    (last,) = submit(pool, server, "/die")
    pool.shutdown(abort=abort)  # it may have died, and may not
    assert ended([last])[0] in ({"lost", "cancelled"} if abort else {"lost"})


def test_what_a_worker_gave_back_before_it_died_is_fetched_by_another(server):
    pool = mortal_pool(2)
    wait(submit(pool, server, *["/quick"] * 60))  # fetches are short: batches are long
    futures = submit(pool, server, *["/quick"] * 10, "/held/die", *(["/quick"] * 20 + ["/held"]) * 20)
    server.wait_until_held(2)
    threading.Timer(0.3, server.release.set).start()  # long after the others in its batch were given back
    ways = ended(futures)
    assert ways[10] == "lost"
    assert ways.count("fetched") > ways.count("lost")
    assert ways[-1] == "fetched"
    assert ended(submit(pool, server, "/quick")) == ["fetched"]
    pool.shutdown()


def test_a_dead_worker_leaves_no_thread_and_no_descriptor_behind(server):
    pool = mortal_pool(2)
    assert ended(submit(pool, server, "/live")) == ["fetched"]
    threads, pipes = threads_and_pipes()
    for _ in range(4):
        assert ended(submit(pool, server, "/die")) == ["lost"]
        threads_now, pipes_now = threads_and_pipes()
        assert threads_now <= threads
        assert pipes_now <= pipes
    pool.shutdown()


def threads_and_pipes() -> tuple[int, int]:
    names = [each.name for each in threading.enumerate() if "process_request" not in each.name]
    return len(names), sum(is_pipe(each.name) for each in Path("/dev/fd").iterdir())


def is_pipe(descriptor: str) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(int(descriptor)).st_mode)
    except OSError:  # the listing's own
        return False


def test_what_recall_cancels_is_never_fetched_and_all_else_is(server):
    pool = open_pool("process", 2, FetchOptions())
    wait(submit(pool, server, *["/quick"] * 60))
    paths = [f"/{'held' if number % 40 == 0 else 'quick'}?{number}" for number in range(400)]
    futures = submit(pool, server, *paths)
    server.wait_until_held(2)
    pool.cancel_pending()
    server.release.set()
    ways = ended(futures)
    assert "cancelled" in ways
    for path, way in zip(paths, ways, strict=True):
        assert server.asked.count(path) == (way == "fetched")
    pool.shutdown()


@pytest.mark.parametrize(("abort", "last"), [(False, "fetched"), (True, "cancelled")])
def test_a_callback_may_shut_the_process_pool_down_that_it_is_called_by(server, abort, last):
    pool = open_pool("process", 1, FetchOptions())
    held, *others = futures = submit(pool, server, "/held", *["/quick"] * 20)
    server.wait_until_held(1)
    returned = threading.Event()
    held.add_done_callback(lambda _: (pool.shutdown(abort=abort), returned.set()))
    server.release.set()
    assert ended(futures)[0] == "fetched"
    assert returned.wait(15)
    assert ended(others)[-1] == last
    with pytest.raises(PoolClosedError):
        submit(pool, server, "/quick")
    pool.shutdown(abort=True)  # from outside it is waited for
    assert not pool._own_thread.is_alive()


def test_an_open_process_pool_has_every_process_ready(tmp_path, monkeypatch):
    (tmp_path / "marking.py").write_text(
        "import os, pathlib\n"
        "pathlib.Path(__file__).with_name(f'{os.getpid()}.loaded').touch()\n"
        "def parse(response): return {}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    pool = open_pool("process", 3, FetchOptions(parse=("marking:parse",)), processes=3)
    assert len(list(tmp_path.glob("*.loaded"))) == 1 + 3, "the pool's own process has loaded it, too"
    pool.shutdown()


def test_a_parser_that_kills_its_worker_every_time_costs_one_row(server):
    urls = [server.url(path) for path in ["/die", *(f"/live?{number}" for number in range(40))]]
    parse = ["tests.contracts.parsers:die_if_asked"]
    records = list(fetchpool.fetch(urls, executor="process", workers=2, per_host=0, parse=parse))
    assert {record.url: record.error for record in records} == dict.fromkeys(urls) | {urls[0]: "internal"}
    assert len(records) == len(urls)


@pytest.mark.parametrize("executor", ["async", "process"])
def test_an_interrupted_submit_leaves_a_pool_that_works(monkeypatch, server, executor):
    """Ctrl-C in a program: the thread of the loop runs, and `submit()` was not given it."""
    has_begun = threading.Event()

    def interrupted(run, name):
        thread = threading.Thread(target=lambda: (has_begun.set(), run()), name=name, daemon=True)
        thread.start()
        raise KeyboardInterrupt

    pool = open_pool(executor, 1, FetchOptions())
    with monkeypatch.context() as patched:
        patched.setattr(threads, "start", interrupted)
        with pytest.raises(KeyboardInterrupt):
            submit(pool, server, "/quick")
    assert has_begun.wait(15)
    until = monotonic() + 5
    while pool._own_thread is None and monotonic() < until:
        threading.Event().wait(0.01)
    [future] = submit(pool, server, "/quick")
    assert future.result(15).error is None
    assert sum(thread.name == f"fetchpool-{executor}" for thread in threading.enumerate()) == 1
    pool.shutdown()
    assert not any(thread.name == f"fetchpool-{executor}" for thread in threading.enumerate())


def test_every_executor_is_held_to_this_contract():
    assert {way[0] for way in WAYS} == set(EXECUTORS)
