"""The thread pool: a transport of its own for every thread.

    submit() ──▶ _queue ──▶ a thread that serves it, one request after the other ──▶ Future.set_result()

A thread serves the queue until it is empty: while there is something to do none is put to sleep and another
one woken, which costs as much as a short fetch. How many serve at once is `workers`, or fewer while they only
stand in each other's way (`crowding.py`).

The threads are daemons. The standard library's executor is not used: the interpreter waits for its threads,
however far their deadlines are, and they take nothing more once the main thread has ended, while others of a
program still fetch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext, suppress
from enum import Enum, auto
from queue import SimpleQueue
from time import monotonic, process_time

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.errors import NoThreadError, PoolClosedError
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.pools.parser_threads import ParserThreads
from fetchpool.pools.thread_limit import FEWEST, ThreadLimit
from fetchpool.pools.worker import Worker
from fetchpool.runtime import forks, threads

STACK = 512 * 1024
"""Bytes of address space for a worker's stack: libcurl with TLS needs a tenth of it, and two thousand of
the usual 8 MB would be 16 GB. A person's own parser may recurse as deep as it could elsewhere."""
MANY = 1000
SMALL_BUFFER = 2 * 1024
"""Bytes libcurl reads at once for more than `MANY` threads: each keeps its buffer, as far as it was used."""
CROWDED_WINDOW = 100
"""Submissions to hold while fewer threads serve than might: some milliseconds' work, so that whoever
submits need not come for each."""
TICK = 0.02
"""Seconds between two looks at how many threads pay."""
IDLE_LOOKS = 50
"""After so many looks at a pool with nothing to do its look-out ends, until there is something again."""
LAST_WORDS = 5.0
"""Seconds to wait for aborted threads. One in which a callback of the program's does not return can't be
ended."""


class Then(Enum):
    """What a thread does next."""

    SERVE = auto()
    WAIT = auto()
    """Until it is called."""
    RELEASE = auto()
    """The program has forgotten the pool: whoever is called so shuts it down."""
    END = auto()


class ThreadPool:
    """`workers` threads, each started when there is something for it to do."""

    def __init__(self, max_workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.max_workers = max_workers
        if max_workers > MANY:
            options = replace(options, buffersize=SMALL_BUFFER)
        self._options = options
        self._closed = self._aborted = False
        self._exchange = Exchange(options)
        self._lock = threading.Lock()
        """Whoever puts something into the queue, leaves it or starts to serve it holds this lock."""
        self._queue: deque[tuple[FetchRequest, Future[Outcome]]] = deque()
        self._serving = 0
        """Threads that serve the queue, or are about to."""
        self._done = 0
        """Fetches, about: two threads may count at the same time."""
        self._parsers = ParserThreads()
        self._opened: list[Worker] = [self._made()]  # shows that it can be done
        self._spare = list(self._opened)
        """Workers without a thread; the one that was used last, whose connections are warm, is the next."""
        self._threads: list[threading.Thread] = []
        self._living = self._idle = 0
        """Threads that have not ended, and those of them that wait to be called."""
        self._calls: SimpleQueue[Then] = SimpleQueue()
        # Where starts are spaced, each must reach the server when it is made: none may wait in the queue.
        self._may_crowd = max_workers > FEWEST and options.follow_within_hosts
        self._crowding = ThreadLimit(max_workers)
        self._lookout: threading.Thread | None = None
        self._ended = threading.Event()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future = LightFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError("the pool was shut down; open another one")
            self._queue.append((request, future))
            if self._serving < self._crowding.limit:
                try:
                    self._start()
                except BaseException:
                    self._queue.clear()  # nobody serves it
                    raise
        return future

    @property
    def max_pending(self) -> int:
        crowded = self._crowding.limit < self.max_workers
        return max(self.max_workers, CROWDED_WINDOW) if crowded else self.max_workers

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def stuck(self) -> int:
        return self._parsers.stuck

    def cancel_pending(self, host: str | None = None) -> None:
        taken: list[Future[Outcome]] = []
        with self._lock:  # nobody finds the queue empty meanwhile, and leaves
            for _ in range(len(self._queue)):
                try:
                    request, future = self._queue.popleft()
                except IndexError:  # a worker was quicker
                    break
                if host is None or request.host == host:
                    taken.append(future)
                else:
                    self._queue.append((request, future))
        for future in reversed(taken):  # whoever puts each before the others has them in order again
            future.cancel()
            future.set_running_or_notify_cancel()

    def release(self) -> None:
        if self._living:
            self._calls.put(Then.RELEASE)

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
            self._aborted = self._aborted or abort
            for worker in self._opened if self._aborted else ():
                worker.abort()
        if abort:
            self.cancel_pending()
            self._parsers.stop()
        self._ended.set()
        with self._lock:  # for what is left there are as many threads as there may be
            self._crowding.limit = self.max_workers
            self._add_threads()
            for _ in range(self._idle):
                self._calls.put(Then.END)
            self._idle = 0
            mine = [*self._threads, *([] if self._lookout is None else [self._lookout])]
        if threading.current_thread() in mine:
            return  # a callback, which others wait for; the last of them closes the workers
        until = monotonic() + LAST_WORDS
        for thread in mine:
            thread.join(max(0.0, until - monotonic()) if self._aborted else None)
        if not self._living:
            self._close_workers()

    def _close_workers(self) -> None:
        with self._lock:  # another may be shutting it down as well: each is closed once
            opened, self._opened = self._opened, []
        for worker in opened:
            worker.close()
        self._parsers.close()

    # With the lock held

    def _add_threads(self) -> None:
        """As many threads more as there is work for, and as pay."""
        for _ in range(min(len(self._queue), self._crowding.limit - self._serving)):
            self._start()

    def _start(self) -> None:
        """Calls a thread that has nothing to do, or starts one."""
        if self._idle:
            self._idle -= 1
            self._calls.put(Then.SERVE)
        else:
            try:
                with nullcontext() if self._options.parse else small_stack():
                    thread = threads.start(self._live, f"fetchpool_{self._living}")
            except NoThreadError:
                if not self._living:
                    raise
                return  # those that are there have to do
            self._threads.append(thread)
            self._living += 1
        self._serving += 1
        if self._lookout is None and self._may_crowd and self._serving > FEWEST:
            with suppress(NoThreadError):
                self._lookout = threads.start(self._look, "fetchpool-crowding")

    # In a worker's thread

    def _live(self) -> None:
        """All that a thread does."""
        while self._serve() is Then.WAIT:
            while (then := self._calls.get()) is Then.RELEASE:
                self.shutdown()
            if then is Then.END:
                break
        with self._lock:
            self._living -= 1
            is_last = self._closed and not self._living
        if is_last:
            self._close_workers()

    def _serve(self) -> Then:
        """All that is in the queue, as long as the thread pays; what is to be done after that."""
        worker: Worker | None = None
        queue, crowding = self._queue, self._crowding
        while True:
            try:
                request, future = queue.popleft()
            except IndexError:
                if (then := self._leave(worker)) is not Then.SERVE:
                    return then
                continue
            if future.set_running_or_notify_cancel():
                try:
                    if worker is None:
                        worker = self._worker()
                    outcome = worker.fetch(request)
                except BaseException as defect:  # noqa: BLE001 - somebody waits for it, whatever it is
                    future.set_exception(defect)
                else:
                    future.set_result(outcome)
            self._done += 1
            if self._serving > crowding.limit and (then := self._leave(worker)) is not Then.SERVE:
                return then

    def _leave(self, worker: Worker | None) -> Then:
        """Serves no more, unless that would leave something undone."""
        with self._lock:
            if self._queue and self._serving <= self._crowding.limit:
                return Then.SERVE
            self._serving -= 1
            if worker is not None:
                self._spare.append(worker)
            if self._closed:  # nothing more will come
                return Then.END
            self._idle += 1
            return Then.WAIT

    def _worker(self) -> Worker:
        with self._lock:
            if self._spare:
                return self._spare.pop()
        worker = self._made()
        with self._lock:
            self._opened.append(worker)
            if self._aborted:
                worker.abort()
        return worker

    def _made(self) -> Worker:
        return Worker(self._options, self._exchange, self._parsers.run)

    # In the look-out's thread

    def _look(self) -> None:
        """Sees to it that as many threads serve as pay, also when all of them wait for slow servers and
        nobody submits. It ends when there is nothing to do: a pool that was dropped is not kept by it."""
        idle = 0
        while not self._ended.wait(TICK):
            self._crowding.look(monotonic(), process_time(), self._done)
            with self._lock:
                if self._closed:
                    return
                self._add_threads()
                idle = 0 if self._serving else idle + 1
                if idle > IDLE_LOOKS:
                    self._lookout = None
                    return


@contextmanager
def small_stack() -> Iterator[None]:
    """For a thread that is started meanwhile. The size is the process's: what a program has set comes back.
    To ask for it without setting it is not possible."""
    global _before
    with _stack_size:
        before = _before = threading.stack_size(STACK)
        try:
            yield
        finally:
            threading.stack_size(before)
            _before = None


_stack_size = threading.Lock()
"""Of two pools that start a thread at once, one would take the other's for what it was before."""
_before: int | None = None
"""What it is to be again, while a thread is started."""


@forks.in_child
def _renew() -> None:
    global _stack_size, _before
    _stack_size = threading.Lock()
    if _before is not None:
        threading.stack_size(_before)
        _before = None
