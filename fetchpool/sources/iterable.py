"""URLs from a program: any iterable of `str`, pulled only as far as needed.

In: an iterable, endless ones too. Out: requests. A list or the like is read in the caller's thread. Anything
else may take its time for an element, or wait for what becomes of the earlier ones, so a thread of its own
pulls it (`Puller`): what has ended meanwhile is handed out. An exception of the iterable's own is the
caller's: it comes out of `take()` as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import copy_context
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Thread, current_thread
from typing import Final

from fetchpool.model.errors import UsageError
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import one_line
from fetchpool.model.urls import request
from fetchpool.runtime import threads
from fetchpool.sources.lines import KEPT

COLLECTIONS = (list, tuple, set, frozenset, dict, deque)
"""What has all its elements already, and never makes one wait for the next."""
PATIENCE = 0.001
"""Seconds to wait for an element before something else is done: many times what a quick generator takes."""
SHOWN = 80
"""Characters of what is no URL."""
HUGE = 10**SHOWN
"""A whole number that is not shown."""
LAST_LOOK = 0.1
"""Seconds to wait, at the end, for the thread that pulls. One that waits for an element can't be ended."""
IN_A_THREAD = (
    "fetchpool reads an iterator in a thread of its own, since it may have to wait for an element; "
    "what only works in your thread has to come as a list: fetch(list(urls))"
)


class IterableSource:
    """A `Source` over an iterable. Every element is a URL and gets its row, an empty one as well."""

    def __init__(self, urls: Iterable[str]) -> None:
        """Raises `UsageError` for a lone `str` or `bytes`, which would be taken letter by letter."""
        if isinstance(urls, str | bytes):
            raise UsageError("urls: one URL where several are expected; put it into a list: [url]")
        iterator: Iterator[object] = iter(urls)
        self._elements: Elements | Puller = (
            Elements(iterator) if isinstance(urls, COLLECTIONS) else Puller(iterator)
        )
        self._notify: Callable[[], None] = do_nothing
        self._taken = 0
        self.lazy = True
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None

    def start(self, notify: Callable[[], None]) -> None:
        """Pulls nothing yet."""
        self._notify = notify

    def take(self, limit: int) -> list[FetchRequest]:
        """The next elements, as requests: those that are there now. One that is no `str` is refused, and what
        it is stands in its row. Raises what the iterable raises."""
        requests: list[FetchRequest] = []
        if self.exhausted or limit < 1:
            return requests
        elements, self.exhausted = self._elements.take(limit, self._notify)
        for url in elements:
            if isinstance(url, str):
                requests.append(request(self._taken, url.strip()[:KEPT]))
            else:
                problem = f"there is {described(url)} where a URL, which is a str, is expected"
                requests.append(
                    FetchRequest(self._taken, "", "", "", refused=FailureKind.INVALID_URL, problem=problem)
                )
            self._taken += 1
        return requests

    def close(self) -> None:
        """Takes nothing more. A generator is closed by whoever made it."""
        self._elements.close()


def described(element: object) -> str:
    """What an element is. Only small values of Python's own are shown: another's `repr()` may do anything."""
    if isinstance(element, bytes):
        return f"bytes ({one_line(repr(element[:SHOWN]), SHOWN)})"
    if element is None or type(element) in (bool, float) or (type(element) is int and abs(element) < HUGE):
        return repr(element)
    return f"an object of type {one_line(type(element).__name__, SHOWN)}"


class Elements:
    """Of an iterable that nobody has to wait for."""

    def __init__(self, iterator: Iterator[object]) -> None:
        self._iterator = iterator

    def take(self, limit: int, _notify: Callable[[], None]) -> tuple[list[object], bool]:
        """At most so many, and whether these are the last."""
        elements = list(islice(self._iterator, limit))
        return elements, len(elements) < limit

    def close(self) -> None:
        """There is nothing more to take."""
        self._iterator = iter(())


class End:
    """What the thread that pulls says last."""

    def __init__(self, failure: BaseException | None) -> None:
        self.failure: Final = failure
        """What the iterable has raised."""


class Puller:
    """Pulls an iterable in a thread of its own, never further than it was asked to.

    take() ──_asked──▶ the thread: next(iterator) ──_found──▶ take()

    The thread is a daemon: it may wait for an element that never comes (`iter(queue.get, None)`), and ends
    with the wait or with the process.
    """

    def __init__(self, iterator: Iterator[object]) -> None:
        """Starts no thread yet."""
        self._iterator: Iterator[object] | None = iterator
        self._thread: Thread | None = None
        self._asked: SimpleQueue[int] = SimpleQueue()
        """How many elements more; 0: it is closed."""
        self._found: SimpleQueue[object] = SimpleQueue()
        self._owed = 0
        """Elements that were asked for and have not been taken."""
        self._hungry = False
        """The last `take()` came up short: whoever finds something more is to say so."""
        self._closed = False

    def take(self, limit: int, notify: Callable[[], None]) -> tuple[list[object], bool]:
        """As many as there are by now, at most so many, and whether these are the last. When there is none,
        `notify` is called as soon as there is."""
        if self._closed:
            return [], True
        patience = 0.0
        if self._owed < limit:
            self._asked.put(limit - self._owed)
            self._owed = limit
            patience = PATIENCE
        if self._iterator is not None:
            run = copy_context().run  # what the caller has set holds in the caller's generators
            self._thread = threads.start(run, "fetchpool-urls", self._pull, self._iterator, notify)
            self._iterator = None
        self._hungry = False
        elements: list[object] = []
        while len(elements) < limit:
            try:
                element = self._found.get(timeout=patience) if patience else self._found.get_nowait()
            except Empty:
                if self._hungry or elements:
                    break
                self._hungry = True  # and look again: it may have come before this was said
                patience = 0.0
                continue
            self._hungry = False
            if isinstance(element, End):
                return self._ended(element, elements)
            elements.append(element)
            patience = 0.0
        self._owed -= len(elements)
        return elements, False

    def _ended(self, end: End, elements: list[object]) -> tuple[list[object], bool]:
        """The elements before the end, or what the iterable has raised, once these are taken."""
        if end.failure is None:
            return elements, True
        if elements:
            self._owed -= len(elements)
            self._found.put(end)
            return elements, False
        raise end.failure

    def close(self) -> None:
        """Asks for nothing more. Idempotent."""
        self._closed = True
        self._iterator = None
        self._asked.put(0)
        if self._thread is not None and self._thread is not current_thread():
            self._thread.join(LAST_LOOK)

    def _pull(self, iterator: Iterator[object], notify: Callable[[], None]) -> None:
        """For the thread."""
        found = self._found
        while not self._closed:
            for _ in range(self._asked.get()):
                if self._closed:
                    return
                end: End | None = None
                try:
                    element = next(iterator, found)  # no element is our own queue
                except BaseException as failure:  # noqa: BLE001 - whatever it is, it is the caller's
                    if "thread" in str(failure):
                        failure.add_note(IN_A_THREAD)
                    end = End(failure)
                else:
                    end = End(None) if element is found else None
                if self._closed:
                    return
                found.put(end or element)
                if self._hungry:
                    self._hungry = False
                    notify()
                if end is not None:
                    return


def do_nothing() -> None:
    """Nobody is to be told."""
