"""Reads iterables of URLs with asyncio: async ones for a run in another thread, and both kinds for a pool.

In: an iterable, async or not. Out: its elements, read only as far as needed.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
)
from concurrent.futures import CancelledError
from concurrent.futures import Future as ThreadFuture
from typing import Any

from fetchpool.model.record import Record

END = object()
"""Stands for the end of the iterable."""


class UrlsOfLoop(Iterator[Any]):
    """Reads an async iterable in the event loop, for another thread, which waits for each element."""

    def __init__(self, urls: AsyncIterable[str]) -> None:
        """Read nothing yet."""
        self._iterator: AsyncIterator[Any] = aiter(urls)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._awaited: ThreadFuture[Any] | None = None
        self._closed = False

    def open(self) -> None:
        """Use the running event loop for reading."""
        self._loop = asyncio.get_running_loop()

    def __next__(self) -> Any:
        assert self._loop is not None
        if self._closed or self._loop.is_closed():
            raise StopIteration
        self._awaited = asyncio.run_coroutine_threadsafe(self._element(), self._loop)
        if self._closed:  # meanwhile
            self._awaited.cancel()
        try:
            element = self._awaited.result()
        except CancelledError:
            raise StopIteration from None
        if element is END:
            raise StopIteration
        return element

    def close(self) -> None:
        """Stop reading, and cancel the wait for an element."""
        self._closed = True
        if self._awaited is not None:
            self._awaited.cancel()

    async def _element(self) -> Any:
        return await _next(self._iterator)


async def read_ahead(
    urls: Iterable[str] | AsyncIterable[str], submit: Callable[[str], Coroutine[Any, Any, Record]], ahead: int
) -> AsyncGenerator[Record, None]:
    """Submit URLs, at most `ahead` before the first row, and yield the rows in the same order, each as soon
    as it is available."""
    submitted: deque[asyncio.Task[Record]] = deque()
    iterator = aiter(urls) if isinstance(urls, AsyncIterable) else iter(urls)
    element: asyncio.Task[Any] | None = None
    """The element that is being read."""
    is_over = False
    try:
        while True:
            while not is_over and element is None and len(submitted) < ahead:
                if isinstance(iterator, AsyncIterator):
                    element = asyncio.create_task(_next(iterator))
                else:
                    try:
                        submitted.append(asyncio.create_task(submit(next(iterator))))
                    except StopIteration:
                        is_over = True
            waiting: list[asyncio.Task[Any]] = [*([element] if element else []), *list(submitted)[:1]]
            if not waiting:
                return
            await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if element is not None and element.done():
                url, element = element.result(), None
                if url is END:
                    is_over = True
                else:
                    submitted.append(asyncio.create_task(submit(url)))
            if submitted and submitted[0].done():
                yield submitted.popleft().result()
    finally:
        unfinished = [*([element] if element else []), *submitted]
        for task in unfinished:
            task.cancel()
        await asyncio.gather(*unfinished, return_exceptions=True)


async def _next(iterator: AsyncIterator[Any]) -> Any:
    return await anext(iterator, END)
