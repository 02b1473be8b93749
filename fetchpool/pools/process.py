"""The process pool: the standard library's executor over fresh processes (never a fork of a
threaded parent), one worker in each.

The lifeline is a pipe whose writing end only the parent holds. It ends when the parent closes it
(abort) or dies, however it dies, and every worker ends with it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection

from fetchpool.errors import PoolClosedError, WorkerLostError
from fetchpool.model import FetchOptions, FetchRequest, Outcome
from fetchpool.pools.worker import Worker


class ProcessPool:
    """`workers` processes. When one dies the executor is lost with it: what was in flight fails with
    `WorkerLostError`, and the next `submit()` starts anew."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser or the transport can't be loaded."""
        self.workers = workers
        self._options = options
        self._closed = False
        Worker(options).close()  # shows here, in words, what would break every child
        methods = multiprocessing.get_all_start_methods()
        self._context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
        self._reader, self._lifeline = self._context.Pipe(duplex=False)
        self._executor = self._start()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        if self._closed:
            raise PoolClosedError("the pool was shut down; open another one")
        try:
            inner = self._executor.submit(_fetch, request)
        except BrokenProcessPool:
            self._executor.shutdown(wait=False)
            self._executor = self._start()
            inner = self._executor.submit(_fetch, request)
        outer: Future[Outcome] = Future()
        inner.add_done_callback(lambda done: _hand_over(done, outer))
        return outer

    def shutdown(self, *, abort: bool = False) -> None:
        if abort:
            self._lifeline.close()
        if self._closed:
            return
        self._closed = True
        self._executor.shutdown(wait=True, cancel_futures=abort)
        self._lifeline.close()
        self._reader.close()

    def _start(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.workers,
            mp_context=self._context,
            initializer=_start_worker,
            initargs=(self._options, self._reader),
        )


def _hand_over(inner: Future[Outcome], outer: Future[Outcome]) -> None:
    """The executor's future as the pool promises it: an outcome, or `WorkerLostError`."""
    if inner.cancelled():
        outer.cancel()
        outer.set_running_or_notify_cancel()
        return
    failure = inner.exception()
    if failure is None:
        outer.set_result(inner.result())
    elif isinstance(failure, BrokenProcessPool):
        outer.set_exception(WorkerLostError("the worker process died"))
    else:
        outer.set_exception(failure)


# What follows runs in the worker process.

_worker: Worker


def _start_worker(options: FetchOptions, lifeline: Connection) -> None:
    global _worker
    # A terminal's Ctrl-C goes to the whole group; what it means is the parent's to say.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=(lifeline,), name="lifeline", daemon=True).start()
    _worker = Worker(options)


def _end_with(lifeline: Connection) -> None:
    lifeline.poll(None)  # readable only at its end: nothing is ever written
    os._exit(1)


def _fetch(request: FetchRequest) -> Outcome:
    return _worker.fetch(request)
