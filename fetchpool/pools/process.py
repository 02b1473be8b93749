"""The process pool: the standard library's executor over fresh processes (never a fork of a
threaded parent), one worker in each.

A request to another process and its outcome back cost more than a short fetch, so they go in batches,
as large as the fetches are short. What waits for a place in a batch is handed on as soon as a worker
has nothing to do.

    submit() ──▶ _waiting ──▶ batch ──▶ executor ──▶ process_worker.run()
    Future ◀── _settle() ◀── the batch's own future, or the side channel when a fetch takes long

The lifeline is a pipe whose writing end only the parent holds. It ends when the parent closes it
(abort) or dies, however it dies, and every worker ends with it.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections import deque
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import count
from multiprocessing.queues import SimpleQueue

from fetchpool.errors import PoolClosedError, WorkerLostError
from fetchpool.model import FetchOptions, FetchRequest, Outcome
from fetchpool.pools import process_worker
from fetchpool.pools.lookout import Lookout
from fetchpool.pools.process_worker import Batch, Results, Told
from fetchpool.pools.worker import Worker

BATCH_SECONDS = 0.01
"""What a batch should take: so much longer than its way there and back that the way does not count,
so short that nobody notices the wait."""
MAX_BATCH = 32
SHORTEST = 1e-5
"""Seconds: what a fetch is taken for at least."""
QUEUED = 2
"""Batches per worker that the executor holds: one that runs and one that is next."""


class ProcessPool:
    """`workers` processes. When one dies the executor is lost with it: what was in flight fails with
    `WorkerLostError`, and the next `submit()` starts anew."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.workers = workers
        self._options = options
        self._closed = self._aborted = self._recalled = False
        self._lock = threading.RLock()
        self._numbers = count()
        self._waiting: deque[int] = deque()
        self._open: dict[int, tuple[FetchRequest, Future[Outcome]]] = {}
        self._running = 0
        self._seconds = BATCH_SECONDS
        """What a fetch takes: a moving average."""
        self._channel: SimpleQueue[Told | None] | None = None
        self._broken = False
        """A worker has died, perhaps with the channel locked: nothing may be put into it."""
        Worker(options).close()  # shows here, in words, what would break every child
        self._lookout = Lookout()
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._reader, self._lifeline = self._context.Pipe(duplex=False)
        self._start()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        with self._lock:
            if self._closed:
                raise PoolClosedError("the pool was shut down; open another one")
            number = next(self._numbers)
            self._open[number] = (request, future)
            self._waiting.append(number)
            self._dispatch()
        return future

    @property
    def window(self) -> int:
        size = self._batch_size()
        return self.workers if size == 1 else self.workers * QUEUED * size

    def recall(self) -> None:
        with self._lock:
            self._recalled = True
            recalled = self._take_back()
        cancel(recalled)

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            if abort and not self._aborted:
                self._aborted = True
                self._lifeline.close()
            self._closed = True
        if self._aborted:
            self.recall()
        # What waits is dispatched by the batches that end before it.
        while not self._aborted and (futures := [future for _, future in list(self._open.values())]):
            wait(futures)
        self._executor.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            if self._channel is not None:
                if not self._broken:
                    self._channel.put(None)
                self._channel = None
                self._lookout.close()
                self._lifeline.close()
                self._reader.close()

    # All that follows runs with the lock held.

    def _start(self) -> None:
        """A new executor with a side channel of its own: a worker that dies may leave either locked."""
        channel: SimpleQueue[Told | None] = self._context.SimpleQueue()
        self._channel = channel
        threading.Thread(target=self._listen, args=(channel,), name="fetchpool-batches", daemon=True).start()
        self._executor = ProcessPoolExecutor(
            self.workers,
            mp_context=self._context,
            initializer=process_worker.start,
            initargs=(self._options, self._reader, channel.put),
        )
        self._running = 0
        self._broken = False

    def _dispatch(self) -> None:
        """Fills the executor's places with batches of what waits."""
        while self._waiting and self._running < self.workers * QUEUED:
            fair = -(-len(self._waiting) // self.workers)
            size = min(fair, self._batch_size())
            numbers = [self._waiting.popleft() for _ in range(size)]
            batch: Batch = [(number, self._open[number][0]) for number in numbers]
            try:
                done = self._executor.submit(process_worker.run, batch)
            except BrokenProcessPool:
                self._executor.shutdown(wait=False)
                self._start()
                done = self._executor.submit(process_worker.run, batch)
            self._running += 1
            done.add_done_callback(partial(self._batch_done, self._executor, numbers))

    def _go_on(self) -> list[Future[Outcome]]:
        """After results: what waits is dispatched, or taken back."""
        if self._recalled:
            return self._take_back()
        self._dispatch()
        return []

    def _batch_size(self) -> int:
        return min(MAX_BATCH, max(1, int(BATCH_SECONDS / self._seconds)))

    def _batch_done(self, executor: ProcessPoolExecutor, numbers: list[int], done: Future[Results]) -> None:
        lost = done.cancelled() or done.exception() is not None
        with self._lock:
            if executor is self._executor:
                self._running -= 1
            landed: list[tuple[Future[Outcome], Outcome | None]]
            if lost:
                self._broken |= not done.cancelled() and executor is self._executor
                # Those that came through the side channel are open no more.
                landed = [(self._open.pop(number)[1], None) for number in numbers if number in self._open]
            else:
                landed = self._take(done.result())
            recalled = self._go_on()
        settle(landed)
        cancel(recalled)

    def _listen(self, channel: SimpleQueue[Told | None]) -> None:
        while (told := channel.get()) is not None:
            if isinstance(told, int):
                self._lookout.add(told)
                continue
            with self._lock:
                landed = self._take(told)
                recalled = self._go_on()
            settle(landed)
            cancel(recalled)

    def _take(self, results: Results) -> list[tuple[Future[Outcome], Outcome | None]]:
        """The futures that results belong to; what was given back waits again."""
        landed: list[tuple[Future[Outcome], Outcome | None]] = []
        for number, outcome in results:
            if number not in self._open:
                continue
            if outcome is None:
                self._waiting.appendleft(number)
                continue
            self._seconds += (max(outcome.time_total or 0.0, SHORTEST) - self._seconds) / 16
            landed.append((self._open.pop(number)[1], outcome))
        return landed

    def _take_back(self) -> list[Future[Outcome]]:
        """What no worker has been given: it waits no more."""
        taken = [self._open.pop(number)[1] for number in self._waiting]
        self._waiting.clear()
        return taken


def cancel(futures: list[Future[Outcome]]) -> None:
    """Cancels futures, outside of the lock: their callbacks are not ours."""
    for future in futures:
        future.cancel()
        future.set_running_or_notify_cancel()


def settle(landed: list[tuple[Future[Outcome], Outcome | None]]) -> None:
    """Finishes futures, outside of the lock: their callbacks are not ours."""
    for future, outcome in landed:
        if outcome is None:
            future.set_exception(WorkerLostError("the worker process died"))
        else:
            future.set_result(outcome)
