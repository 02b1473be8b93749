"""The engine's inbox: completed futures, DNS results and commands, from any thread.

In: messages. Out: the same messages, in order, for the engine's thread. A message also wakes a pool that runs
in the engine's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from queue import Empty, SimpleQueue

from msgspec import Struct

from fetchpool.model.steering import Command
from fetchpool.pools.base import InlinePool
from fetchpool.pools.future import LightFuture
from fetchpool.transports.dns import HostAddresses


class SteeringRequest(Struct, frozen=True):
    """A command for the engine, and its origin: `from the web page`; empty for a signal."""

    command: Command
    by: str


class PoolNotice(Struct, frozen=True):
    """A notice from the pool."""

    text: str


class PoolLost(Struct, frozen=True):
    """The pool can no longer fetch: its cluster is gone."""

    reason: str


class Wake(Struct, frozen=True):
    """A request to check for work again."""


Message = LightFuture | HostAddresses | SteeringRequest | PoolNotice | PoolLost | Wake
WAKE = Wake()


class Inbox:
    """A queue of messages for the engine's thread."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[Message] = SimpleQueue()
        self.put: Callable[[Message], None] = self._queue.put
        """Add a message, from any thread or a signal handler, without waking an inline pool: for completed
        futures, which end the call of `run_once()` themselves."""
        self._pool: InlinePool | None = None

    def attach(self, pool: InlinePool) -> None:
        """Make `post()` wake this pool, and `wait()` run it."""
        self._pool = pool
        pool.run_once(0.0)

    def post(self, message: Message) -> None:
        """Add a message and wake the engine, even if it is running its pool."""
        self._queue.put(message)
        if self._pool is not None:
            self._pool.wake()

    def wake(self) -> None:
        """Wake the engine so that it checks for work again."""
        self.post(WAKE)

    @property
    def has_messages(self) -> bool:
        """Whether there are messages."""
        return not self._queue.empty()

    def drain(self) -> list[Message]:
        """Return all messages without waiting."""
        queue = self._queue
        return [queue.get() for _ in range(queue.qsize())]

    def poll(self) -> None:
        """Run an inline pool once, without waiting."""
        if self._pool is not None:
            self._pool.run_once(0.0)

    def wait(self, timeout: float) -> Message | None:
        """Wait for a message and return it. None after the timeout, or if an inline pool has run."""
        if self._pool is not None:
            self._pool.run_once(timeout)
            return None
        try:
            return self._queue.get(timeout=timeout)
        except Empty:
            return None
