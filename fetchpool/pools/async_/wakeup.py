"""Wakes the thread that waits for sockets: one more of them is its own.

In: `ring()`, from any thread or a signal handler. Out: something to be read from `descriptor`, if anybody
waits.
"""

from __future__ import annotations

import socket


class Wakeup:
    """For one thread that waits. It says so (`asleep`) before it looks a last time for what has come, so
    whoever brings something, and finds it awake, need not ring: it will be seen."""

    __slots__ = ("_ears", "_mouth", "asleep", "descriptor", "rung")

    def __init__(self) -> None:
        self._ears, self._mouth = socket.socketpair()
        self._ears.setblocking(False)
        self._mouth.setblocking(False)
        self.descriptor = self._ears.fileno()
        self.asleep = False
        self.rung = False
        """Since the thread last woke up: it is not to wait at all."""

    def ring(self) -> None:
        """Ends the wait, or the next one."""
        self.rung = True
        if self.asleep:
            self.asleep = False
            try:
                self._mouth.send(b"\0")
            except OSError:
                return  # full of rings already, or there is nobody to hear them

    def answer(self) -> None:
        """It was heard: what can be read is taken away."""
        self._ears.recv(4096)

    def close(self) -> None:
        self._ears.close()
        self._mouth.close()
