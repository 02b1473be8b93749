"""The interface of an output of links (`--links`). The engine's thread is the only caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fetchpool.model.link import Link

IsDone = Callable[[str], bool]
"""Whether a page has its row already: then its links are complete, and it is not fetched again."""


class LinkSink(Protocol):
    """Writes links as complete rows. Every method may raise `OutputError`."""

    name: str
    """Its path, safe to show."""

    def write(self, links: Sequence[Link]) -> None:
        """Write the links of a page; the sink may buffer them until `flush()`."""

    def flush(self) -> None:
        """Pass all buffered links to the operating system, so that a killed process leaves them."""

    def sync(self) -> None:
        """Wait until the disk has everything that was flushed."""

    def close(self) -> None:
        """Flush, sync and close. Idempotent."""
