"""LoopPool: the base of pools whose work is one loop. In: requests and `shutdown()`, from any thread. Out:
calls of the loop's iteration. The pool's own thread runs the loop, unless the caller does (`run_once()`).
"""

from __future__ import annotations

import threading
from enum import Enum

from fetchpool.model.errors import PoolClosedError
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.pools.wakeup import Wakeup
from fetchpool.runtime import threads


class State(Enum):
    """The states of a pool, in order."""

    OPEN = "open"
    CLOSING = "closing"
    """No more requests are accepted; accepted ones are fetched."""
    ABORTING = "aborting"
    """Requests in flight are cancelled."""
    CLOSED = "closed"
    """All futures are done, and all descriptors and processes are closed."""


class LoopPool:
    """The part of an `InlinePool` that all pools with a loop share. They define the methods that raise
    `NotImplementedError`."""

    def __init__(self, name: str, max_workers: int, *, interval: float, abort_timeout: float) -> None:
        """`name`: the executor's. `interval`: maximum seconds that an iteration of the pool's own thread
        waits. `abort_timeout`: seconds that an abort waits for that thread, which can't be ended while a
        program's callback does not return."""
        self.max_workers = max_workers
        self._opened_with = max_workers
        self._name = name
        self._interval = interval
        self._abort_timeout = abort_timeout
        self._state = State.OPEN
        self._crash = ""
        """The error that ended the loop."""
        self._lock = threading.Lock()
        self._own_thread: threading.Thread | None = None
        self._is_inline = False
        """Whether the caller runs the loop."""
        self._wakeup = Wakeup()

    @property
    def keeps_spacing(self) -> bool:
        return False

    def submit(self, request: FetchRequest, *, alone: bool = False) -> LightFuture:
        future = LightFuture()
        with self._lock:
            if self._state is not State.OPEN:
                raise PoolClosedError(self._crash or "the pool was shut down; open another one")
            if self._own_thread is None and not self._is_inline:
                self._own_thread = threads.start(self._run_in_own_thread, f"fetchpool-{self._name}")
            self._enqueue(request, future, alone)
        if self._wakeup.waiting:
            self._wakeup.notify()
        return future

    def resize(self, workers: int) -> None:
        self.max_workers = workers
        self.wake()

    def run_once(self, timeout: float) -> None:
        """Run one iteration in the caller's thread: start fetches, wait for up to `timeout` seconds, complete
        futures."""
        if self._own_thread is not None:
            raise RuntimeError("the pool runs in its own thread")
        self._is_inline = True
        if self._state is not State.CLOSED:
            self._run_once(timeout)

    def wake(self) -> None:
        self._wakeup.notify()

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            if self._state is not State.CLOSED:
                self._state = State.ABORTING if abort or self._state is State.ABORTING else State.CLOSING
        if abort:
            self._abort()
        elif not self.max_workers:
            self.resize(self._opened_with)
        thread = self._own_thread
        if thread is None:
            if self._state is not State.CLOSED:
                self._run()
            return
        self.wake()
        if threading.current_thread() is not thread:  # a callback can't wait for its own end
            thread.join(self._abort_timeout if abort or self._state is State.ABORTING else None)

    def release(self) -> None:
        if self._state is State.OPEN:
            self._state = State.CLOSING
        if not self.max_workers:
            self.resize(self._opened_with)
        if self._own_thread is not None:
            self.wake()
        elif self._state is not State.CLOSED:
            self._run()  # nothing was submitted; only the pool's own resources are closed

    def _run_in_own_thread(self) -> None:
        """Thread target. An interrupt may arrive in `submit()` before it has stored the thread."""
        self._own_thread = threading.current_thread()
        self._run()

    def _run(self) -> None:
        """Run the loop until the pool is shut down and done, or aborted."""
        try:
            while self._state is State.OPEN or (self._state is State.CLOSING and self._has_work()):
                self._run_once(self._interval)
        except BaseException as error:
            # Otherwise no future would ever be completed, and the run would wait forever.
            self._crash = (
                f"internal error in the {self._name} pool: {type(error).__name__} (please report this)"
            )
            raise
        finally:
            with self._lock:
                self._state = State.CLOSED
            self._wakeup.waiting = False
            self._close()

    def _enqueue(self, request: FetchRequest, future: LightFuture, alone: bool) -> None:
        """Queue a request for the loop. The lock is held."""
        raise NotImplementedError

    def _has_work(self) -> bool:
        """Whether a submitted request has no outcome yet."""
        raise NotImplementedError

    def _run_once(self, timeout: float) -> None:
        """Run one iteration of the loop."""
        raise NotImplementedError

    def _abort(self) -> None:
        """End whatever the loop is waiting for. Called in the thread that aborts."""

    def _close(self) -> None:
        """Complete all remaining futures, and close the pool's resources."""
        raise NotImplementedError
