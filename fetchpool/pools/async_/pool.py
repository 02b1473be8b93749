"""The async pool: one thread, and in it one worker for all requests (`multi_worker.py`).

In: requests, from any thread. Out: futures, finished in the thread that drives.

    submit() ──▶ _arrived ──▶ MultiWorker ──▶ Future.set_result()

That thread is the pool's own, unless somebody takes over who would only wait for it: two threads that
hand everything to each other take a fifth longer than one (docs/benchmarks.md).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import PoolClosedError, WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.async_.loop import TICK, CurlMultiLoop
from fetchpool.pools.future import LightFuture
from fetchpool.runtime import threads

LAST_WORDS = 5.0
"""Seconds to wait for an aborted pool's thread. One in which a callback of the program's does not return
can't be ended."""


class AsyncPool:
    """At most `workers` fetches at once, all in one thread."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser can't be loaded."""
        self.workers = workers
        self._closed = self._aborted = False
        self._defect = ""
        """Why the thread ended by itself."""
        self._arrived: deque[tuple[FetchRequest, LightFuture]] = deque()
        self._worker = CurlMultiLoop(workers, options, self._next)
        self._ended = False
        self._own_thread: threading.Thread | None = None
        self._runs_inline = False
        """The caller takes the turns, in its own thread. (mypyc would make a keyword of C of `_inline`.)"""
        self._lock = threading.Lock()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future = LightFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError(self._defect or "the pool was shut down; open another one")
            if self._own_thread is None and not self._runs_inline:
                self._own_thread = threads.start(self._run, "fetchpool-async")
            self._arrived.append((request, future))
        if self._worker.bell.asleep:
            self._worker.bell.notify()
        if self._defect:  # the thread ended meanwhile; whichever of us comes second finds it
            self._lose_arrived()
        return future

    @property
    def max_pending(self) -> int:
        return self.workers

    @property
    def queued(self) -> int:
        return 0  # whatever is submitted begins at once

    @property
    def stuck(self) -> int:
        return self._worker.stuck

    def cancel_pending(self, host: str | None = None) -> None:
        """Nothing to do: what is submitted within the window begins."""

    def run_inline(self) -> Callable[[float], None] | None:
        if self._own_thread is not None:
            return None
        self._runs_inline = True
        return self._turn

    def wake(self) -> None:
        self._worker.bell.notify()

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
        self._aborted = self._aborted or abort
        thread = self._own_thread
        if thread is None:
            if not self._ended:
                self._run()
            return
        self.wake()
        if threading.current_thread() is not thread:  # else it is a callback, which others wait for
            thread.join(LAST_WORDS if self._aborted else None)

    def release(self) -> None:
        self._closed = True
        if self._own_thread is not None:
            self.wake()
        elif not self._ended:
            self._run()  # it has nothing to do, but to close what it has opened

    # All that follows runs in the thread that drives.

    def _run(self) -> None:
        """To the end."""
        worker = self._worker
        try:
            while not (self._closed and (self._aborted or not (self._arrived or worker.busy))):
                worker.turn(TICK)
        except BaseException as defect:
            # Without it nobody would ever finish the futures: the run would wait for ever.
            self._defect = f"the async pool ended: {type(defect).__name__}; please report this"
            raise
        finally:
            with self._lock:
                self._closed = self._ended = True
            worker.bell.asleep = False
            self._end_all()

    def _turn(self, seconds: float) -> None:
        """What `run_inline()` gives."""
        if not self._ended:
            self._worker.turn(seconds)

    def _next(self) -> tuple[FetchRequest, LightFuture] | None:
        """What the worker is to begin."""
        while self._arrived:
            request, future = self._arrived.popleft()
            if future.set_running_or_notify_cancel():
                return request, future
        return None

    def _end_all(self) -> None:
        """Nothing is in flight, or it is aborted or lost; nothing of the pool is left afterwards."""
        self._worker.deliver()
        for request, future in self._worker.in_flight():
            if self._defect:
                future.set_exception(WorkerLostError(self._defect))
            else:
                future.set_result(refusal(request, FailureKind.ABORTED, "the run was stopped"))
        self._lose_arrived()
        self._worker.close()

    def _lose_arrived(self) -> None:
        """What nobody will begin. Any thread may call it, several at once too."""
        while self._arrived:
            with contextlib.suppress(IndexError):  # the other one was quicker
                _, future = self._arrived.popleft()
                if not self._defect:
                    future.cancel()
                if future.set_running_or_notify_cancel():
                    future.set_exception(WorkerLostError(self._defect))
