"""The one writer: what is final goes to every output that lacks it, the archive before the rows.

In: final rows and archive records, from the engine's thread. Out: sinks written, flushed often, closed
whole. Raises `OutputError` when an output fails; it is never tried again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fetchpool.known import Known
from fetchpool.model import Outcome, Record
from fetchpool.sinks.base import Sink

if TYPE_CHECKING:  # loaded by those who use it
    from fetchpool.archive import Archive
    from fetchpool.spool import SpoolFolder

FLUSH_INTERVAL = 0.5
"""Seconds a written row may wait for the operating system."""


class Writer:
    """The sinks and the archive of a run."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        known: Known,
        *,
        archive: Archive | None = None,
        spools: Sequence[SpoolFolder] = (),
    ) -> None:
        self._sinks = sinks
        self._known = known
        self._archive = archive
        self._spools = spools
        self._flush_at: float | None = None
        self.rows = [0] * len(sinks)
        """How many each sink was given."""

    @property
    def is_prompt(self) -> bool:
        """Nothing here waits for somebody else, or writes so much at once that others would."""
        return self._archive is None and all(sink.is_prompt for sink in self._sinks)

    @property
    def flush_at(self) -> float | None:
        """When `flush()` is due; None: there is nothing to flush."""
        return self._flush_at

    def archive(self, outcome: Outcome) -> None:
        """What an attempt sent and received."""
        if self._archive is not None:
            self._archive.write(outcome)

    def archive_failure(self, record: Record, outcome: Outcome) -> None:
        """A final failure that has no records of its own."""
        if self._archive is not None and record.error is not None and not outcome.answered:
            self._archive.write_failure(record)

    def write(self, records: list[Record], now: float) -> None:
        """Rows that became final, to every sink that lacks them."""
        for number, sink in enumerate(self._sinks):
            lacking = self._known.lacking(records, number)
            sink.write(lacking)
            self.rows[number] += len(lacking)
        self._known.settle(records)
        if self._flush_at is None:
            self._flush_at = now + FLUSH_INTERVAL

    def flush(self) -> None:
        """Hands all that was written to the operating system, records before rows."""
        if self._archive is not None:
            self._archive.flush()
        for sink in self._sinks:
            sink.flush()
        self._flush_at = None

    def close(self) -> None:
        """Flushes and closes everything, whatever fails on the way; raises the first failure.
        Idempotent."""
        failures = []
        outputs: list[Archive | Sink] = [*self._sinks]
        if self._archive is not None:
            outputs.insert(0, self._archive)
        for output in outputs:
            try:
                output.close()
            except Exception as failure:  # noqa: BLE001 - the others must be closed all the same
                failures.append(failure)
        self._sinks = ()
        self._archive = None
        for spool in self._spools:
            spool.close()
        if failures:
            raise failures[0]
