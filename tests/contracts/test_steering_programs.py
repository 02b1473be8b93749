"""Steering from a program: `pause()`, `resume()`, `resize()` and `stop()` of runs and pools."""

from __future__ import annotations

import asyncio
import gc
import threading
from concurrent.futures import wait

import pytest

import fetchpool
from fetchpool.config.choices import LOCAL_EXECUTORS
from tests.at_once import AtOnce
from tests.contracts.gauged import GaugedServer, serving

PATIENCE = 30.0

waiting = AtOnce(server=lambda: serving(GaugedServer()))
with_every_executor = pytest.mark.parametrize("executor", LOCAL_EXECUTORS)


def held(server: GaugedServer, number: int) -> list[str]:
    return [server.url(f"/held/{each}") for each in range(number)]


@with_every_executor
@waiting
def test_a_run_is_paused_resized_and_resumed_from_another_thread(server: GaugedServer, executor: str) -> None:
    urls = held(server, 12)
    states: list[str] = []
    paused = threading.Event()

    def watch(snapshot: object) -> None:
        states.append(snapshot.state)  # type: ignore[attr-defined]
        if snapshot.state == "paused":  # type: ignore[attr-defined]
            paused.set()

    rows = fetchpool.fetch(
        urls, workers=2, max_workers=4, per_host=0, executor=executor, progress=watch, retry=0
    )
    found: list[fetchpool.Record] = []
    loop = threading.Thread(target=lambda: found.extend(rows))
    loop.start()
    try:
        server.wait_until_held(2)
        rows.pause()
        server.release.set()
        assert paused.wait(PATIENCE)
        assert len(server.asked) == 2
        server.release.clear()
        with pytest.raises(fetchpool.UsageError, match=r"^workers=5 is more than 4; pass max_workers"):
            rows.resize(5)
        rows.resize(4)
        rows.resume()
        server.wait_until_held(4)
        rows.stop()
    finally:
        server.release.set()
        loop.join(PATIENCE)
    assert not loop.is_alive()
    assert len(found) == len(server.asked) == 6
    assert all(row.ok for row in found)


@waiting
def test_a_run_that_was_paused_before_its_first_row_begins_when_it_is_resumed(server: GaugedServer) -> None:
    async def main() -> None:
        rows = fetchpool.afetch([server.url("/a"), server.url("/b")])
        rows.pause()
        first = asyncio.create_task(anext(rows))
        await asyncio.sleep(0.3)
        assert (first.done(), server.asked) == (False, [])
        rows.resume()
        assert (await first).ok
        assert [row.ok async for row in rows] == [True]
        rows.pause()  # of no effect after the end

    asyncio.run(main())


@with_every_executor
@waiting
def test_a_pool_starts_nothing_while_it_is_paused(server: GaugedServer, executor: str) -> None:
    with fetchpool.Pool(3, executor=executor) as pool:
        first = [pool.submit(url) for url in held(server, 3)]
        server.wait_until_held(3)
        pool.pause()
        later = [pool.submit(server.url(f"/quick/{number}")) for number in range(5)]
        server.release.set()
        assert not wait(first, PATIENCE).not_done
        assert not wait(later, 0.3).done
        assert len(server.asked) == 3
        server.release.clear()
        pool.resize(1)
        pool.resume()
        assert not wait(later, PATIENCE).not_done
        server.most = 0
        more = [pool.submit(url) for url in held(server, 3)]
        server.wait_until_held(1)
        server.release.set()
        assert all(each.result(PATIENCE).ok for each in more)
        assert server.most == 1
        with pytest.raises(fetchpool.UsageError, match=r"^workers=4 is not an integer from 1 to 3$"):
            pool.resize(4)
        pool.pause()
        last = pool.submit(server.url("/last"))
    assert last.result(0).ok  # the end of a pool ends its pause


@with_every_executor
def test_a_paused_pool_without_references_completes_its_requests(server: GaugedServer, executor: str) -> None:
    pool = fetchpool.Pool(2, executor=executor)
    pool.pause()
    future = pool.submit(server.url("/a"))
    del pool
    gc.collect()
    assert future.result(PATIENCE).ok


@waiting
def test_an_async_pool_is_paused_and_resumed(server: GaugedServer) -> None:
    async def main() -> None:
        async with fetchpool.AsyncPool(2) as pool:
            pool.pause()
            task = asyncio.create_task(pool.submit(server.url("/a")))
            done, _ = await asyncio.wait([task], timeout=0.3)
            assert (done, server.asked) == (set(), [])
            pool.resize(1)
            pool.resume()
            assert (await task).ok

    asyncio.run(main())
