"""Threads for user-defined parsers, so that a parser that never returns blocks its thread, but no fetch.

In: a `ParseRequest`. Out: the same request with the parsers' result, or without one if they timed out. A
thread can't be ended: one whose parsers timed out is abandoned and replaced, and does not keep the process
from exiting.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Protocol

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, Parsed, ParseRequest

MAX_STUCK = 100
"""Maximum number of stuck threads: each keeps its page in memory, and may use a core."""
REFUSED = Failure(
    FailureKind.PARSE,
    f"not parsed: {MAX_STUCK} parsers have not returned; --executor process can end them",
)


class ParseObserver(Protocol):
    """Is notified of parsers as they run, from the threads that run them."""

    def started(self, urlnum: int) -> int:
        """The parsers of a page start; returns the argument for `ended()`."""

    def ended(self, place: int) -> None:
        """The parsers have returned."""


Job = tuple[ParseRequest, Callable[[Parsed], object]]


class ParserThread:
    """A thread that runs parsers. It ends after its jobs, when it is dismissed or this object is garbage
    collected."""

    __slots__ = ("__weakref__", "_jobs", "dismiss", "thread")

    def __init__(self, observer: ParseObserver | None = None) -> None:
        """Raises `RuntimeError` if the system has no more threads."""
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        arguments = (self._jobs, observer)
        self.thread = threading.Thread(target=serve, args=arguments, name="fetchpool-parser", daemon=True)
        self.thread.start()
        self.dismiss = weakref.finalize(self, self._jobs.put, None)
        self.dismiss.atexit = False

    def run(self, request: ParseRequest, done: Callable[[Parsed], object]) -> None:
        """Queue a request's parsers; `done` is called in the thread."""
        self._jobs.put((request, done))


class ParserThreads:
    """The parser threads of one pool."""

    def __init__(self, observer: ParseObserver | None = None) -> None:
        self._observer = observer
        self._idle: list[ParserThread] = []
        self._waiting: set[SimpleQueue[Parsed | None]] = set()
        self._stopped = False
        self._stuck_threads: list[threading.Thread] = []
        self.stuck = 0
        """Number of parsers that did not return in time, and may run forever."""

    @property
    def full(self) -> bool:
        """Whether too many threads are stuck to start another one."""
        if len(self._stuck_threads) >= MAX_STUCK:
            self._stuck_threads = [thread for thread in self._stuck_threads if thread.is_alive()]
        return len(self._stuck_threads) >= MAX_STUCK

    def acquire(self) -> ParserThread:
        """Return an idle thread or a new one, for use until `release()`. Raises `RuntimeError` if there is
        none."""
        try:
            return self._idle.pop()  # the one used last, whose memory is still in the caches
        except IndexError:
            return ParserThread(self._observer)

    def release(self, thread: ParserThread) -> None:
        """Take back a thread that is idle."""
        self._idle.append(thread)

    def abandon(self, thread: ParserThread) -> None:
        """Abandon a thread whose parsers timed out."""
        self.stuck += 1
        self._stuck_threads.append(thread.thread)
        thread.dismiss()

    def run(self, request: ParseRequest) -> None:
        """Run a request's parsers, and wait for them until the request's limit or `stop()`. Any thread that
        fetches may call it."""
        if self.full:
            request.parsed = ({}, REFUSED)
            return
        try:
            thread = self.acquire()
        except RuntimeError:  # no thread is available, so the caller's own is used
            request.parsed = request.run()
            return
        done: SimpleQueue[Parsed | None] = SimpleQueue()
        self._waiting.add(done)
        try:
            thread.run(request, done.put)
            if self._stopped:
                done.put(None)
            request.parsed = done.get(timeout=request.limit)
        except Empty:
            self.abandon(thread)
            return
        finally:
            self._waiting.discard(done)
        request.stopped = request.parsed is None
        if request.stopped:
            thread.dismiss()
        else:
            self.release(thread)

    def stop(self) -> None:
        """Abandon the running parsers and all later ones. Any thread may call it."""
        self._stopped = True
        for done in list(self._waiting):
            done.put(None)

    def close(self) -> None:
        """Dismiss the idle threads."""
        while self._idle:
            self._idle.pop().dismiss()


def serve(jobs: SimpleQueue[Job | None], observer: ParseObserver | None) -> None:
    """Thread target: run jobs until None comes. It holds no reference to its `ParserThread`, which can then
    be garbage collected."""
    while (job := jobs.get()) is not None:
        request, done = job
        if observer is None:
            done(request.run())
        else:
            place = observer.started(request.urlnum)
            parsed = request.run()
            observer.ended(place)
            done(parsed)
            del parsed
        del job, request, done  # frees the page now, not when the next one arrives


def run_here(request: ParseRequest) -> None:
    """Run the parsers in the caller's thread. For a worker process, which is killed if they take too long."""
    request.parsed = request.run()
