"""Threads beside those that fetch, for a person's own parsers: one that never returns holds up its thread,
and nobody who fetches.

In: a `ParseRequest`. Out: the same with what the parsers came to, or without, when they were given up. A
thread can't be ended: one whose parsers were given up goes on by itself, keeps nobody from exiting, and
another one takes its place.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, Parsed, ParseRequest

MOST_GIVEN_UP = 100
"""Threads that may go on by themselves: each keeps its page, and may use a core."""
REFUSED = Failure(
    FailureKind.PARSE,
    f"not parsed: {MOST_GIVEN_UP} parsers have not returned; --executor process can end them",
)

Job = tuple[ParseRequest, Callable[[Parsed], object]]


class ParserThread:
    """One thread. It ends when it is let go, or nobody knows it any more, and has nothing to do."""

    __slots__ = ("__weakref__", "_jobs", "let_go", "thread")

    def __init__(self) -> None:
        """Raises `RuntimeError` when the system has no more threads."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self.thread = threading.Thread(target=serve, args=(self._jobs,), name="fetchpool-parser", daemon=True)
        self.thread.start()
        self.let_go = weakref.finalize(self, self._jobs.put, None)
        self.let_go.atexit = False

    def run(self, request: ParseRequest, done: Callable[[Parsed], object]) -> None:
        """Has the parsers run, one request after the other; `done` is called in that thread."""
        self._jobs.put((request, done))


class ParserThreads:
    """Those of a pool."""

    def __init__(self) -> None:
        self._idle: list[ParserThread] = []
        self._waiting: set[SimpleQueue[Parsed | None]] = set()
        self._stopped = False
        self._left: list[threading.Thread] = []
        self.given_up = 0
        """Parsers that did not return in time, and may go on for ever."""

    @property
    def refuses(self) -> bool:
        """There are too many threads already that go on by themselves."""
        if len(self._left) >= MOST_GIVEN_UP:
            self._left = [thread for thread in self._left if thread.is_alive()]
        return len(self._left) >= MOST_GIVEN_UP

    def take(self) -> ParserThread:
        """A thread with nothing to do, to be given `back()`. Raises `RuntimeError` when there is none."""
        try:
            return self._idle.pop()  # whose memory is warm
        except IndexError:
            return ParserThread()

    def back(self, thread: ParserThread) -> None:
        """It has nothing to do."""
        self._idle.append(thread)

    def leave(self, thread: ParserThread) -> None:
        """Its parsers were given up."""
        self.given_up += 1
        self._left.append(thread.thread)
        thread.let_go()

    def run(self, request: ParseRequest) -> None:
        """Has a request's parsers run, and waits for them; at most its limit, or until `stop()`. From any
        thread that fetches."""
        if self.refuses:
            request.parsed = ({}, REFUSED)
            return
        try:
            thread = self.take()
        except RuntimeError:  # with no thread to be had, its own is better than none
            request.parsed = request.run()
            return
        done: SimpleQueue[Parsed | None] = SimpleQueue()
        self._waiting.add(done)
        try:
            thread.run(request, done.put)
            if self._stopped:
                done.put(None)
            limit = request.limit
            request.parsed = done.get(timeout=None if math.isinf(limit) else limit)
        except Empty:
            self.leave(thread)
            return
        finally:
            self._waiting.discard(done)
        request.stopped = request.parsed is None
        if request.stopped:
            thread.let_go()
        else:
            self.back(thread)

    def stop(self) -> None:
        """Gives up what is running, and all that comes later. From any thread."""
        self._stopped = True
        for done in list(self._waiting):
            done.put(None)

    def close(self) -> None:
        """Lets the idle threads go."""
        while self._idle:
            self._idle.pop().let_go()


def serve(jobs: SimpleQueue[Job | None]) -> None:
    """What a thread does. It knows its jobs alone, so that it ends with whoever gives them."""
    while (job := jobs.get()) is not None:
        request, done = job
        done(request.run())
        del job, request, done  # the page is not kept until the next one comes


def run_here(request: ParseRequest) -> None:
    """For a worker that is a process: it is ended when its parsers take too long."""
    request.parsed = request.run()
