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
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic, process_time

from fetchpool.errors import PoolClosedError
from fetchpool.exchange import Exchange
from fetchpool.model import FetchOptions, FetchRequest, Outcome
from fetchpool.pools.crowding import FEWEST, Crowding
from fetchpool.pools.worker import Worker

STACK = 512 * 1024
"""Bytes of address space for a worker's stack: libcurl with TLS needs a tenth of it, and two thousand of
the usual 8 MB would be 16 GB. A person's own parser may recurse as deep as it could elsewhere."""
CROWDED_WINDOW = 100
"""Submissions to hold while fewer threads serve than might: some milliseconds' work, so that whoever
submits need not come for each."""
TICK = 0.02
"""Seconds between two looks at how many threads pay."""


class ThreadPool:
    """`workers` threads, each started when there is something for it to do."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.workers = workers
        self._options = options
        self._closed = self._aborted = False
        self._exchange = Exchange(options)
        self._lock = threading.Lock()
        self._queue: deque[tuple[FetchRequest, Future[Outcome]]] = deque()
        self._serving = self._most_serving = 0
        """Threads that serve the queue, or are about to."""
        self._done = 0
        """Fetches, about: two threads may count at the same time."""
        self._opened: list[Worker] = [Worker(options, self._exchange)]  # shows that it can be done
        self._spare = list(self._opened)
        """Workers without a thread; the one that was used last, whose connections are warm, is the next."""
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="fetchpool")
        self._crowding = Crowding(workers)
        self._busy, self._ended = threading.Event(), threading.Event()
        self._lookout = threading.Thread(target=self._look, name="fetchpool-crowding", daemon=True)
        if workers > FEWEST:
            self._lookout.start()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        if self._closed:
            raise PoolClosedError("the pool was shut down; open another one")
        future: Future[Outcome] = Future()
        self._queue.append((request, future))
        if self._serving < self._crowding.limit:
            self._serve_more(1)
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
        for _ in range(len(self._queue)):
            try:
                request, future = self._queue.popleft()
            except IndexError:  # a worker was quicker
                return
            if host is None or request.host == host:
                future.cancel()
                future.set_running_or_notify_cancel()
            else:
                self._queue.append((request, future))

    def shutdown(self, *, abort: bool = False) -> None:
        if abort:
            self.recall()
        else:
            self._crowding.limit = self.workers
            self._serve_more(len(self._queue))
        with self._lock:
            self._closed = True  # and nobody starts to serve from here on
            self._aborted = self._aborted or abort
            for worker in self._opened if self._aborted else ():
                worker.abort()
        self._executor.shutdown(wait=True)
        self._ended.set()
        self._busy.set()
        if self._lookout.ident is not None:
            self._lookout.join()
        for worker in self._opened:
            worker.close()
        self._opened.clear()

    def _serve_more(self, wanted: int) -> None:
        """So many threads more serve the queue, as far as they pay."""
        with self._lock:
            number = 0 if self._closed else min(wanted, self._crowding.limit - self._serving)
            for _ in range(number):
                self._serving += 1
                self._start()
        if number > 0 and not self._busy.is_set():
            self._busy.set()

    def _start(self) -> None:
        """Gives the executor a job, for which it starts a thread unless one is idle."""
        before = threading.stack_size()
        first = self._serving > self._most_serving
        if first:
            self._most_serving = self._serving
            threading.stack_size(STACK if not self._options.parse else 0)
        try:
            self._executor.submit(self._serve)
        except RuntimeError:  # the system has no more threads; the job waits for one that is there
            if self._serving == 1:
                raise
        finally:
            if first:
                threading.stack_size(before)

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
                    future.set_result(worker.fetch(request))
                except BaseException as defect:  # noqa: BLE001 - somebody waits for it, whatever it is
                    future.set_exception(defect)
            self._done += 1
            if self._serving > crowding.limit and self._leave(worker):
                return

    def _leave(self, worker: Worker | None) -> bool:
        """Serves no more; False when that would leave something undone."""
        with self._lock:
            self._serving -= 1
            # `submit()` puts into the queue first and counts us then; we do it the other way round.
            if self._queue and self._serving < self._crowding.limit:
                self._serving += 1
                return False
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

    def _look(self) -> None:
        """For a thread of its own, which sleeps while the pool has nothing to do: sees to it that as many
        threads serve as pay, also when all of them wait for slow servers and nobody submits."""
        while self._busy.wait() and not self._ended.wait(TICK):
            self._crowding.look(monotonic(), process_time(), self._done)
            if self._queue:
                self._serve_more(len(self._queue))
            elif not self._serving:
                self._busy.clear()
                if self._serving or self._ended.is_set():  # that was before the flag was down
                    self._busy.set()
