"""Wakes the thread that waits for sockets: one more of them is its own.

In: `notify()`, from any thread or a signal handler. Out: something to be read from `descriptor`, if anybody
waits.
"""

from __future__ import annotations

import socket


class Wakeup:
    """For one thread that waits. It says so (`asleep`) before it looks a last time for what has come, so
    whoever brings something, and finds it awake, need not ring: it will be seen."""

    __slots__ = ("_reader", "_writer", "asleep", "descriptor", "pending")

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        self.descriptor = self._reader.fileno()
        self.asleep = False
        self.pending = False
        """Since the thread last woke up: it is not to wait at all."""

    def notify(self) -> None:
        """Ends the wait, or the next one."""
        self.pending = True
        if self.asleep:
            self.asleep = False
            try:
                self._writer.send(b"\0")
            except OSError:
                return  # full of rings already, or there is nobody to hear them

    def answer(self) -> None:
        """It was heard: what can be read is taken away."""
        self._reader.recv(4096)

    def close(self) -> None:
        self._reader.close()
        self._writer.close()
