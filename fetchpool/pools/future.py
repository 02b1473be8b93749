"""LightFuture: a `concurrent.futures.Future` that creates its Condition lazily, for speed.

A run does not wait for futures, but uses callbacks. The condition that a waiter needs, four fifths of a
future's memory, is created for the first waiter; until then a lock is enough. Each method here is a fast path
of the inherited method, and calls it in all other cases; together they save 2 µs of a fetch's 40.

A Collector takes the place of the futures where the thread that submits requests also runs the pool's loop.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures._base import FINISHED, LOGGER, PENDING, RUNNING
from threading import Condition, RLock, current_thread, main_thread
from typing import Any

from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest


class LightFuture(Future[Record]):
    """A future that is compatible with `concurrent.futures.wait()` and similar functions, which access
    `_condition`."""

    _state: str
    _result: Record | None
    _done_callbacks: list[Callable[[LightFuture], Any]]
    request: FetchRequest | None = None
    """The engine's request."""

    def __init__(self) -> None:
        # Everything that the inherited method sets, except the condition.
        self._state = PENDING
        self._result = None
        self._outcome: Outcome | None = None
        self._exception = None
        self._waiters: list[Any] = []
        self._done_callbacks = []
        self._lock = RLock()  # reentrant: the library acquires it again for an error message
        self._made: Condition | None = None

    @property
    def _condition(self) -> Condition:  # type: ignore[override]  # an attribute, to the library
        """Create the condition: the caller may wait, so from now on the inherited methods are used."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._made = Condition(self._lock)
        return self._made

    def add_done_callback(self, fn: Callable[[LightFuture], object]) -> None:
        with self._lock:
            if self._state in (PENDING, RUNNING):
                self._done_callbacks.append(fn)
                return
        super().add_done_callback(fn)  # type: ignore[arg-type]  # called with this future, too

    def set_running_or_notify_cancel(self) -> bool:
        with self._lock:
            if self._state == PENDING:
                self._state = RUNNING
                return True
        return super().set_running_or_notify_cancel()

    def complete(self, outcome: Outcome) -> None:
        """Set the outcome, and the row in it as the result."""
        self._outcome = outcome
        with self._lock:
            unwatched = self._made is None and self._state == RUNNING
            if unwatched:
                self._result = outcome.record
                self._state = FINISHED
        if unwatched:
            self._invoke_callbacks()
        else:
            self.set_result(outcome.record)

    def outcome(self) -> Outcome:
        """Return the outcome of a finished future. Raises what `result()` raises."""
        if self._outcome is None:
            self.result()
        assert self._outcome is not None
        return self._outcome

    def _invoke_callbacks(self) -> None:
        """Call the callbacks, whatever they raise. The library ignores only an Exception: others (SystemExit,
        asyncio.CancelledError) would end the thread that completes futures, and the other futures would never
        be completed. Raises `KeyboardInterrupt` after all callbacks if this is the main thread, where the
        user may have pressed Ctrl-C."""
        interrupted = None
        for callback in self._done_callbacks:
            try:
                callback(self)
            except BaseException as error:  # noqa: BLE001 - the other callbacks have to be called
                if isinstance(error, KeyboardInterrupt) and current_thread() is main_thread():
                    interrupted = error
                else:
                    LOGGER.exception("exception calling callback for %r", self)
        if interrupted is not None:
            raise interrupted

    def result(self, timeout: float | None = None) -> Record:
        if self._state == FINISHED and self._result is not None:
            return self._result
        return super().result(timeout)


class Collector:
    """Collects the outcomes of many requests, instead of a future for each, for a caller that runs the pool's
    loop itself."""

    def __init__(self) -> None:
        self.outcomes: deque[Outcome] = deque()

    def set_running_or_notify_cancel(self) -> bool:
        """Return True: a request can't be cancelled."""
        return True

    def complete(self, outcome: Outcome) -> None:
        """Add an outcome."""
        self.outcomes.append(outcome)

    def set_exception(self, exception: BaseException) -> None:
        """Raise it: the loop has ended."""
        raise exception


Completion = LightFuture | Collector
"""The object that a pool completes when a fetch has ended."""
