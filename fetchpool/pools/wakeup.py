"""A self-pipe that wakes the thread which waits for sockets.

In: `notify()`, from any thread or a signal handler. Out: `descriptor` becomes readable, if the thread waits.
"""

from __future__ import annotations

import select
import socket


class Wakeup:
    """A self-pipe that wakes one thread blocked in poll(). The thread sets `waiting` before its last check
    for work, so that a producer that finds it False can skip the write: the thread will see the work."""

    __slots__ = ("_reader", "_writer", "descriptor", "pending", "waiting")

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.descriptor = self._reader.fileno()
        self.waiting = False
        self.pending = False
        """Whether `notify()` was called since the thread last woke up, so that it must not wait."""

    def notify(self) -> None:
        """End the current wait, or the next one."""
        self.pending = True
        if self.waiting:
            self.waiting = False
            try:
                self._writer.send(b"\0")
            except OSError:
                return  # the buffer is full, so the thread wakes up anyway; or the pool is closed

    def drain(self) -> None:
        """Read the bytes that `notify()` has written."""
        self._reader.recv(4096)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()


def poll_wakeup(wakeup: Wakeup, timeout: float) -> None:
    """Wait until `wakeup` is notified, but at most `timeout` seconds."""
    readable, _, _ = select.select([wakeup.descriptor], [], [], timeout)
    if readable:
        wakeup.drain()
