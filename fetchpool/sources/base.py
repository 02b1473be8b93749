"""The interface between inputs and the engine: requests, read lazily, never all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fetchpool.model.request import FetchRequest


class Source(Protocol):
    """A source of requests. Only the engine's thread calls it."""

    lazy: bool
    """Whether nothing is read before `take()`: the engine then takes no more requests than can start, none
    ahead."""
    exhausted: bool
    """Whether the input was read to its end and `take()` has returned all of it."""
    bytes_read: int
    """The offset in the files on disk up to which requests have been returned."""
    bytes_total: int | None
    """The input's size on disk; None for a pipe or an iterable."""
    failure: str | None
    """One clean line when an input could not be read to its end (unreadable, a truncated gzip). The readable
    part counts, the run continues with the next input, and its exit code is 2."""
    notices: list[str]
    """Notices for the user; the caller removes them."""

    def start(self, notify: Callable[[], None]) -> None:
        """Start reading. `notify` is called, from any thread, when more can be taken after a `take()` that
        returned nothing."""

    def take(self, limit: int) -> list[FetchRequest]:
        """Return at most `limit` requests, in input order, and fewer when they are large. Never waits for a
        pipe or a disk: an empty list means that there are none now, or, with `exhausted`, no more at all."""

    def close(self) -> None:
        """Stop reading. Idempotent."""
