"""The interface between inputs and the engine: requests, read lazily, never all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fetchpool.model.request import FetchRequest


class Source(Protocol):
    """Where requests come from. Only the engine's thread calls it."""

    lazy: bool
    """Nothing is read before somebody takes it: no more is to be taken than may start."""
    exhausted: bool
    """True when the input was read to its end and `take()` has handed all of it over."""
    bytes_read: int
    """Of the input, as it lies on the disk: how far the requests handed over so far reach."""
    bytes_total: int | None
    """The input's size on the disk; None for a pipe or an iterable."""
    failure: str | None
    """One clean line when an input broke off (unreadable, a gzip cut short); what was read counts.
    The run goes on with the next input, and its exit code is 2."""

    def start(self, notify: Callable[[], None]) -> None:
        """`notify` is called, from any thread, when a `take()` that would have come up empty can be
        tried again."""

    def take(self, limit: int) -> list[FetchRequest]:
        """At most `limit` requests, in input order, and few when they are large. Never waits for a pipe or a
        disk: an empty list means "nothing now", or, with `exhausted`, nothing ever again."""

    def close(self) -> None:
        """Stops reading. Idempotent."""
