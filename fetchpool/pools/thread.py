"""The thread pool: threads that each have a transport, and share one queue.

    submit() ──▶ _queue ──▶ a worker thread, one request after the other ──▶ Future.set_result()

A thread works until the queue is empty: while requests are queued, no thread goes to sleep only for another
to be woken, which would cost as much as a short fetch. `max_workers` threads work at once, or fewer while
they contend for the interpreter's lock (`thread_limit.py`).

The threads are daemons. `ThreadPoolExecutor` is not used: the interpreter waits for its threads, however late
their deadlines are, and it accepts nothing more once the main thread has ended, while other threads of a
program may still fetch.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from enum import Enum, auto
from queue import SimpleQueue
from time import monotonic, process_time

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.errors import NoThreadError, PoolClosedError
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.pools.parser_threads import ParseObserver, ParserThreads
from fetchpool.pools.thread_limit import FEWEST, ThreadLimit
from fetchpool.pools.worker import Worker
from fetchpool.runtime import forks, threads
from fetchpool.transports import watchdog

STACK = 512 * 1024
"""Bytes of address space for a worker's stack: libcurl with TLS needs a tenth of it, and two thousand stacks
of the usual 8 MB would be 16 GB. Threads that run user-defined parsers keep the usual size."""
MANY = 1000
SMALL_BUFFER = 2 * 1024
"""Bytes that libcurl reads at once with more than `MANY` threads, each of which keeps its buffer."""
LIMITED_PENDING = 100
"""`max_pending` while the number of threads is limited: a few milliseconds of work, so that the engine
handles many requests per iteration."""
TICK = 0.02
"""Seconds between two updates of the thread limit."""
IDLE_TICKS = 50
"""Number of updates of an idle pool after which the adjusting thread ends, until there is work again."""
ABORT_TIMEOUT = 5.0
"""Seconds to wait for aborted threads. A thread in which a program's callback does not return can't be
ended."""


class Then(Enum):
    """The next step of a thread."""

    WORK = auto()
    WAIT = auto()
    """Wait for the next command."""
    RELEASE = auto()
    """Shut down the pool, which the program no longer references."""
    END = auto()


class ThreadPool:
    """A pool of up to `max_workers` threads, each started when there is work for it."""

    def __init__(
        self,
        max_workers: int,
        options: FetchOptions,
        *,
        parses: ParseObserver | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        """`parses` is notified of user-defined parsers; `exchange` is used instead of one made from the
        options. Raises `UsageError` when a parser or the transport can't be loaded."""
        self.max_workers = max_workers
        self._opened_with = max_workers
        if max_workers > MANY:
            options = replace(options, buffersize=SMALL_BUFFER)
        self._options = options
        self._closed = self._aborted = False
        self._exchange = exchange or Exchange(options, watchdog.shared().clock.now)
        self._lock = threading.Lock()
        """Held to queue a request, and to start or stop working on the queue."""
        self._queue: deque[tuple[FetchRequest, LightFuture]] = deque()
        self._working = 0
        """Number of threads that work on the queue, or are about to."""
        self._done = 0
        """Approximate number of fetches: two threads may increment it at the same time."""
        self._parsers = ParserThreads(parses)
        self._opened: list[Worker] = [
            self._new_worker()
        ]  # raises now the error that every worker would raise
        self._free_workers = list(self._opened)
        """Workers without a thread. The one used last, whose connections are open, is used next."""
        self._threads: list[threading.Thread] = []
        self._living = self._idle = 0
        """Number of living threads, and of those that wait for a command."""
        self._commands: SimpleQueue[Then] = SimpleQueue()
        # With a rate limit, each request must reach the server when it is started: none may wait in the
        # queue.
        self._limit = ThreadLimit(max_workers, is_used=options.follow_within_hosts)
        self._adjuster: threading.Thread | None = None
        self._ended = threading.Event()

    def submit(self, request: FetchRequest, *, alone: bool = False) -> LightFuture:  # noqa: ARG002 - a crash is all workers'
        future = LightFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError("the pool was shut down; open another one")
            self._queue.append((request, future))
            if self._working < self._limit.limit:
                try:
                    self._start()
                except BaseException:
                    self._queue.clear()  # no thread works on the queue
                    raise
        return future

    @property
    def keeps_spacing(self) -> bool:
        return False

    @property
    def max_pending(self) -> int:
        limited = self._limit.limit < self.max_workers
        return max(self.max_workers, LIMITED_PENDING) if limited else self.max_workers

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def stuck(self) -> int:
        return self._parsers.stuck

    def resize(self, workers: int) -> None:
        with self._lock:
            self.max_workers = workers
            self._limit.resize(workers)
            self._add_threads()

    def space_hops(self, spaced: bool) -> None:
        follows = self._options.follow_within_hosts and not spaced
        with self._lock:
            self._exchange.follows_within = follows
            self._limit.is_used = follows
            self._limit.resize(self.max_workers)
            self._add_threads()

    def cancel_pending(self, host: str | None = None) -> None:
        taken: list[LightFuture] = []
        with self._lock:  # no thread must find the queue empty meanwhile and stop
            for _ in range(len(self._queue)):
                try:
                    request, future = self._queue.popleft()
                except IndexError:  # a worker has taken it
                    break
                if host is None or request.host == host:
                    taken.append(future)
                else:
                    self._queue.append((request, future))
        for future in reversed(taken):  # a caller that prepends each restores their order
            future.cancel()
            future.set_running_or_notify_cancel()

    def release(self) -> None:
        if self._living:
            self._commands.put(Then.RELEASE)
        elif self._queue:  # requests wait for a `resize()`
            threads.start(self.shutdown, "fetchpool-release")

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
        with self._lock:  # all threads may work on the remaining requests
            if not self.max_workers:  # waiting requests are fetched now
                self.max_workers = self._opened_with
                self._limit.resize(self.max_workers)
            self._limit.limit = self.max_workers
            self._add_threads()
            for _ in range(self._idle):
                self._commands.put(Then.END)
            self._idle = 0
            mine = [*self._threads, *([] if self._adjuster is None else [self._adjuster])]
        if threading.current_thread() in mine:
            return  # called in a callback; the last thread closes the workers
        until = monotonic() + ABORT_TIMEOUT
        for thread in mine:
            thread.join(max(0.0, until - monotonic()) if self._aborted else None)
        if not self._living:
            self._close_workers()

    def _close_workers(self) -> None:
        with self._lock:  # another thread may do the same, but each worker is closed once
            opened, self._opened = self._opened, []
        for worker in opened:
            worker.close()
        self._parsers.close()

    # With the lock held

    def _add_threads(self) -> None:
        """Start as many threads as there is work for, within the limit."""
        for _ in range(min(len(self._queue), self._limit.limit - self._working)):
            self._start()

    def _start(self) -> None:
        """Wake an idle thread, or start one."""
        if self._idle:
            self._idle -= 1
            self._commands.put(Then.WORK)
        else:
            try:
                with nullcontext() if self._options.parse else small_stack():
                    thread = threads.start(self._run, f"fetchpool_{self._living}")
            except NoThreadError:
                if not self._living:
                    raise
                return  # the existing threads have to suffice
            self._threads.append(thread)
            self._living += 1
        self._working += 1
        if self._adjuster is None and self._limit.is_used and self._working > FEWEST:
            with suppress(NoThreadError):
                self._adjuster = threads.start(self._adjust, "fetchpool-thread-limit")

    # In a worker's thread

    def _run(self) -> None:
        """Thread target: work until the pool ends."""
        while self._work() is Then.WAIT:
            while (then := self._commands.get()) is Then.RELEASE:
                self.shutdown()
            if then is Then.END:
                break
        with self._lock:
            self._living -= 1
            is_last = self._closed and not self._living
        if is_last:
            self._close_workers()

    def _work(self) -> Then:
        """Fetch queued requests as long as the limit allows; return the next step."""
        worker: Worker | None = None
        queue, limit = self._queue, self._limit
        while True:
            try:
                request, future = queue.popleft()
            except IndexError:
                if (then := self._try_exit(worker)) is not Then.WORK:
                    return then
                continue
            if self._aborted:
                future.cancel()  # this thread took it before `cancel_pending()` did
            if future.set_running_or_notify_cancel():
                try:
                    if worker is None:
                        worker = self._worker()
                    outcome = worker.fetch(request)
                except BaseException as error:  # noqa: BLE001 - the caller waits for the future
                    future.set_exception(error)
                else:
                    future.complete(outcome)
            self._done += 1
            if self._working > limit.limit and (then := self._try_exit(worker)) is not Then.WORK:
                return then

    def _try_exit(self, worker: Worker | None) -> Then:
        """Stop working, unless queued requests would be left to no thread."""
        with self._lock:
            if self._queue and self._working <= self._limit.limit:
                return Then.WORK
            self._working -= 1
            if worker is not None:
                self._free_workers.append(worker)
            if self._closed:  # nothing more will be submitted
                return Then.END
            self._idle += 1
            return Then.WAIT

    def _worker(self) -> Worker:
        with self._lock:
            if self._free_workers:
                return self._free_workers.pop()
        worker = self._new_worker()
        with self._lock:
            self._opened.append(worker)
            if self._aborted:
                worker.abort()
        return worker

    def _new_worker(self) -> Worker:
        return Worker(self._options, self._exchange, self._parsers.run)

    # In the adjusting thread

    def _adjust(self) -> None:
        """Thread target: update the limit and start threads, also while all threads wait for slow servers and
        nothing is submitted. Ends when the pool is idle, so as not to keep a dropped pool alive."""
        idle = 0
        while not self._ended.wait(TICK):
            with self._lock:
                if self._closed:
                    return
                self._limit.update(monotonic(), process_time(), self._done)
                self._add_threads()
                idle = 0 if self._working else idle + 1
                if idle > IDLE_TICKS:
                    self._adjuster = None
                    return


@contextmanager
def small_stack() -> Iterator[None]:
    """Set a small stack for the thread that is started within the block. The size is global to the process,
    so the program's own setting is restored; it can't be read without being set."""
    global _before
    with _stack_size:
        before = _before = threading.stack_size(STACK)
        try:
            yield
        finally:
            threading.stack_size(before)
            _before = None


_stack_size = threading.Lock()
"""Held while the stack size is changed: if two pools started a thread at once, one would restore the size of
the other."""
_before: int | None = None
"""The stack size to restore, while a thread is started."""


@forks.in_child
def _renew() -> None:
    global _stack_size, _before
    _stack_size = threading.Lock()
    if _before is not None:
        threading.stack_size(_before)
        _before = None
