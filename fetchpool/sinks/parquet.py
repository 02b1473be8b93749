"""Writes rows to a directory of Parquet files, one complete file at a time (extra `parquet`, which is
pyarrow).

In: records. Out: `results.parquet/part-000000.parquet` and so on; a part is never changed, so that programs
that read the directory find complete rows only. Between two parts rows wait in a file of lines, which those
programs ignore: what a crash leaves there becomes a part when the directory is opened again.

    write() ──▶ buffered rows ──flush()──▶ _part-N.jsonl ──every minute──▶ part-N.parquet

Only one run at a time can write to the directory: a second one gets an error message.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import msgspec

from fetchpool.config.outputs import resolved
from fetchpool.model.errors import FetchpoolError, OutputError, UsageError
from fetchpool.model.record import ROW_FIELDS, FieldType, Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks import parquet_file
from fetchpool.sinks.file_ops import (
    GONE,
    NO_SPACE,
    RESOURCE_ERRNOS,
    FileOps,
    is_gone,
    lock,
    open_error_message,
)
from fetchpool.sinks.parquet_parts import IO_ERRORS, PartFiles
from fetchpool.sinks.parquet_pending import PendingRows
from fetchpool.sinks.read_back import stored_row
from fetchpool.sinks.row_lines import STORED_FIELDS

UNTOUCHED = "choose another -o (nothing in it was changed)"
LOCK = parquet_file.LOCK
BUSY = "another run is writing to it, and a Parquet output allows only one; wait for it, or choose another -o"
MAX_BUFFERED = 5_000
MAX_BUFFERED_BYTES = 8 << 20
"""Number and total size of the rows that are buffered before they are written even without a `flush()`."""


class ParquetSink:
    """A `ResumableSink` for a directory of Parquet files."""

    def __init__(
        self,
        path: str,
        extra_fields: tuple[str, ...] | None = (),
        *,
        clock: Callable[[], float] = monotonic,
        types: Mapping[str, FieldType] | None = None,
        fields: tuple[str, ...] = (),
        single: bool = False,
    ) -> None:
        """Open the directory, create it if it is missing, and make a part of the pending rows that a crash
        has left. Without `extra_fields` the sink can only be compacted. `single`: a new output becomes one
        file when it is closed, if its size allows that. Raises `UsageError` for an invalid path, a directory
        or file with other content (which is left unchanged), or when another run is writing to it;
        `OutputError` when the system fails."""
        self.name = escape_invisible(path)
        self.is_nonblocking = False
        self._parts = PartFiles(resolved(path))
        self._pending = PendingRows(self._parts, extra_fields or (), FileOps(), clock, types, fields)
        self._encoder = msgspec.json.Encoder()
        self._has_bodies = "binary" in (types or {}).values()
        self.notices: list[str] = []
        self._buffer: list[bytes] = []
        self._buffered_rows = self._buffered_bytes = 0
        self._closed = False
        self._single = single
        self._lock = self._open(path)
        try:
            self._parts.finish_merge()
            self._pending.recover()
            if extra_fields is not None:
                self._check_columns(fields)
        except BaseException as failure:
            with suppress(*IO_ERRORS):  # an output that was a file becomes one again
                parquet_file.collapse(self._parts, self._pending.number)
            self._release()
            if isinstance(failure, FetchpoolError) or not isinstance(failure, Exception):
                raise
            raise self._failed(failure) from failure  # pyarrow raises anything for a file that was changed
        self.appends = bool(self._parts.numbers())

    def write(self, records: Sequence[Record]) -> None:
        """Buffer rows until `flush()`, or until there are a few thousand."""
        if self._has_bodies and len(records) > 1:  # lines of megabytes: one at a time
            for record in records:
                self.write([record])
            return
        lines = self._encoder.encode_lines(records)
        self._buffer.append(lines)
        self._buffered_rows += len(records)
        self._buffered_bytes += len(lines)
        if self._buffered_rows >= MAX_BUFFERED or self._buffered_bytes >= MAX_BUFFERED_BYTES:
            self.flush()

    def flush(self) -> None:
        """Append the buffered rows to the pending ones, and make a part of them if that is due. Raises
        `OutputError`; nothing is retried then."""
        self._flush(closing=False)

    def stored_rows(self) -> Iterator[list[StoredRow | None]]:
        """Yield the rows of the current parts, which are all rows until the first `write()`."""
        for rows in self._parts.rows(STORED_FIELDS):
            yield [stored_row(row) for row in rows]

    def compact(self, is_final: Callable[[str], bool]) -> tuple[int, int]:
        """Merge all parts into one that holds only final rows; return the number of rows kept and removed.
        `is_final` is called with each row's URL, the last row first. Raises `OutputError`."""
        rows = left = 0
        stays: dict[int, list[bytes]] = {}
        if "url" not in (self._parts.columns() or ["url"]):
            raise UsageError(f"{self.name}: has no column 'url' (nothing in it was changed)")
        try:
            for number, _, urls in self._parts.urls_backwards():
                kept = bytes(is_final(url) for url in reversed(urls))[::-1]
                stays.setdefault(number, []).insert(0, kept)
                rows += len(urls)
                left += kept.count(1)
            if len(stays) > 1 or left < rows:
                self._parts.merge(self._pending.number, dict(sorted(stays.items())))
                self._pending.number += 1
        except IO_ERRORS as failure:
            raise self._failed(failure) from failure
        return left, rows - left

    def close(self) -> None:
        """Flush, make a part of the pending rows, and close. Idempotent; raises nothing after a failure that
        was reported already."""
        if self._closed:
            return
        try:
            self._flush(closing=True)
            with suppress(*IO_ERRORS):  # all rows are in the directory
                parquet_file.collapse(self._parts, self._pending.number)
        finally:
            self._release()

    def _flush(self, *, closing: bool) -> None:
        lines, rows = b"".join(self._buffer), self._buffered_rows
        self._buffer.clear()
        self._buffered_rows = self._buffered_bytes = 0
        if self._closed:
            if rows:
                raise OutputError(f"{self.name}: is closed")
            return
        try:
            if is_gone(self._lock, self._parts.directory / LOCK):
                self._release()
                raise OutputError(f"{self.name}: {GONE}")
            if rows:
                self._pending.append(lines, rows)
            if closing or self._pending.are_due:
                self._pending.make_part()
        except IO_ERRORS as failure:
            self._release()
            raise self._failed(failure) from failure

    def _check_columns(self, fields: tuple[str, ...]) -> None:
        """Raise `UsageError` if the columns of the parts differ from the chosen ones."""
        found = self._parts.columns()
        if found and (found != list(fields) if fields else found[: len(ROW_FIELDS)] != list(ROW_FIELDS)):
            raise UsageError(f"{self.name}: is a parquet output of fetchpool with other columns; {UNTOUCHED}")

    def _open(self, path: str) -> int:
        """Create the directory if it is missing, and lock it; return the descriptor that holds the lock."""
        try:
            self._prepare(self._parts.directory)
            if not self._parts.directory.is_dir():
                raise UsageError(f"{self.name}: is not a parquet output of fetchpool; {UNTOUCHED}")
            if unknown := self._parts.unknown_file():
                raise UsageError(
                    f"{self.name}: is not a parquet output of fetchpool, "
                    f"{escape_invisible(unknown)} is in it; "
                    f"{UNTOUCHED}"
                )
            descriptor = os.open(self._parts.directory / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except (BlockingIOError, FileExistsError):  # it is being converted to a directory or a file
            raise UsageError(f"{self.name}: {BUSY}") from None
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            words = f"{self.name}: {open_error_message(path, failure)}"
            if isinstance(failure, OSError) and failure.errno in RESOURCE_ERRNOS:
                raise OutputError(words) from failure
            raise UsageError(words) from failure
        try:
            lock(descriptor, wait=False)
        except BlockingIOError:
            os.close(descriptor)
            raise UsageError(f"{self.name}: {BUSY}") from None
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _prepare(self, path: Path) -> None:
        """Make the output a directory: a new one, or one with the file of an earlier run as its first
        part."""
        parquet_file.recover(path)
        if path.is_file() and PartFiles.is_ours(path):
            parquet_file.expand(path)
            return
        with suppress(FileExistsError):
            path.mkdir()
            if self._single:
                (path / parquet_file.SINGLE).touch()

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._pending.close()
            os.close(self._lock)

    def _failed(self, failure: Exception) -> OutputError:
        why = (failure.strerror if isinstance(failure, OSError) else None) or (
            str(failure) or type(failure).__name__
        ).splitlines()[0]
        code = failure.errno if isinstance(failure, OSError) else None
        if code in (errno.ENOSPC, errno.EDQUOT):
            return OutputError(f"{self.name}: {why}; {NO_SPACE}")
        return OutputError(f"{self.name}: can't be written: {escape_invisible(why)}")
