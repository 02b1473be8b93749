"""`afetch()`, `AsyncPool` and `Pool.map()`: the rows of every executor, awaited or in order."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing
from time import monotonic

import pytest

import fetchpool
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.choices import LOCAL_EXECUTORS
from tests.at_once import AtOnce

ENOUGH = 15.0
"""Seconds after which what was to happen won't."""

waiting = AtOnce()
with_every_executor = pytest.mark.parametrize("executor", LOCAL_EXECUTORS)


async def until(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + ENOUGH
    while not holds():
        assert monotonic() < deadline
        await asyncio.sleep(0.01)


def runs() -> int:
    """Return the number of runs that have a thread."""
    return sum(thread.name == "fetchpool-afetch" for thread in threading.enumerate())


@with_every_executor
def test_afetch_yields_a_row_per_url_while_other_tasks_run(demo_server: DemoServer, executor: str) -> None:
    urls = [demo_server.url(f"/bytes/{size}") for size in range(50)]

    async def main() -> tuple[list[fetchpool.Record], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        other = asyncio.create_task(tick())
        rows = [record async for record in fetchpool.afetch(urls, workers=2, executor=executor)]
        other.cancel()
        return rows, ticks

    rows, ticks = asyncio.run(main())
    assert sorted(row.url for row in rows) == sorted(urls)
    assert all(row.ok for row in rows)
    assert ticks > 50
    assert runs() == 0


@with_every_executor
def test_cancelling_the_task_ends_the_run(demo_server: DemoServer, executor: str) -> None:
    urls = [demo_server.url("/bytes/1"), demo_server.url("/delay/60000?asyncio")]

    async def main() -> None:
        rows = []

        async def consume() -> None:
            async for record in fetchpool.afetch(urls, workers=2, executor=executor):
                rows.append(record)

        task = asyncio.create_task(consume())
        await until(lambda: bool(rows))
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert runs() == 0

    started = monotonic()
    asyncio.run(main())
    assert monotonic() - started < ENOUGH


def test_a_dropped_generator_ends_its_run(demo_server: DemoServer) -> None:
    async def main() -> None:
        async for _ in fetchpool.afetch([demo_server.url(f"/bytes/{size}") for size in range(50)]):
            break
        await until(lambda: runs() == 0)

    asyncio.run(main())


@waiting
def test_afetch_reads_no_further_than_its_workers_and_the_waiting_rows_need(demo_server: DemoServer) -> None:
    read = 0

    def urls() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield demo_server.url(f"/bytes/1?{read}")

    async def main() -> None:
        async with aclosing(fetchpool.afetch(urls(), workers=2, rate="1000/s")) as rows:
            await anext(rows)
            before, unchanged = -1, monotonic()
            while monotonic() - unchanged < 0.5:  # the run pauses though the list is endless
                if read != before:
                    before, unchanged = read, monotonic()
                await asyncio.sleep(0.01)
            for _ in range(50):
                await anext(rows)

    asyncio.run(asyncio.wait_for(main(), ENOUGH))
    assert read < 20_000


def test_the_exception_of_an_iterable_is_raised_in_the_task(demo_server: DemoServer) -> None:
    def urls() -> Iterator[str]:
        yield demo_server.url("/bytes/1")
        raise ZeroDivisionError

    async def main() -> None:
        async for _ in fetchpool.afetch(urls()):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())
    assert runs() == 0


def test_an_option_of_afetch_is_checked_by_the_call() -> None:
    with pytest.raises(fetchpool.UsageError, match="workers"):
        fetchpool.afetch([], workers=0)
    with pytest.raises(TypeError, match=r"^afetch\(\) got an unexpected keyword argument 'nosuch'$"):
        fetchpool.afetch([], nosuch=1)


@with_every_executor
def test_an_async_pool_is_awaited_and_refuses_urls_when_closed(
    demo_server: DemoServer, executor: str
) -> None:
    async def main() -> None:
        async with fetchpool.AsyncPool(workers=2, executor=executor) as pool:
            rows = await asyncio.gather(*(pool.submit(demo_server.url(f"/bytes/{n}")) for n in range(5)))
            assert [row.size_delivered for row in rows] == list(range(5))
            async with asyncio.TaskGroup() as group:
                task = group.create_task(pool.submit(demo_server.url("/status/404")))
            assert task.result().error == "http_404"
        with pytest.raises(fetchpool.PoolClosedError):
            await pool.submit(demo_server.url("/bytes/1"))

    asyncio.run(main())


def test_shutting_an_async_pool_down_is_no_cancellation_of_the_waiting_task(demo_server: DemoServer) -> None:
    async def main() -> None:
        pool = fetchpool.AsyncPool(workers=1)
        slow = asyncio.create_task(pool.submit(demo_server.url("/delay/60000?pool")))
        waiting = asyncio.create_task(pool.submit(demo_server.url("/bytes/1")))
        await asyncio.sleep(0)
        await pool.shutdown(abort=True)
        with pytest.raises(fetchpool.PoolClosedError):
            await waiting
        assert not slow.cancelled()

    asyncio.run(main())


@waiting
def test_a_cancelled_task_withdraws_its_request_from_an_async_pool(demo_server: DemoServer) -> None:
    async def main() -> None:
        async with fetchpool.AsyncPool(workers=1) as pool:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(pool.submit(demo_server.url("/delay/300")), 0.01)
            row = await pool.submit(demo_server.url("/bytes/7"))
            assert row.size_delivered == 7

    asyncio.run(main())


@with_every_executor
@waiting
def test_map_yields_the_rows_in_the_order_of_the_urls(demo_server: DemoServer, executor: str) -> None:
    urls = [demo_server.url("/delay/200?map"), *(demo_server.url(f"/bytes/{size}") for size in range(50))]
    with fetchpool.Pool(4, executor=executor) as pool:
        assert [row.url for row in pool.map(urls)] == urls


def test_map_reads_an_endless_iterable_as_it_goes(demo_server: DemoServer) -> None:
    read = 0

    def urls() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield demo_server.url("/bytes/1")

    with fetchpool.Pool(2) as pool:
        for _, _ in zip(range(10), pool.map(urls()), strict=False):
            pass
    assert read < 100
    with pytest.raises(fetchpool.PoolClosedError):
        next(pool.map(urls()))
    with pytest.raises(fetchpool.UsageError, match="single string"):
        pool.map("https://example.org/")


async def counted(urls: list[str], read: list[str]) -> AsyncIterator[str]:
    """Yields the URLs, and notes those that were read."""
    for url in urls:
        await asyncio.sleep(0)
        read.append(url)
        yield url


@with_every_executor
def test_an_async_iterable_is_read_in_the_loop(demo_server: DemoServer, executor: str) -> None:
    urls = [demo_server.url(f"/bytes/{size}") for size in range(20)]

    async def main() -> None:
        read: list[str] = []
        rows = fetchpool.afetch(counted(urls, read), workers=2, executor=executor)
        assert sorted([row.url async for row in rows]) == sorted(urls) == sorted(read)
        slow = [demo_server.url("/delay/200?amap"), *urls]
        async with fetchpool.AsyncPool(4, executor=executor) as pool:
            assert [row.url async for row in pool.map(counted(slow, read))] == slow
            assert [row.url async for row in pool.map(slow)] == slow

    asyncio.run(main())
    assert runs() == 0


def test_async_iterables_that_fail_or_never_yield_end_with_the_loop_over_the_rows(
    demo_server: DemoServer,
) -> None:
    async def failing() -> AsyncIterator[str]:
        yield demo_server.url("/bytes/1")
        raise ZeroDivisionError

    closed: list[str] = []

    async def endless(name: str) -> AsyncIterator[str]:
        try:
            yield demo_server.url("/bytes/1")
            await asyncio.Event().wait()
        finally:
            closed.append(name)

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            _ = [row async for row in fetchpool.afetch(failing())]
        async with aclosing(fetchpool.afetch(endless("afetch"))) as rows:
            assert (await anext(rows)).size_delivered == 1
        async with fetchpool.AsyncPool(2) as pool:
            with pytest.raises(ZeroDivisionError):
                _ = [row async for row in pool.map(failing())]
            async with aclosing(pool.map(endless("map"))) as mapped:
                assert (await anext(mapped)).size_delivered == 1  # though the next URL never comes
            with pytest.raises(fetchpool.UsageError):
                pool.map("http://a.example/")
        await until(lambda: closed == ["afetch", "map"])

    asyncio.run(main())
    assert runs() == 0


def test_an_async_pool_reads_no_further_ahead_than_it_needs(demo_server: DemoServer) -> None:
    async def main() -> None:
        read: list[str] = []
        urls = [demo_server.url("/bytes/1")] * 200
        async with fetchpool.AsyncPool(2) as pool:
            async with aclosing(pool.map(counted(urls, read))) as rows:
                for _ in range(10):
                    await anext(rows)
            assert len(read) < 100

    asyncio.run(main())
