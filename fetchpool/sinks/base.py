"""The seam between the engine and the files. The engine's thread is the only caller."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fetchpool.model import Record


class Sink(Protocol):
    """Takes records, in whole rows. Every method may raise `OutputError`."""

    name: str
    """What the summary calls it: the path, or `standard output`."""

    def write(self, records: Sequence[Record]) -> None:
        """Takes a batch; it may be held until `flush()`."""

    def flush(self) -> None:
        """Hands all that was taken to the operating system, whole rows only."""

    def close(self) -> None:
        """Flushes and closes. Idempotent."""
