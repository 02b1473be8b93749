"""The interface of an output of links (`--links`). The engine's thread is the only caller."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fetchpool.model.link import Link
from fetchpool.sinks.base import WrittenFirst

IsDone = Callable[[str], bool]
"""Whether a page already has its row. If so, its links are complete, and it is not fetched again."""


class LinkSink(WrittenFirst, Protocol):
    """Writes links as complete rows. Every method may raise `OutputError`."""

    name: str
    """The path of the output, safe to show."""

    def write(self, links: Sequence[Link]) -> None:
        """Write the links of a page; the sink may buffer them until `flush()`."""
