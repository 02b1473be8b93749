"""Runs parsers in background threads, for a pool whose single thread runs many fetches and must not block.

In: a fetch and its `ParseRequest`. Out: the same fetch, after its parsers have returned or timed out. One
thread runs all parsers as long as they are fast, since parsers that compute would only compete for the
interpreter lock; more threads are started while parsers wait for something or don't return.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

from fetchpool.pools.parser_threads import REFUSED, ParseObserver, ParserThread, ParserThreads
from fetchpool.transports.base import Parsed, ParseRequest

MAX_THREADS = 32
"""Maximum number of threads, not counting those whose parsers timed out."""
SLOW_AFTER = 0.1
"""Seconds after which a parser counts as slow. If all running parsers are slow, one more thread is
started."""

Fetch = TypeVar("Fetch")


class ParseJob(Generic[Fetch]):
    """One page and its parsers."""

    __slots__ = ("fetch", "request", "since", "thread")

    def __init__(self, fetch: Fetch, request: ParseRequest, since: float) -> None:
        self.fetch = fetch
        self.request = request
        self.since = since
        """When the parsers started, or when the job was queued."""
        self.thread: ParserThread | None = None

    def is_overdue(self, now: float) -> bool:
        """Whether the parsers have exceeded their limit."""
        limit = self.request.limit
        return limit is not None and now - self.since >= limit


class BackgroundParsing(Generic[Fetch]):
    """Runs parsers in background threads. Its methods are for the pool's thread. True while any job is
    left."""

    def __init__(
        self, notify: Callable[[], None], clock: Callable[[], float], observer: ParseObserver | None = None
    ) -> None:
        """`notify` wakes the pool's thread; it is called from other threads. `clock`: used for all times."""
        self._notify = notify
        self._clock = clock
        self._threads = ParserThreads(observer)
        self._lock = threading.Lock()
        """Held to start, finish or abandon a job."""
        self._queue: deque[ParseJob[Fetch]] = deque()
        self._running: set[ParseJob[Fetch]] = set()
        self._done: deque[ParseJob[Fetch]] = deque()

    def __len__(self) -> int:
        return len(self._queue) + len(self._running) + len(self._done)

    @property
    def pending(self) -> list[Fetch]:
        """The fetches that are being parsed."""
        with self._lock:
            return [each.fetch for each in (*self._done, *self._running, *self._queue)]

    @property
    def stuck(self) -> int:
        """Number of parsers that did not return in time."""
        return self._threads.stuck

    def submit(self, fetch: Fetch, request: ParseRequest) -> None:
        """Queue a job; `finished()` returns its fetch later."""
        with self._lock:
            self._queue.append(ParseJob(fetch, request, self._clock()))
            if not self._running:
                self._run_next()

    def finished(self, now: float) -> list[Fetch]:
        """Remove and return the fetches that have been parsed, or whose parsers timed out. Must be called
        after each `notify`, and several times a second."""
        with self._lock:
            finished = [each.fetch for each in self._done]
            self._done.clear()
            for job in [each for each in self._running if each.is_overdue(now)]:
                self._running.discard(job)
                assert job.thread is not None
                self._threads.abandon(job.thread)
                finished.append(job.fetch)
            while self._queue and self._threads.full:
                job = self._queue.popleft()
                job.request.parsed = ({}, REFUSED)
                finished.append(job.fetch)
            if self._queue and len(self._running) < MAX_THREADS and self._is_slow(now):
                self._run_next()
        return finished

    def close(self) -> None:
        """Abandon the jobs that are left."""
        with self._lock:
            for job in self._running:
                assert job.thread is not None
                job.thread.dismiss()
            self._running.clear()
            self._queue.clear()
            self._done.clear()
            self._threads.close()

    # With the lock held

    def _is_slow(self, now: float) -> bool:
        return all(now - each.since >= SLOW_AFTER for each in self._running)

    def _run_next(self) -> None:
        """Start one more thread on the queue."""
        if self._queue and not self._threads.full:
            with suppress(RuntimeError):  # no thread is available: the next check tries again
                self._run(self._threads.acquire())

    def _run(self, thread: ParserThread) -> None:
        job = self._queue.popleft()
        job.thread, job.since = thread, self._clock()
        self._running.add(job)
        thread.run(job.request, partial(self._on_done, job))

    # In a parser thread

    def _on_done(self, job: ParseJob[Fetch], parsed: Parsed) -> None:
        """Store the result and start the thread's next job: the pool's thread may take long to do so."""
        with self._lock:
            if job not in self._running:  # it has timed out
                return
            self._running.discard(job)
            job.request.parsed = parsed
            self._done.append(job)
            assert job.thread is not None
            if self._queue:
                self._run(job.thread)
            else:
                self._threads.release(job.thread)
        self._notify()
