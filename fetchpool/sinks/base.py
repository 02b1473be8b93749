"""The interfaces of outputs, which the engine uses. The engine's thread is the only caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from fetchpool.model.record import Record, StoredRow


class Sink(Protocol):
    """Writes records as complete rows. Every method may raise `OutputError`."""

    name: str
    """The output's name in the summary: the path, or `standard output`."""

    @property
    def is_nonblocking(self) -> bool:
        """Whether `write()` and `flush()` are quick: they wait for no reader, and the sink does not collect
        rows for one large write."""

    def write(self, records: Sequence[Record]) -> None:
        """Write a batch; the sink may buffer it until `flush()`."""

    def flush(self) -> None:
        """Pass all buffered rows to the operating system, complete rows only."""

    def close(self) -> None:
        """Flush and close. Idempotent."""


class WrittenFirst(Protocol):
    """A file whose content must be written before the rows that depend on it: the frontier of a crawl, or its
    links. Every method may raise `OutputError`."""

    def flush(self) -> None:
        """Pass everything to the operating system."""

    def sync(self) -> None:
        """Wait until everything is on disk. Does nothing after `close()`."""

    def close(self) -> None:
        """Write everything and close. Idempotent."""


class ResumableSink(Sink, Protocol):
    """A sink whose output can be read back. A resumed run needs nothing but the output."""

    appends: bool
    """Whether the output had rows when it was opened, and they can be read back."""

    notices: list[str]
    """Messages for the user. The caller that shows them clears the list."""

    def stored_rows(self) -> Iterator[list[StoredRow | None]]:
        """Yield the current rows of the output, in order, in batches; None for a damaged line. The last row
        of a URL is its final one. Raises `UsageError`, at once, when the output can't be read."""
