"""How observers write without holding up the run: a thread of their own, and a stream without a lock.

A terminal can be stopped (Ctrl-S) and a pipe's reader can fall asleep; the engine must not notice.
So observers only leave word, and the thread here writes when the other side lets it. Knows nothing
of what is written.
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
    """The same descriptor without Python's buffer and its lock, or `stream` when it has none.

    A thread that is stuck writing to `sys.stderr` holds its buffer's lock: whoever else has a word
    to say waits, and an interpreter that ends meanwhile aborts ("could not acquire lock").
    What the stream's encoding lacks is written as a backslash escape.
    """
    try:
        descriptor = stream.fileno()
    except (OSError, AttributeError):  # io.UnsupportedOperation is an OSError: a StringIO, a test's capture
        return stream
    stream.flush()
    return io.TextIOWrapper(
        _Descriptor(descriptor),  # type: ignore[type-var]  # typeshed wants a buffer; writing through needs none
        encoding=stream.encoding,
        errors="backslashreplace",
        newline="",
        write_through=True,
    )


class _Descriptor(io.RawIOBase):
    """A borrowed file descriptor that takes all that is written to it, however long that takes."""

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
        while left:  # a signal can cut a write short; half an escape sequence would be seen
            left = left[os.write(self._descriptor, left) :]
        return len(octets)


Said = TypeVar("Said")

MOST = 16 << 20
"""Bytes that may wait to be written."""
PATIENCE = 2.0
"""Seconds for last words when an exception ends the run: a terminal that has stopped may not keep a
program alive that wants to end."""


class BackgroundWriter(Generic[Said]):
    """A thread that calls `write(said, given_up, last)` soon after something was said, at most every
    `interval` seconds, and once at the end, with `last` true.

    `said` is what came since the call before, in order; `given_up` how much more came than there is room for,
    which is `pending`, or so many `MOST` bytes: nobody waits, and memory stays bounded.

    An `OSError` from `write` (the terminal is gone, the pipe's reader left) ends the writing: there
    is nobody left to tell. The run goes on.
    """

    def __init__(self, write: Callable[[list[Said], int, bool], None], interval: float, pending: int) -> None:
        self._write = write
        self._interval = interval
        self._room = pending
        self._pending: deque[tuple[Said, int]] = deque()
        self._weight_said = self._weight_written = 0
        self._given_up = 0
        self._woken = threading.Event()
        self._closing = threading.Event()
        # A daemon: a second Ctrl-C must end the program even when the terminal has stopped.
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """From here on `write` is called, always by the one thread. Raises `NoThreadError`."""
        self._thread = threads.start(self._run, "fetchpool-observer")

    def say(self, said: Said, weight: int = 0) -> None:
        """Returns at once. `weight`: bytes that it holds, about."""
        if len(self._pending) < self._room and self._weight_said - self._weight_written < MOST:
            self._weight_said += weight
            self._pending.append((said, weight))
        else:
            self._given_up += 1
        self._woken.set()

    def wake(self) -> None:
        """There is something new to show, though nothing to say. Returns at once."""
        self._woken.set()

    def close(self, patience: float | None = None) -> None:
        """Waits until all that was said is written, at most `patience` seconds: the only wait for the
        other side, when all rows are safe. Interrupted (Ctrl-C), it does not wait again. Idempotent."""
        if self._closing.is_set() or self._thread is None or not self._thread.is_alive():
            return
        self._closing.set()
        self._woken.set()
        self._thread.join(patience)

    def _run(self) -> None:
        last = False
        told = 0
        while not last:
            self._woken.wait()
            self._woken.clear()
            last = self._closing.is_set()
            pending = [self._pending.popleft() for _ in range(len(self._pending))]
            said = [each for each, _ in pending]
            self._weight_written += sum(weight for _, weight in pending)
            given_up = self._given_up
            try:
                self._write(said, given_up - told, last)
            except OSError:
                return
            told = given_up
            self._closing.wait(self._interval)
