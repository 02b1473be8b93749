"""Programs: what `fetch()` and `Pool` meet inside somebody's own: lists that wait, loops that are left, pools
that are forgotten, exits."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from functools import partial
from queue import Queue

import pytest

import fetchpool
from tests.faults.server import FaultServer
from tests.faults.ways import Way, in_every_way

ENOUGH = 15.0
"""Seconds after which what was to happen won't."""


@in_every_way
def test_72_a_list_that_is_fed_by_its_own_rows_does_not_wait_for_itself(
    server: FaultServer, way: Way
) -> None:
    """`fetch(iter(queue.get, None))`, a crawl: rows are handed out while the list waits for the next URL."""
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
def test_72_a_list_that_is_slow_holds_back_no_row(server: FaultServer, way: Way) -> None:
    came = threading.Event()
    seen = []

    def urls() -> Iterator[str]:
        yield server.url("ok?0")
        seen.append(came.wait(ENOUGH))
        yield server.url("ok?1")

    for _ in fetchpool.fetch(urls(), workers=2, executor=way.executor, transport=way.transport):
        came.set()
    assert seen == [True]


def test_72_a_list_is_read_no_further_than_workers_are_free(server: FaultServer) -> None:
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


def test_72_a_list_that_waits_for_ever_keeps_nobody_from_leaving(server: FaultServer) -> None:
    """The thread that waits for it can't be ended, and is no reason to wait: it ends with what it waits for,
    or with the process."""
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


def test_72_a_list_that_raises_does_so_in_the_callers_loop(server: FaultServer) -> None:
    def urls() -> Iterator[str]:
        yield server.url("ok")
        raise LookupError("their own")

    with pytest.raises(LookupError, match="their own"):
        list(fetchpool.fetch(urls()))


def test_72_a_generator_sees_what_its_caller_has_set_and_is_told_of_the_thread(server: FaultServer) -> None:
    """An iterator is read in a thread of its own: a context variable of the caller's holds there, and what
    refuses to be used in another thread (a database cursor) has a note of what to do instead."""
    prefix: ContextVar[str] = ContextVar("prefix")
    prefix.set(server.url("ok"))
    (record,) = fetchpool.fetch(prefix.get() + end for end in ["?1"])
    assert record.url == server.url("ok?1")
    with sqlite3.connect(":memory:") as base, pytest.raises(sqlite3.ProgrammingError) as refused:
        list(fetchpool.fetch(row[0] for row in base.execute("select 'http://h/'")))
    base.close()
    assert "fetch(list(urls))" in refused.value.__notes__[0]
