"""Parsing beside a thread that drives many fetches: what it does with a `ParseRequest` instead of waiting.

In: what is fetched and its request. Out: it again, when its parsers are done or were given up. There is one
thread for parsers as long as they are quick, since those that compute only take the interpreter from each
other, and more while they wait for something, or never return.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Generic, TypeVar

from fetchpool.pools.parser_threads import REFUSED, ParserThread, ParserThreads
from fetchpool.transports.base import Parsed, ParseRequest

MOST = 32
"""Threads at once, without those that were given up."""
PATIENCE = 0.1
"""Seconds after which parsers are not quick: when all that run have taken as long, there is one
thread more."""

Fetch = TypeVar("Fetch")


class Parsing(Generic[Fetch]):
    """One page at its parsers."""

    __slots__ = ("fetch", "request", "since", "thread")

    def __init__(self, fetch: Fetch, request: ParseRequest, since: float) -> None:
        self.fetch = fetch
        self.request = request
        self.since = since
        """When it began, or began to wait for a thread."""
        self.thread: ParserThread | None = None


class ParsingBeside(Generic[Fetch]):
    """Its methods are for the thread that drives. True while anything is being parsed."""

    def __init__(self, ring: Callable[[], None]) -> None:
        """`notify` wakes that thread; it is called from others."""
        self._ring = ring
        self._threads = ParserThreads()
        self._lock = threading.Lock()
        """Whoever begins with a page, or is done with it, or gives it up, holds this lock."""
        self._queue: deque[Parsing[Fetch]] = deque()
        self._running: set[Parsing[Fetch]] = set()
        self._done: deque[Parsing[Fetch]] = deque()

    def __len__(self) -> int:
        return len(self._queue) + len(self._running) + len(self._done)

    @property
    def waiting(self) -> list[Fetch]:
        """What is being parsed."""
        with self._lock:
            return [each.fetch for each in (*self._done, *self._running, *self._queue)]

    @property
    def given_up(self) -> int:
        """Parsers that did not return in time."""
        return self._threads.given_up

    def begin(self, fetch: Fetch, request: ParseRequest) -> None:
        """It will be among those that have `ended()`."""
        with self._lock:
            self._queue.append(Parsing(fetch, request, monotonic()))
            if not self._running:
                self._run_next()

    def ended(self, now: float) -> list[Fetch]:
        """What has been parsed, or was given up. To be asked after each ring, and some times a second."""
        with self._lock:
            ended = [each.fetch for each in self._done]
            self._done.clear()
            for parsing in [each for each in self._running if now - each.since >= each.request.limit]:
                self._running.discard(parsing)
                assert parsing.thread is not None
                self._threads.leave(parsing.thread)
                ended.append(parsing.fetch)
            while self._queue and self._threads.refuses:
                parsing = self._queue.popleft()
                parsing.request.parsed = ({}, REFUSED)
                ended.append(parsing.fetch)
            if self._queue and len(self._running) < MOST and self._is_slow(now):
                self._run_next()
        return ended

    def close(self) -> None:
        """Gives up what is left, without a word."""
        with self._lock:
            for parsing in self._running:
                assert parsing.thread is not None
                parsing.thread.let_go()
            self._running.clear()
            self._queue.clear()
            self._done.clear()
            self._threads.close()

    # With the lock held

    def _is_slow(self, now: float) -> bool:
        return all(now - each.since >= PATIENCE for each in self._running)

    def _run_next(self) -> None:
        """Has one thread more begin with what waits."""
        if self._queue and not self._threads.refuses:
            with suppress(RuntimeError):  # no thread is to be had: another look may find one
                self._run(self._threads.take())

    def _run(self, thread: ParserThread) -> None:
        parsing = self._queue.popleft()
        parsing.thread, parsing.since = thread, monotonic()
        self._running.add(parsing)
        thread.run(parsing.request, partial(self._is_done, parsing))

    # In a thread of the parsers'

    def _is_done(self, parsing: Parsing[Fetch], parsed: Parsed) -> None:
        """It goes on with the next page by itself: a word from the thread that drives would take long."""
        with self._lock:
            if parsing not in self._running:  # it was given up
                return
            self._running.discard(parsing)
            parsing.request.parsed = parsed
            self._done.append(parsing)
            assert parsing.thread is not None
            if self._queue:
                self._run(parsing.thread)
            else:
                self._threads.back(parsing.thread)
        self._ring()
