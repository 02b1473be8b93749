"""Programs: `fetch()` and `Pool` in programs: lists that block, loops that are left, pools that are dropped,
exits."""

from __future__ import annotations

import gc
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from multiprocessing import active_children
from pathlib import Path
from queue import Queue
from time import monotonic

import pytest

import fetchpool
from fetchpool.config.choices import LOCAL_EXECUTORS
from tests.faults.matrix import Way, at_once, in_every_way
from tests.faults.server import FaultServer

ENOUGH = 15.0
"""Seconds after which what was to happen won't."""


@in_every_way
def test_72_a_list_fed_by_its_own_rows_does_not_deadlock(server: FaultServer, way: Way) -> None:
    """`fetch(iter(queue.get, None))`, a crawl: rows are returned while the list waits for the next URL."""
    todo: Queue[str | None] = Queue()
    todo.put(server.url("ok?0"))
    rows = []
    for record in fetchpool.fetch(
        iter(partial(todo.get, timeout=ENOUGH), None),
        workers=2,
        executor=way.executor,
        transport=way.transport,
    ):
        rows.append(record)
        todo.put(server.url(f"ok?{len(rows)}") if len(rows) < 5 else None)
    assert [record.url for record in rows] == [server.url(f"ok?{number}") for number in range(5)]


@in_every_way
def test_72_a_slow_list_delays_no_row(server: FaultServer, way: Way) -> None:
    came = threading.Event()
    seen = []

    def urls() -> Iterator[str]:
        yield server.url("ok?0")
        seen.append(came.wait(ENOUGH))
        yield server.url("ok?1")

    for _ in fetchpool.fetch(urls(), workers=2, executor=way.executor, transport=way.transport):
        came.set()
    assert seen == [True]


def test_72_a_list_is_read_only_as_workers_become_free(server: FaultServer) -> None:
    pulled = []

    def urls() -> Iterator[str]:
        for number in range(10**9):
            pulled.append(number)
            yield server.url(f"ok?{number}")

    records = fetchpool.fetch(urls(), workers=4)
    assert pulled == []
    for number, _ in zip(range(50), records, strict=False):
        assert len(pulled) <= number + 1 + 2 * 4
    records.close()
    assert len(pulled) <= 50 + 2 * 4


def test_72_a_list_that_blocks_forever_does_not_prevent_the_exit(server: FaultServer) -> None:
    """The thread that reads it can't be ended, so nothing waits for it: it ends when the list does, or with
    the process."""
    todo: Queue[str | None] = Queue()
    todo.put(server.url("ok"))
    before = set(threading.enumerate())
    records = fetchpool.fetch(iter(todo.get, None), workers=2)
    next(records)
    records.close()
    left = [thread for thread in set(threading.enumerate()) - before if thread.name == "fetchpool-urls"]
    assert [thread.daemon for thread in left] == [True]
    todo.put(server.url("ok"))
    left[0].join(ENOUGH)
    assert not left[0].is_alive()


def test_72_an_exception_in_a_list_is_raised_in_the_callers_loop(server: FaultServer) -> None:
    def urls() -> Iterator[str]:
        yield server.url("ok")
        raise LookupError("their own")

    with pytest.raises(LookupError, match="their own"):
        list(fetchpool.fetch(urls()))


def test_72_a_generator_sees_the_callers_context_variables(server: FaultServer) -> None:
    """An iterator is read in its own thread: context variables of the caller are set there, and an object
    that refuses to work in another thread (a database cursor) raises an exception with a note about the
    fix."""
    prefix: ContextVar[str] = ContextVar("prefix")
    prefix.set(server.url("ok"))
    (record,) = fetchpool.fetch(prefix.get() + end for end in ["?1"])
    assert record.url == server.url("ok?1")
    with sqlite3.connect(":memory:") as base, pytest.raises(sqlite3.ProgrammingError) as refused:
        list(fetchpool.fetch(row[0] for row in base.execute("select 'http://h/'")))
    base.close()
    assert "fetch(list(urls))" in refused.value.__notes__[0]


def left_over() -> tuple[int, int, int]:
    """Threads and processes of fetchpool, and file descriptors; those that belong to the process are not
    counted."""
    shared = {"fetchpool-watchdog", "fetchpool-resolver"}
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("fetchpool")]
    open_files = list(Path("/proc/self/fd").iterdir())
    return len([name for name in names if name not in shared]), len(active_children()), len(open_files)


def settles(before: tuple[int, int, int]) -> bool:
    """Whether nothing more is left than there was, soon."""
    until = monotonic() + ENOUGH
    while monotonic() < until:
        gc.collect()
        if all(now <= then for now, then in zip(left_over(), before, strict=True)):
            return True
        threading.Event().wait(0.02)
    raise AssertionError(f"{left_over()} are left of {before}")


@in_every_way
def test_72_a_dropped_pool_completes_its_requests_and_leaves_nothing(server: FaultServer, way: Way) -> None:
    """No thread, process or file descriptor is left, even if the pool is in a reference cycle."""
    list(fetchpool.fetch([server.url("ok")], executor=way.executor, transport=way.transport))
    with fetchpool.Pool(1, executor=way.executor, transport=way.transport) as pool:
        pool.submit(server.url("ok")).result(ENOUGH)
    before = left_over()
    for number in range(3 if way.executor == "process" else 30):
        forgotten = fetchpool.Pool(2, executor=way.executor, transport=way.transport)
        futures = [forgotten.submit(server.url("ok")) for _ in range(4 if number % 3 else 0)]
        if number % 2:
            forgotten.itself = forgotten  # type: ignore[attr-defined]
        del forgotten
        assert [future.result(ENOUGH).error for future in futures] == [None] * len(futures)
        del futures
    assert settles(before)


@in_every_way
def test_72_a_run_that_is_abandoned_leaves_nothing(server: FaultServer, way: Way) -> None:
    """Exhausted, closed, left by `break`, never started, or dropped with unread rows."""
    options = {"executor": way.executor, "transport": way.transport, "workers": 2}
    list(fetchpool.fetch([server.url("ok")], **options))
    before = left_over()
    urls = [server.url(f"ok?{number}") for number in range(20)]
    for number in range(5 if way.executor == "process" else 25):
        records = fetchpool.fetch(urls if number % 2 else iter(urls), **options)
        if number % 5 == 0:
            continue
        next(records)
        if number % 5 == 1:
            records.close()
        elif number % 5 == 2:
            for _ in records:
                break
        elif number % 5 == 3:
            assert len(list(records)) == 19
    del records
    assert settles(before)


class Closing:
    """An object of a program whose finalizer shuts its pool down, in a cycle."""

    def __init__(self, pool: fetchpool.Pool) -> None:
        self.pool, self.itself = pool, self

    def __del__(self) -> None:
        self.pool.shutdown(abort=True)


@contextmanager
def held_locks(module: str) -> Iterator[None]:
    """Hold every lock of the pools in that module, as a thread does in which a collection starts."""
    pools = [each for each in gc.get_objects() if type(each).__module__ == module and hasattr(each, "_lock")]
    locks = [each._lock for each in pools]
    assert locks
    for lock in locks:
        assert lock.acquire(timeout=ENOUGH)
    yield
    for lock in locks:
        lock.release()


@pytest.mark.parametrize("kind", ["run", "pool"])
@pytest.mark.parametrize(
    ("executor", "module"), [("thread", "fetchpool.pools.thread"), ("async", "fetchpool.pools.async_.pool")]
)
def test_72_the_garbage_collector_can_close_a_run_while_a_lock_is_held(
    server: FaultServer, executor: str, module: str, kind: str
) -> None:
    """It may run at any point of any thread: closing a run there waits for no lock and no thread."""
    list(fetchpool.fetch([server.url("ok")], executor=executor))
    before = left_over()
    gc.disable()
    try:
        urls = [server.url(f"silence?{number}") for number in range(3)]
        if kind == "run":
            records = fetchpool.fetch([server.url("ok"), *urls], executor=executor)
            next(records)
            cycle: list[object] = [records]
            cycle.append(cycle)
            del records, cycle
        else:
            pool = fetchpool.Pool(2, executor=executor)
            for url in urls:
                pool.submit(url)
            Closing(pool)
            del pool
        collected = threading.Event()

        def collect() -> None:
            with held_locks(module):
                gc.collect()
                collected.set()

        threading.Thread(target=collect, daemon=True).start()
        assert collected.wait(ENOUGH)
    finally:
        gc.enable()
    assert settles(before)


@in_every_way
def test_72_a_callback_can_shut_its_pool_down(server: FaultServer, way: Way) -> None:
    """It does not wait for itself; the pool closes when all requests have completed."""
    before = left_over()
    pool = fetchpool.Pool(2, executor=way.executor, transport=way.transport)
    returned = threading.Event()

    def last(_: object) -> None:
        pool.shutdown()
        returned.set()

    future = pool.submit(server.url("ok"))
    future.add_done_callback(last)
    assert returned.wait(ENOUGH)
    assert future.result(0).error is None
    with pytest.raises(fetchpool.PoolClosedError):
        pool.submit(server.url("ok"))
    assert settles(before)


KEPT = """
records = fetchpool.fetch([URL + "/ok"] + [URL + "/silence"] * 20, dedupe=False, workers=4, executor=EXECUTOR)
print(next(records).error)
"""
POOL = """
pool = fetchpool.Pool(2, executor=EXECUTOR)
print(pool.submit(URL + "/ok").result().error)
futures = [pool.submit(URL + "/silence") for _ in range(20)]
"""
WAITING = """
records = fetchpool.fetch(iter(queue.Queue().get, None), executor=EXECUTOR)
threading.Thread(target=next, args=(records, None), daemon=True).start()
print(None)
"""


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
@pytest.mark.parametrize("text", [KEPT, POOL, WAITING], ids=["run", "pool", "list"])
@at_once()
def test_72_open_runs_and_pools_do_not_prevent_the_exit(
    server: FaultServer, tmp_path: Path, text: str, executor: str
) -> None:
    """A run or a pool in a global variable: its requests in flight are aborted at exit, however long their
    timeout."""
    began = monotonic()
    done = program(tmp_path, text, server, executor)
    assert (done.returncode, done.stdout, done.stderr) == (0, "None\n", "")
    assert monotonic() - began < ENOUGH


def test_72_a_thread_continues_to_fetch_after_the_main_thread_has_ended(
    server: FaultServer, tmp_path: Path
) -> None:
    text = """
def work():
    threading.main_thread().join()
    for record in fetchpool.fetch([URL + "/ok?1", URL + "/ok?2"], executor=EXECUTOR): print(record.error)
threading.Thread(target=work).start()
"""
    for executor in ("thread", "async"):
        done = program(tmp_path, text, server, executor)
        assert (done.returncode, done.stdout, done.stderr) == (0, "None\nNone\n", "")


def program(
    directory: Path, text: str, server: FaultServer, executor: str
) -> subprocess.CompletedProcess[str]:
    """Run a user's program until it ends."""
    names = f"URL, EXECUTOR = {server.url('')[:-1]!r}, {executor!r}"
    lines = f"{names}\n{text.strip()}".splitlines()
    file = directory / "program.py"
    file.write_text(
        "import fetchpool, queue, threading\nif __name__ == '__main__':\n"
        + "".join(f"    {line}\n" for line in lines)
    )
    return subprocess.run(
        [sys.executable, str(file)],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(fetchpool.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=4 * ENOUGH,
        check=False,
    )
