"""Reads URLs from a program's iterable of `str`, only as far as needed.

In: an iterable, possibly endless. Out: requests. A list or other collection is read ahead in the caller's
thread. Any other iterable may be slow, or wait for the results of earlier URLs, so a separate thread reads it
(`Puller`) while results are returned. An exception that the iterable raises is raised by `take()` unchanged.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Final

from msgspec.structs import replace

from fetchpool.model.errors import UsageError
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import one_line
from fetchpool.model.urls import request
from fetchpool.runtime import threads
from fetchpool.sources.batch import LINE
from fetchpool.sources.lines import MAX_LINE

COLLECTIONS = (list, tuple, set, frozenset, dict, deque)
"""Types that hold all their elements already, so that the next one is always available."""
ELEMENT_WAIT = 0.001
"""Seconds to wait for an element before doing other work: much longer than a fast generator needs."""
SHOWN = 80
"""Maximum number of characters of an invalid element that a message shows."""
HUGE = 10**SHOWN
"""Integers from this size on are not shown."""
JOIN_TIMEOUT = 0.1
"""Seconds to wait for the reading thread at the end. A thread that waits for an element can't be stopped."""
IN_A_THREAD = (
    "fetchpool reads an iterator in a separate thread, since it may have to wait for an element; if your "
    "iterator works only in your own thread, pass a list: fetch(list(urls))"
)


class IterableSource:
    """A `Source` over an iterable. Each element is a URL and gets a row, even an empty string."""

    def __init__(self, urls: Iterable[str], *, with_line: bool = False) -> None:
        """`with_line`: each URL gets a column with its position. Raises `UsageError` for a single `str` or
        `bytes`, whose characters would be taken for URLs."""
        if isinstance(urls, str | bytes):
            raise UsageError("urls: expected an iterable of URLs, got a single string; pass a list: [url]")
        iterator: Iterator[object] = iter(urls)
        self._elements: Elements | Puller = (
            Elements(iterator) if isinstance(urls, COLLECTIONS) else Puller(iterator)
        )
        self._notify: Callable[[], None] = do_nothing
        self._taken = 0
        self._with_line = with_line
        self.lazy = not isinstance(urls, COLLECTIONS)
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices: list[str] = []

    def start(self, notify: Callable[[], None]) -> None:
        """Register `notify`; read nothing yet."""
        self._notify = notify

    def take(self, limit: int) -> list[FetchRequest]:
        """Return requests for the elements that are available now. An element that is not a `str` is
        rejected; its row says what it is. Raises any exception of the iterable."""
        requests: list[FetchRequest] = []
        if self.exhausted or limit < 1:
            return requests
        elements, self.exhausted = self._elements.take(limit, self._notify)
        for url in elements:
            if isinstance(url, str):
                requests.append(request(self._taken, url.strip()[:MAX_LINE]))
            else:
                problem = f"expected a URL as str, got {described(url)}"
                requests.append(
                    FetchRequest(
                        self._taken, "", "", "", error=FailureKind.INVALID_URL, error_message=problem
                    )
                )
            self._taken += 1
        if self._with_line:
            requests = [replace(each, input_columns={LINE: f"urls:{each.urlnum + 1}"}) for each in requests]
        return requests

    def close(self) -> None:
        """Stop reading. Closing a generator is left to the caller."""
        self._elements.close()


def described(element: object) -> str:
    """Describe an element. Only small built-in values are shown, since the `repr()` of others may do
    anything."""
    if isinstance(element, bytes):
        return f"bytes ({one_line(repr(element[:SHOWN]), SHOWN)})"
    if element is None or type(element) in (bool, float) or (type(element) is int and abs(element) < HUGE):
        return repr(element)
    return f"an object of type {one_line(type(element).__name__, SHOWN)}"


class Elements:
    """Reads a collection, in the caller's thread."""

    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator

    def take(self, limit: int, _notify: Callable[[], None]) -> tuple[list[object], bool]:
        """Return at most `limit` elements, and whether they are the last."""
        elements = list(islice(self._iterator, limit))
        return elements, len(elements) < limit

    def close(self) -> None:
        """Drop the remaining elements."""
        self._iterator = iter(())


class End:
    """The last message of the reading thread."""

    def __init__(self, failure: BaseException | None) -> None:
        self.failure: Final = failure
        """The exception that the iterable raised."""


class Puller:
    """Reads an iterable in a separate thread, never more elements than requested.

    take() ──_requested──▶ the thread: next(iterator) ──_found──▶ take()

    The thread is a daemon: it may wait for an element that never comes (`iter(queue.get, None)`), and ends
    with the wait or with the process.
    """

    def __init__(self, iterator: Iterator[object]) -> None:
        """Start no thread yet."""
        self._iterator: Iterator[object] | None = iterator
        self._thread: Thread | None = None
        self._requested: SimpleQueue[int] = SimpleQueue()
        """Numbers of additional elements to read; 0 after `close()`."""
        self._found: SimpleQueue[object] = SimpleQueue()
        self._outstanding = 0
        """Number of elements that were requested and have not been returned by `take()`."""
        self._notify_wanted = False
        """Whether the last `take()` returned nothing, so that the thread must call `notify` with the next
        element."""
        self._closed = False

    def take(self, limit: int, notify: Callable[[], None]) -> tuple[list[object], bool]:
        """Return the elements that are available now, at most `limit`, and whether they are the last. If
        there are none, `notify` is called as soon as there is one."""
        if self._closed:
            return [], True
        wait = 0.0
        if self._outstanding < limit:
            self._requested.put(limit - self._outstanding)
            self._outstanding = limit
            wait = ELEMENT_WAIT
        if self._iterator is not None:
            run = copy_context().run  # the caller's context variables apply in the caller's generators
            self._thread = threads.start(run, "fetchpool-urls", self._pull, self._iterator, notify)
            self._iterator = None
        self._notify_wanted = False
        elements: list[object] = []
        while len(elements) < limit:
            try:
                element = self._found.get(timeout=wait) if wait else self._found.get_nowait()
            except Empty:
                if self._notify_wanted or elements:
                    break
                self._notify_wanted = True  # then retry: an element may have arrived before this was set
                wait = 0.0
                continue
            self._notify_wanted = False
            if isinstance(element, End):
                return self._on_end(element, elements)
            elements.append(element)
            wait = 0.0
        self._outstanding -= len(elements)
        return elements, False

    def _on_end(self, end: End, elements: list[object]) -> tuple[list[object], bool]:
        """Return the elements before the end; when there are none left, raise the iterable's exception."""
        if end.failure is None:
            return elements, True
        if elements:
            self._outstanding -= len(elements)
            self._found.put(end)
            return elements, False
        raise end.failure

    def close(self) -> None:
        """Stop reading. Idempotent."""
        self._closed = True
        self._iterator = None
        self._requested.put(0)
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(JOIN_TIMEOUT)

    def _pull(self, iterator: Iterator[object], notify: Callable[[], None]) -> None:
        """Read elements as they are requested: the thread's target."""
        found = self._found
        while not self._closed:
            for _ in range(self._requested.get()):
                if self._closed:
                    return
                end: End | None = None
                try:
                    element = next(iterator, found)  # our own queue marks the end, as it can't be an element
                except BaseException as failure:  # noqa: BLE001 - every exception is raised in the caller
                    if "thread" in str(failure):
                        failure.add_note(IN_A_THREAD)
                    end = End(failure)
                else:
                    end = End(None) if element is found else None
                if self._closed:
                    return
                found.put(end or element)
                if self._notify_wanted:
                    self._notify_wanted = False
                    notify()
                if end is not None:
                    return


def do_nothing() -> None:
    """Do nothing: the callback before `start()`."""
