"""The interface between the engine and the outputs. The engine's thread is the only caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from fetchpool.model.record import Record, StoredRow


class Sink(Protocol):
    """Takes records, in whole rows. Every method may raise `OutputError`."""

    name: str
    """What the summary calls it: the path, or `standard output`."""

    @property
    def is_nonblocking(self) -> bool:
        """Writing takes no longer than a disk needs for a few rows: nobody has to read them first, and
        they do not pile up to a piece of work."""

    def write(self, records: Sequence[Record]) -> None:
        """Takes a batch; it may be held until `flush()`."""

    def flush(self) -> None:
        """Hands all that was taken to the operating system, whole rows only."""

    def close(self) -> None:
        """Flushes and closes. Idempotent."""


class ResumableSink(Sink, Protocol):
    """A sink whose output can be read back: all that a run leaves for the next one to go on with."""

    appends: bool
    """The output had rows when it was opened, and they can be read back."""

    notices: list[str]
    """What the person should know of it; whoever tells it takes it away."""

    def written(self) -> Iterator[list[StoredRow | None]]:
        """The rows that are there now, in order, a piece at a time; None for a line that is no
        row. Of a URL's rows the last is the final one. Raises `UsageError`, at once, when the output
        is nothing that can be read."""
