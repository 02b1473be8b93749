"""The thread pool: the standard library's executor, a transport of its own for every thread.

    submit() ──▶ _queue ──▶ a thread that serves it, one request after the other ──▶ Future.set_result()

A job of the executor is not one request but to serve the queue until it is empty: while there is
something to do no thread is put to sleep and another one woken, which costs as much as a short fetch.
How many threads serve at once is `workers`, or fewer while they only stand in each other's way
(`crowding.py`).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from time import monotonic, process_time

from msgspec.structs import replace

from fetchpool.errors import PoolClosedError
from fetchpool.exchange import Exchange
from fetchpool.model import FetchOptions, FetchRequest, Outcome
from fetchpool.pools.crowding import FEWEST, Crowding
from fetchpool.pools.future import OutcomeFuture
from fetchpool.pools.worker import Worker

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


class ThreadPool:
    """`workers` threads, each started when there is something for it to do."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.workers = workers
        if workers > MANY:
            options = replace(options, buffersize=SMALL_BUFFER)
        self._options = options
        self._closed = self._aborted = False
        self._exchange = Exchange(options)
        self._lock = threading.Lock()
        """Whoever puts something into the queue, leaves it or starts to serve it holds this lock."""
        self._queue: deque[tuple[FetchRequest, Future[Outcome]]] = deque()
        self._serving = self._most_serving = 0
        """Threads that serve the queue, or are about to."""
        self._done = 0
        """Fetches, about: two threads may count at the same time."""
        self._opened: list[Worker] = [Worker(options, self._exchange)]  # shows that it can be done
        self._spare = list(self._opened)
        """Workers without a thread; the one that was used last, whose connections are warm, is the next."""
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="fetchpool")
        # Where starts are spaced, each must reach the server when it is made: none may wait in the queue.
        self._may_crowd = workers > FEWEST and options.follow_within_hosts
        self._crowding = Crowding(workers)
        self._lookout: threading.Thread | None = None
        self._ended = threading.Event()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future = OutcomeFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError("the pool was shut down; open another one")
            self._queue.append((request, future))
            if self._serving < self._crowding.limit:
                self._start()
        return future

    @property
    def window(self) -> int:
        crowded = self._crowding.limit < self.workers
        return max(self.workers, CROWDED_WINDOW) if crowded else self.workers

    @property
    def spare(self) -> int:
        return len(self._queue)

    def take_over(self) -> None:
        return None

    def wake(self) -> None:
        """Nobody has taken over."""

    def recall(self, host: str | None = None) -> None:
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

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
            self._aborted = self._aborted or abort
            for worker in self._opened if self._aborted else ():
                worker.abort()
            lookout = self._lookout  # it takes itself away when it ends
        if abort:
            self.recall()
        self._ended.set()
        if lookout is not None:
            lookout.join()
        with self._lock:  # for what is left there are as many threads as there may be
            self._crowding.limit = self.workers
            self._serve_more()
        self._executor.shutdown(wait=True)
        with self._lock:  # another may be shutting it down as well: each is closed once
            opened, self._opened = self._opened, []
        for worker in opened:
            worker.close()

    # With the lock held

    def _serve_more(self) -> None:
        """As many threads more as there is work for, and as pay."""
        for _ in range(min(len(self._queue), self._crowding.limit - self._serving)):
            self._start()

    def _start(self) -> None:
        """Gives the executor a job, for which it starts a thread unless one is idle."""
        self._serving += 1
        first = self._serving > self._most_serving
        self._most_serving = max(self._most_serving, self._serving)
        try:
            with small_stack() if first and not self._options.parse else nullcontext():
                self._executor.submit(self._serve)
        except RuntimeError:  # the system has no more threads; the job waits for one that is there
            if self._serving == 1:
                raise
        if self._lookout is None and self._may_crowd and self._serving > FEWEST:
            self._lookout = threading.Thread(target=self._look, name="fetchpool-crowding", daemon=True)
            self._lookout.start()

    # In a worker's thread

    def _serve(self) -> None:
        """A thread's job: all that is in the queue, as long as the thread pays."""
        worker: Worker | None = None
        queue, crowding = self._queue, self._crowding
        while True:
            try:
                request, future = queue.popleft()
            except IndexError:
                if self._leave(worker):
                    return
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
            if self._serving > crowding.limit and self._leave(worker):
                return

    def _leave(self, worker: Worker | None) -> bool:
        """Serves no more; False when that would leave something undone."""
        with self._lock:
            if self._queue and self._serving <= self._crowding.limit:
                return False
            self._serving -= 1
            if worker is not None:
                self._spare.append(worker)
            return True

    def _worker(self) -> Worker:
        with self._lock:
            if self._spare:
                return self._spare.pop()
        worker = Worker(self._options, self._exchange)
        with self._lock:
            self._opened.append(worker)
            if self._aborted:
                worker.abort()
        return worker

    # In the look-out's thread

    def _look(self) -> None:
        """Sees to it that as many threads serve as pay, also when all of them wait for slow servers and
        nobody submits. It ends when there is nothing to do: a pool that was dropped is not kept by it."""
        idle = 0
        while not self._ended.wait(TICK):
            self._crowding.look(monotonic(), process_time(), self._done)
            with self._lock:
                self._serve_more()
                idle = 0 if self._serving else idle + 1
                if idle > IDLE_LOOKS:
                    self._lookout = None
                    return


@contextmanager
def small_stack() -> Iterator[None]:
    """For a thread that is started meanwhile. The size is the process's: what a program has set comes back.
    To ask for it without setting it is not possible."""
    with _stack_size:
        before = threading.stack_size(STACK)
        try:
            yield
        finally:
            threading.stack_size(before)


_stack_size = threading.Lock()
"""Of two pools that start a thread at once, one would take the other's for what it was before."""
