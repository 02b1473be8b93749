"""Writer: writes final rows to every output that lacks them, after the archive.

In: final rows and archive records, from the engine's thread. Out: sinks, flushed often, and closed with
complete rows. Raises `OutputError` when an output fails; writing is not retried.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.errors import OutputClosedError, OutputError
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.sinks.base import ResumableSink, Sink, WrittenFirst
from fetchpool.sinks.file import FileSink
from fetchpool.sinks.unread import UnreadRows

if TYPE_CHECKING:  # loaded only for --warc and --cookie-jar
    from fetchpool.http.cookie_store import CookieJar
    from fetchpool.sinks.spool import SpoolDirectory
    from fetchpool.sinks.warc import WarcFile

FLUSH_INTERVAL = 0.5
"""Maximum seconds between writing a row and flushing it."""


class Writer:
    """The sinks and the archive of a run."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        known: DuplicateFilter,
        *,
        archive: WarcFile | None = None,
        spools: Sequence[SpoolDirectory] = (),
        resumable: Sequence[ResumableSink] = (),
        jar: CookieJar | None = None,
        first: Sequence[WrittenFirst] = (),
    ) -> None:
        """`resumable`: the sinks that can be resumed, which may have notices. `jar`: written at the end.
        `first`: files of a crawl, which are written before the rows of its pages."""
        self._first = first
        self._syncs_first = False
        """Whether a sink decides itself when its rows are synced to disk, and can't sync these files
        first."""
        if first:
            for sink in sinks:
                if isinstance(sink, FileSink):
                    sink.before_sync = self._sync_first
                else:
                    self._syncs_first = True
        self._sinks = sinks
        self.known = known
        """Marks what is written, for the reader, which leaves out duplicates."""
        self._archive = archive
        self._spools = spools
        self._resumable = resumable
        only = resumable[0] if len(resumable) == len(sinks) == 1 else None
        self._unread: UnreadRows | None = None
        if isinstance(only, FileSink) and archive is None and not spools:
            self._unread = only.follow_reader()
        self.jar = jar
        """The cookies that all URLs share."""
        self._flush_at: float | None = None
        self._dropped: set[int] = set()
        """Numbers of the sinks whose reader has closed them."""
        self.notices: list[str] = []
        """Notices for the user; the caller removes them."""
        self.rows = [0] * len(sinks)
        """Number of rows written to each sink."""

    @property
    def is_nonblocking(self) -> bool:
        """Whether writes are quick and never block."""
        return self._archive is None and all(sink.is_nonblocking for sink in self._sinks)

    @property
    def waits_for_reader(self) -> bool:
        """Whether the only output is a pipe, so that the run ends with its reader. Unread rows then count as
        requests in flight, so that only a few more URLs are fetched than the reader wants."""
        return self._unread is not None

    def read_and_unread_rows(self) -> tuple[int, int]:
        """Return the numbers of rows that the reader of the only output has read and not read. Raises
        `OutputClosedError` if it has closed the pipe."""
        return (0, 0) if self._unread is None else self._unread.count()

    @property
    def next_flush(self) -> float | None:
        """When `flush()` is due; None if there is nothing to flush."""
        return self._flush_at

    @property
    def archives(self) -> bool:
        """Whether there is an archive."""
        return self._archive is not None

    def archive(self, outcome: Outcome) -> None:
        """Write the requests and responses of an attempt to the archive."""
        if self._archive is not None:
            self._archive.write(outcome)

    def archive_failure(self, record: Record, outcome: Outcome) -> None:
        """Write a final failure that has no records of its own to the archive."""
        if self._archive is not None and not outcome.has_response:
            self._archive.write_failure(record)

    def write(self, records: list[Record], now: float) -> None:
        """Write final rows to every sink that lacks them."""
        for each in self._first:
            each.flush()
        for number, sink in enumerate(self._sinks):
            if number in self._dropped:
                continue
            missing = self.known.missing_from(records, number)
            try:
                sink.write(missing)
            except OutputClosedError as closed:
                self._drop_sink(number, closed)
            else:
                self.rows[number] += len(missing)
        self.known.mark_written(records)
        if self._flush_at is None:
            self._flush_at = now + FLUSH_INTERVAL

    def flush(self) -> None:
        """Flush everything to the operating system, archive records and links before rows."""
        if self._syncs_first:
            self._sync_first()
        else:
            for each in self._first:
                each.flush()
        if self._archive is not None:
            self._archive.flush()
        for number, sink in enumerate(self._sinks):
            if number in self._dropped:
                continue
            try:
                sink.flush()
            except OutputClosedError as closed:
                self._drop_sink(number, closed)
        self._flush_at = None
        for journal in self._resumable:
            while journal.notices:
                self.notices.append(journal.notices.pop(0))

    def _sync_first(self) -> None:
        """Sync the files that must precede the rows."""
        for each in self._first:
            each.sync()

    def _drop_sink(self, number: int, closed: OutputClosedError) -> None:
        """Continue without a sink whose reader has closed it; raise the error if there is no other output: no
        sink, no archive, no bodies."""
        self._dropped.add(number)
        if len(self._dropped) == len(self._sinks) and self._archive is None and not self._spools:
            raise closed
        self.notices.append(
            f"{self._sinks[number].name} was closed by its reader; the other outputs continue"
        )

    def close(self) -> None:
        """Flush and close everything, even if something fails; raise the first failure. Idempotent."""
        failures: list[Exception] = []
        outputs: list[WarcFile | WrittenFirst | Sink] = [*self._first, *self._sinks]
        if self._archive is not None:
            outputs.insert(0, self._archive)
        for output in outputs:
            try:
                output.close()
            except OutputClosedError as failure:
                if len(outputs) == 1 and not self._spools:
                    failures.append(failure)
            except Exception as failure:  # noqa: BLE001 - the other outputs must be closed, too
                failures.append(failure)
        self._sinks = ()
        self._archive = None
        if self.jar is not None:
            jar, self.jar = self.jar, None
            try:
                jar.close()
            except OutputError as failure:
                failures.append(failure)
        for spool in self._spools:
            spool.close()
        if failures:
            raise failures[0]
