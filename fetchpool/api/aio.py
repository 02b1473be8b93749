"""`afetch()` and `AsyncPool`: the API for asyncio.

In: an iterable of URLs, or single ones, in a task. Out: rows, awaited. The run of `afetch()` has its own
thread, which passes rows to the event loop and pauses while enough rows wait there; `AsyncPool` is based on
`Pool`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Iterable
from inspect import getdoc
from threading import Event
from types import TracebackType
from typing import Unpack

from msgspec.structs import replace

from fetchpool.api.arguments import run_config
from fetchpool.api.async_urls import UrlsOfLoop, read_ahead
from fetchpool.api.pool import Pool, refuse_string
from fetchpool.api.rows import AsyncRows, Controls, with_max_workers
from fetchpool.api.run import Run
from fetchpool.config.describe import docstring
from fetchpool.config.option import Scope
from fetchpool.config.options.table import in_scope
from fetchpool.config.run_config import RunConfig
from fetchpool.config.settings import FetchSettings, PoolSettings
from fetchpool.engine.events import Snapshot
from fetchpool.model.errors import PoolClosedError
from fetchpool.model.record import Record
from fetchpool.runtime import threads
from fetchpool.sources.base import Source
from fetchpool.sources.iterable import IterableSource


def afetch(
    urls: Iterable[str] | AsyncIterable[str],
    *,
    workers: int | str = 10,
    executor: str = "thread",
    **settings: Unpack[FetchSettings],
) -> AsyncRows:
    """Fetch every URL and yield its row when it is final, as `fetch()` does, without blocking the event loop:

        async for record in fetchpool.afetch(urls):
            print(record.url, record.size_delivered)

    The run has its own thread. It pauses while as many rows as there are workers wait to be consumed. An
    iterable other than a list or similar collection is read in another thread, so it may block; an async
    iterable is read in the event loop. Cancelling the task, or `aclose()`, cancels the requests in flight and
    closes everything. The iterator's `pause()`, `resume()`, `resize()` and `stop()` steer the run.

    Raises `UsageError` for an invalid option. The failure of a URL is in its row.
    """
    given = {"workers": workers, "executor": executor, **settings}
    config = run_config("afetch", given, Scope.POOL, Scope.FETCH)
    elements = None
    if isinstance(urls, AsyncIterable):
        urls = elements = UrlsOfLoop(urls)
    source = IterableSource(urls, with_line="line" in config.fetch.keep)
    config = with_max_workers(config)
    controls = Controls(config)
    return AsyncRows(_records(config, source, controls, elements), controls)


async def _records(
    config: RunConfig, source: Source, controls: Controls, elements: UrlsOfLoop | None
) -> AsyncGenerator[Record, None]:
    if elements is not None:
        elements.open()
    run = BackgroundRun(config, source, controls)
    try:
        while (record := await run.next()) is not None:
            yield record
    finally:
        if elements is not None:
            elements.close()
        await run.close()


class BackgroundRun:
    """A run in its own thread, whose rows a task consumes. Except for `_work()`, `_pass_on()` and `_report()`
    every method is for the event loop's thread."""

    def __init__(self, config: RunConfig, source: Source, controls: Controls) -> None:
        """Start the thread."""
        self._controls = controls
        self._progress = config.progress
        self._config = replace(config, progress=self._report) if callable(config.progress) else config
        self._source = source
        self._most = config.workers
        """Maximum number of rows that wait for the task before the run pauses."""
        self._loop = asyncio.get_running_loop()
        self._ready: deque[Record] = deque()
        self._changed = asyncio.Event()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._failure: BaseException | None = None
        self._passed_on = 0
        """Number of rows that the thread has passed on; only the thread changes it."""
        self._taken = 0
        """Number of rows that the task has taken; only the loop's thread changes it."""
        self._continue = Event()
        self._closed = False
        self._run: Run | None = None
        self._thread = threads.start(self._work, "fetchpool-afetch")

    async def next(self) -> Record | None:
        """Return the next row, None after the last one. Raises the exception of the run."""
        while not self._ready:
            if self._ended.done():
                if self._failure is not None:
                    raise self._failure
                return None
            self._changed.clear()
            await self._changed.wait()
        record = self._ready.popleft()
        self._taken += 1
        if not self._continue.is_set() and self._passed_on - self._taken <= self._most // 2:
            self._continue.set()
        return record

    async def close(self) -> None:
        """Cancel the requests in flight, and wait until everything is closed."""
        self._cancel()
        await asyncio.shield(self._ended)
        self._thread.join()  # it has nothing more to do

    def _cancel(self) -> None:
        self._closed = True
        if self._run is not None:
            self._run.abort()
        self._continue.set()

    def _receive(self, records: deque[Record]) -> None:
        self._ready.extend(records)
        self._changed.set()

    def _report(self, snapshot: Snapshot) -> None:
        """Call the program's function in the loop's thread."""
        self._loop.call_soon_threadsafe(self._call, snapshot)

    def _call(self, snapshot: Snapshot) -> None:
        assert callable(self._progress)
        try:
            self._progress(snapshot)
        except Exception as error:  # noqa: BLE001 - it is raised in the task
            self._failure = self._failure or error
            self._cancel()

    def _end(self, failure: BaseException | None) -> None:
        self._failure = self._failure or failure
        self._ended.set_result(None)
        self._changed.set()

    def _work(self) -> None:
        """Run to the end: the target of the thread."""
        failure: BaseException | None = None
        try:
            run = self._run = Run(self._config, self._source, self._controls)
            try:
                while not run.done and not self._closed:
                    if records := run.step():
                        self._pass_on(records)
            finally:
                run.close()
        except BaseException as error:  # noqa: BLE001 - it is raised in the task
            failure = error
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end, failure)

    def _pass_on(self, records: deque[Record]) -> None:
        """Pass rows to the event loop, and wait while it has enough. Raises `RuntimeError` if the loop was
        closed, since no task then waits for rows."""
        self._passed_on += len(records)
        self._loop.call_soon_threadsafe(self._receive, records)
        while self._passed_on - self._taken >= self._most and not self._closed:
            self._continue.clear()
            if self._passed_on - self._taken >= self._most and not self._closed:
                self._continue.wait()


class AsyncPool:
    """A `Pool` for asyncio: workers that fetch single URLs, without retries and limits per host.

        async with fetchpool.AsyncPool(workers=10) as pool:
            record = await pool.submit("https://example.org/")

    A pool without references completes its requests, and closes.
    """

    def __init__(
        self, workers: int = 10, *, executor: str = "thread", **settings: Unpack[PoolSettings]
    ) -> None:
        """Raises `UsageError` for an invalid option."""
        self._pool = Pool(workers, executor=executor, **settings)

    async def submit(self, url: str) -> Record:
        """Make one attempt, following redirects, and return the row, failed or not. Raises `PoolClosedError`
        after `shutdown()`, and `WorkerLostError`. Cancelling drops a request that has not started; a request
        in flight continues, but its row is dropped."""
        future = self._pool.submit(url)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and (task is None or not task.cancelling()):
                raise PoolClosedError("the pool was shut down before it fetched this URL") from None
            raise

    def map(self, urls: Iterable[str] | AsyncIterable[str]) -> AsyncGenerator[Record, None]:
        """Submit every URL and yield the rows in the order of `urls`, as `Pool.map()` does:

            async for record in pool.map(urls):
                print(record.url, record.size_delivered)

        `urls` is read in the event loop, only as far ahead as the workers need; an iterable that is not async
        must not block. Leaving the loop early cancels requests that have not started."""
        refuse_string(urls)
        return read_ahead(urls, self.submit, self._pool.ahead)

    def pause(self) -> None:
        """Start no more requests until `resume()` or `shutdown()`. Those in flight complete."""
        self._pool.pause()

    def resume(self) -> None:
        """Start requests again."""
        self._pool.resume()

    def resize(self, workers: int) -> None:
        """Set the number of workers, up to the initial number. Raises `UsageError`."""
        self._pool.resize(workers)

    async def shutdown(self, *, abort: bool = False) -> None:
        """Wait for the submitted requests; with `abort` cancel them. Idempotent."""
        await asyncio.to_thread(self._pool.shutdown, abort=abort)

    async def aclose(self) -> None:
        """Wait for the submitted requests, as `shutdown()` does."""
        await self.shutdown()

    async def __aenter__(self) -> AsyncPool:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.shutdown(abort=exc_type is not None)


# Appended from the table of options, as in `fetch()` and `Pool`.
afetch.__doc__ = f"{getdoc(afetch)}\n\n{docstring(in_scope(Scope.POOL, Scope.FETCH))}"
AsyncPool.__doc__ = f"{getdoc(AsyncPool)}\n\n{docstring(in_scope(Scope.POOL))}"
