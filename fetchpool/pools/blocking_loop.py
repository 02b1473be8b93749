"""The loop of a station whose fetches run in threads of their own.

In: descriptors to watch, and `wake()` from any thread. Out: calls of functions, in the thread that runs it.
"""

from __future__ import annotations

import selectors
from collections.abc import Callable

from fetchpool.pools.wakeup import Wakeup


class BlockingLoop:
    """Waits for a fetch to end, for a command, or for a watched descriptor."""

    def __init__(self) -> None:
        self._wakeup = Wakeup()
        self._selector = selectors.DefaultSelector()
        self.watch(self._wakeup.descriptor, self._wakeup.drain)

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Call a function while a descriptor is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, on_readable)

    def run_once(self, timeout: float) -> None:
        """Wait until `wake()` is called or a watched descriptor is readable, at most `timeout` seconds."""
        self._wakeup.waiting = True
        for key, _ in self._selector.select(0.0 if self._wakeup.pending else timeout):
            key.data()
        self._wakeup.waiting = self._wakeup.pending = False

    def wake(self) -> None:
        """End the current wait, or the next one."""
        self._wakeup.notify()

    def close(self) -> None:
        """Close the descriptors."""
        self._selector.close()
        self._wakeup.close()
