"""Reads inputs ahead in a separate thread, into a bounded buffer.

In: opened inputs. Out: batches of URLs, for the engine's thread. A slow disk or pipe never blocks the engine.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from msgspec.structs import replace

from fetchpool.runtime import threads
from fetchpool.sources.batch import Input, UrlBatch
from fetchpool.sources.input_file import InputReadError

BUFFERED = 8
"""Maximum number of batches in the buffer; a batch has the lines of at most one chunk."""
BUFFERED_BYTES = 4 << 20
"""Maximum number of bytes in the buffer, unless a single batch has more."""


class Reader:
    """The reader thread, and the buffer between it and the engine's thread."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.failures: list[str] = []
        """One line for each input that could not be read to its end; complete once `drained()`."""
        self._inputs = inputs
        self._notify: Callable[[], None] | None = None
        self._changed = threading.Condition()
        # Guarded by `_changed`:
        self._batches: deque[UrlBatch] = deque()
        self._weight = 0
        """The total size of the batches."""
        self._wanted = True
        """Whether the engine found the buffer empty and has not been notified of a batch since."""
        self._ended = False
        self._closed = False

    def start(self, notify: Callable[[], None]) -> None:
        """Start the thread. It is a daemon, so that a read from a silent terminal keeps no process alive."""
        threads.start(self._run, "fetchpool-source", notify)
        self._notify = notify

    def next(self) -> UrlBatch | None:
        """Return the next batch, or None when there is none now; then `notify` is called for the next one."""
        with self._changed:
            if not self._batches:
                self._wanted = True
                return None
            self._changed.notify_all()
            batch = self._batches.popleft()
            self._weight -= batch.weight
            return batch

    def drained(self) -> bool:
        """Whether all inputs were read and all batches returned."""
        with self._changed:
            return self._ended and not self._batches

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._batches.clear()
            self._changed.notify_all()
        for each in self._inputs:
            each.abort()
        if self._notify is None:  # otherwise the thread closes them after its last read
            self._close_inputs()

    def _run(self, notify: Callable[[], None]) -> None:
        complete = False
        try:
            offset = 0
            for each in self._inputs:
                offset = self._read(each, offset, notify)
            complete = True
        finally:
            if not complete:  # a bug must not look like the end of the list
                self.failures.append("the input could not be read to its end: internal error in the reader")
            self._close_inputs()
            with self._changed:
                self._ended = True
            notify()

    def _read(self, each: Input, offset: int, notify: Callable[[], None]) -> int:
        """Read one input, which begins at `offset` of all inputs together; return the offset of its end."""
        reached = offset
        try:
            for batch in each.batches():
                reached = offset + batch.offset
                if not self._put(replace(batch, offset=reached), notify):
                    return offset
        except InputReadError as failure:
            self.failures.append(str(failure))
        return reached

    def _put(self, batch: UrlBatch, notify: Callable[[], None]) -> bool:
        """Wait until the buffer has space, and add a batch; return False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_space(batch.weight) or self._closed)
            if self._closed:
                return False
            self._batches.append(batch)
            self._weight += batch.weight
            wanted, self._wanted = self._wanted, False
        if wanted:
            notify()
        return True

    def _has_space(self, weight: int) -> bool:
        if not self._batches:
            return True
        return len(self._batches) < BUFFERED and self._weight + weight <= BUFFERED_BYTES

    def _close_inputs(self) -> None:
        for each in self._inputs:
            each.close()
