"""Writes terminal and log output in a background thread, so that a blocked terminal cannot block the run.

In: messages of any type, and a function that writes them. A terminal can be stopped (Ctrl-S), and the reader
of a pipe can stop reading; observers only queue messages, and the thread writes them as fast as possible.
"""

from __future__ import annotations

import io
import os
import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TextIO, TypeVar

from fetchpool.runtime import threads


def unbuffered(stream: TextIO) -> TextIO:
    """Return a stream on the same file descriptor without Python's buffer and lock; `stream` if it has none.

    A thread that is blocked in a write to `sys.stderr` holds the lock of its buffer: other threads wait for
    it, and an interpreter that exits at that moment aborts ("could not acquire lock"). Characters that the
    encoding lacks are written as backslash escapes.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, AttributeError):  # a StringIO raises io.UnsupportedOperation, an OSError
        return stream
    stream.flush()
    return io.TextIOWrapper(
        _Descriptor(descriptor),  # type: ignore[type-var]  # typeshed wants a buffered stream
        encoding=stream.encoding,
        errors="backslashreplace",
        newline="",
        write_through=True,
    )


class _Descriptor(io.RawIOBase):
    """A file descriptor, owned by the caller, to which every write is complete, however long it takes."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def write(self, octets: bytes) -> int:  # type: ignore[override]  # a TextIOWrapper gives bytes
        left = memoryview(octets)
        while left:  # a signal can interrupt a write in the middle of an escape sequence
            left = left[os.write(self._descriptor, left) :]
        return len(octets)


Message = TypeVar("Message")

MAX_PENDING_BYTES = 16 << 20
"""Maximum size of the messages in the queue."""
CLOSE_TIMEOUT = 2.0
"""Seconds for the last messages if an exception ends the run: a stopped terminal must not keep the process
alive."""


class BackgroundWriter(Generic[Message]):
    """A thread that calls `write(messages, dropped, last)` soon after a message, at most every `interval`
    seconds, and once at the end, with `last` true.

    `messages` are the new ones, in order. The queue holds `pending` messages and `MAX_PENDING_BYTES`;
    `dropped` is the number of messages for which it was full. So no caller waits, and memory is bounded.

    An `OSError` from `write` (a closed terminal or pipe) ends the writing; the run continues.
    """

    def __init__(
        self, write: Callable[[list[Message], int, bool], None], interval: float, pending: int
    ) -> None:
        self._write = write
        self._interval = interval
        self._max_pending = pending
        self._pending: deque[tuple[Message, int]] = deque()
        self._bytes_queued = self._bytes_written = 0
        self._dropped = 0
        self._woken = threading.Event()
        self._closing = threading.Event()
        # A daemon: a second Ctrl-C must end the program even if the terminal is stopped.
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread, the only one that calls `write`. Raises `NoThreadError`."""
        self._thread = threads.start(self._run, "fetchpool-observer")

    def write(self, message: Message, size: int = 0) -> None:
        """Queue a message of about `size` bytes; never blocks."""
        unwritten = self._bytes_queued - self._bytes_written
        if len(self._pending) < self._max_pending and unwritten < MAX_PENDING_BYTES:
            self._bytes_queued += size
            self._pending.append((message, size))
        else:
            self._dropped += 1
        self._woken.set()

    def wake(self) -> None:
        """Make the thread call `write` soon, even without a message; never blocks."""
        self._woken.set()

    def close(self, timeout: float | None = None) -> None:
        """Wait until all messages are written, at most `timeout` seconds. This is the only wait for the
        terminal, after all rows are written. Does not wait again after an interrupt (Ctrl-C). Idempotent."""
        if self._closing.is_set() or self._thread is None or not self._thread.is_alive():
            return
        self._closing.set()
        self._woken.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        last = False
        reported = 0
        while not last:
            self._woken.wait()
            self._woken.clear()
            last = self._closing.is_set()
            pending = [self._pending.popleft() for _ in range(len(self._pending))]
            messages = [each for each, _ in pending]
            self._bytes_written += sum(size for _, size in pending)
            dropped = self._dropped
            try:
                self._write(messages, dropped - reported, last)
            except OSError:
                return
            reported = dropped
            self._closing.wait(self._interval)
