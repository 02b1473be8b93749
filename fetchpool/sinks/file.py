"""Writes row files: appends complete rows and changes nothing else in the file.

In: records, in batches, and a `RowFormat`, which formats the rows. Out: a file (or a pipe, or standard
output) that ends in a complete row after every `flush()`, even when the disk is full. The module knows no
format, and truncates a file only to remove the partial row that a crash left at its end.

    write() ──RowFormat.encode()──▶ buffered rows ──flush(): lock, repair, append, unlock──▶ file

Each batch is written to a regular file under an advisory lock, so that two runs may share the file (fault
42). A partial row that the crash of another run left is removed first, so that no row is appended to it. When
`fetchpool compact` has replaced the file meanwhile, the rows go to the new one.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from fetchpool.model.errors import OutputClosedError, OutputError, UsageError
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks import stdout
from fetchpool.sinks.file_ops import (
    NO_SPACE,
    RESOURCE_ERRNOS,
    FileOps,
    is_gone,
    lock,
    open_error_message,
    unlock,
    write_all,
)
from fetchpool.sinks.lines import blocks, last_line_end, sequential
from fetchpool.sinks.unread import CLOSED, UnreadRows, is_pipe

if TYPE_CHECKING:  # loaded for compressed outputs only
    from fetchpool.sinks.compression import Compression

MAX_BUFFERED = 1 << 20
"""Bytes of rows that are buffered before they are written even without a `flush()`."""
SYNC_INTERVAL = 5.0
"""Seconds between two calls of fsync: a power failure loses at most the rows of this time."""
BLOCK = 1 << 16


class RowFormat(Protocol):
    """Formats rows. One row is one line. `sinks/read_back.py` reads them."""

    name: str
    """The name of the format."""
    header: bytes
    """The first line of a file, with its line end; empty when there is none."""

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return complete rows, each with its line end."""

    def check_header(self, start: bytes) -> str:
        """Return why a file whose first line is `start` is not an output in this format; empty if it is one.
        A `start` without a line end may be truncated anywhere."""

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the header of an output whose first line is `start`, whatever its columns; None when the
        file is not an output in this format."""


class FileSink:
    """A `Sink` for one file, device, pipe or standard output (`-`)."""

    def __init__(
        self,
        path: str,
        rows: RowFormat,
        *,
        disk: FileOps | None = None,
        clock: Callable[[], float] = monotonic,
        compression: Compression | None = None,
    ) -> None:
        """Open the file, create it if it is missing, and repair its end. Raises `UsageError` for an invalid
        path or a file with other content (which is left unchanged), and `OutputError` if the system fails."""
        self.name = "standard output" if path == "-" else escape_invisible(path)
        self._path = path
        self._rows = rows
        self._compression = compression
        self._disk = disk or FileOps()
        self._clock = clock
        self._next_sync = clock() + SYNC_INTERVAL
        self.before_sync: Callable[[], None] = lambda: None
        """Called before rows are synced to disk, to sync the files that must precede them."""
        self.notices: list[str] = []
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._end = -1
        """The size of a regular file after the last write: while it is unchanged, no other run has
        written."""
        self._closed = False
        self._descriptor, self._readable = self._open()
        try:
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self._readable:
                self._check_ours()
            if self._regular:
                self._append(b"")
            else:
                self._buffer.append(rows.header)
            self.unread: UnreadRows | None = None
            """Counts the rows that the reader of standard output has not read, after `follow_reader()`."""
            self.appends = self._readable and self._end > len(self._packed(rows.header))
        except BaseException:
            self._release()
            raise

    @property
    def is_nonblocking(self) -> bool:
        return self._regular

    def follow_reader(self) -> UnreadRows | None:
        """If this is standard output and a pipe, write rows soon and count the unread ones."""
        if self._path == "-" and is_pipe(self._descriptor):
            self.unread = UnreadRows(self._descriptor)
        return self.unread

    def write(self, records: Sequence[Record]) -> None:
        """Buffer rows until `flush()`, or until they exceed a mebibyte."""
        rows = self._rows.encode(records)
        self._buffer.append(rows)
        self._buffered += len(rows)
        if self.unread is not None:
            self.unread.written(len(records), len(rows))
            if self.unread.must_flush:
                self.flush()
        elif self._buffered >= MAX_BUFFERED:
            self.flush()

    def append_lines(self, lines: bytes) -> None:
        """Buffer complete lines that are not rows of URLs, like `write()`."""
        self._buffer.append(lines)
        self._buffered += len(lines)
        if self._buffered >= MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Append the buffered rows. Raises `OutputError`: rows that were not written are then not retried,
        and a regular file ends in its last complete row."""
        rows = b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        if rows:
            self._append(rows)
            if self.unread is not None:
                self.unread.flushed()
        if self._regular and not self._closed and self._clock() >= self._next_sync:
            self._sync()

    def sync(self) -> None:
        """Wait until everything that was flushed is on disk."""
        if self._regular and not self._closed:
            self._sync()

    def stored_rows(self) -> Iterator[list[StoredRow | None]]:
        """Yield the current rows of the file, a hundred kilobytes at a time."""
        if not (self._regular and self._readable):
            raise UsageError(f"{self.name}: --resume cannot read it back; name a regular file with -o")
        from fetchpool.sinks.row_lines import line_decoder  # loaded for --resume only

        skipped = len(self._rows.header)
        if self._compression is None:
            lines = blocks(self._read_or_fail, skipped, self._end)
        else:
            read = sequential(self._compression.content(self._read_or_fail, self._end))
            while skipped and (piece := read(0, skipped)):
                skipped -= len(piece)
            lines = blocks(read, 0, sys.maxsize)
        return map(line_decoder(self._rows.name, self._rows.header), lines)

    def close(self) -> None:
        """Flush, sync and close. `fsync` is called once: after a failure a second call would succeed although
        data is lost. Idempotent; raises nothing after a failure that was reported already."""
        if self._closed:
            return
        try:
            self.flush()
            if self._regular:
                self._sync()
        finally:
            self._release()

    def _open(self) -> tuple[int, bool]:
        """Return the descriptor, and whether the file can be read back."""
        if self._path == "-":
            # Closed by the parent process; descriptor 1 may be another file by now.
            if sys.__stdout__ is None:
                raise UsageError("standard output is closed; name a file with -o")
            try:
                return stdout.redirect(), False
            except OSError as failure:
                raise self._failed(failure) from failure
        try:
            if Path(self._path).exists() and not Path(self._path).is_file():
                return os.open(self._path, os.O_WRONLY), False
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            return os.open(self._path, flags, 0o666), True
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            if isinstance(failure, OSError) and failure.errno in RESOURCE_ERRNOS:
                raise self._failed(failure) from failure
            raise UsageError(f"{self.name}: {open_error_message(self._path, failure)}") from failure

    def _check_ours(self) -> None:
        start = self._start()
        line, end, _ = start.partition(b"\n")
        if start and (problem := self._rows.check_header(line + end)):
            raise UsageError(f"{self.name}: {problem}; choose another -o (nothing in it was changed)")

    def _start(self) -> bytes:
        """Return the first bytes of the content."""
        if self._compression is None:
            return self._read(0, BLOCK)
        size = os.fstat(self._descriptor).st_size
        start = next(self._compression.content(self._read, size), b"")
        if size and not start:
            raise UsageError(
                f"{self.name}: is not compressed with {self._compression.name}; choose another -o "
                "(nothing in it was changed)"
            )
        return start

    def _packed(self, rows: bytes) -> bytes:
        """Return rows in the form of the file."""
        return rows if self._compression is None else self._compression.pack(rows)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock of the file at the path, if it is a regular file and the file system supports
        locks."""
        locked = self._regular and lock(self._descriptor)
        while self._readable and self._replaced():
            self._reopen()
            locked = lock(self._descriptor)
        try:
            yield
        finally:
            if locked:
                unlock(self._descriptor)

    def _replaced(self) -> bool:
        """Whether the path now leads to another file or to none: `compact` replaces the file."""
        return is_gone(self._descriptor, self._path)

    def _reopen(self) -> None:
        """Continue with the file that is now at the path, or with a new one."""
        if not Path(self._path).exists():
            self.notices.append(
                f"{self.name} was removed during the run; all further rows are in a new file of that name"
            )
        try:
            descriptor, self._readable = self._open()
            os.close(self._descriptor)  # which releases our lock on the old file
            self._descriptor, self._end = descriptor, -1
            self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            if self._readable:
                self._check_ours()
        except UsageError as refusal:
            self._release()
            if Path(self._path).exists():
                raise OutputError(f"replaced by another file during the run: {refusal}") from refusal
            raise OutputError(f"removed during the run: {refusal}") from refusal

    def _append(self, rows: bytes) -> None:
        """Append complete rows after complete rows; an empty file gets the header first."""
        if self._closed:
            raise OutputError(f"{self.name}: is closed")
        try:
            with self._locked():
                start = self._remove_partial_row() if self._regular else -1
                if start == 0:
                    rows = self._rows.header + rows
                rows = self._packed(rows)
                try:
                    write_all(self._descriptor, rows, self._disk)
                except BaseException:  # a second Ctrl-C, too, may interrupt between two writes
                    if self._regular:
                        self._undo_partial_write(start, rows)
                    raise
                self._end = start + len(rows)
        except OSError as failure:
            error = self._failed(failure)
            # If its reader is gone, standard output stays redirected, since other code may still print.
            if not isinstance(error, OutputClosedError):
                self._release()
            raise error from failure

    def _remove_partial_row(self) -> int:
        """Remove a partial row from the end of the file; return the file's size."""
        size = os.fstat(self._descriptor).st_size
        if size in (0, self._end) or not self._readable:
            return size
        if self._compression is not None:
            known = self._end if 0 < self._end < size else 0
            end = self._compression.complete(self._read, known, size)
        elif self._read(size - 1, 1) == b"\n":
            return size
        else:
            end = last_line_end(self._read, 0, size)
        if end == size:
            return size
        self._disk.truncate(self._descriptor, end)
        return end

    def _undo_partial_write(self, start: int, rows: bytes) -> None:
        """Remove the part of a row that was written, as found from the file's size. If the size shows that
        another run wrote meanwhile, on a file system without locks, leave the file unchanged."""
        written = os.fstat(self._descriptor).st_size - start
        if self._compression is not None and 0 < written <= len(rows):
            self._disk.truncate(self._descriptor, start)
        elif 0 < written <= len(rows):
            self._disk.truncate(self._descriptor, start + rows.rfind(b"\n", 0, written) + 1)

    def _read(self, offset: int, size: int) -> bytes:
        """Read at an offset. This does not affect writing: `O_APPEND` always writes at the end."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return os.read(self._descriptor, size)

    def _sync(self) -> None:
        self.before_sync()
        try:
            self._disk.sync(self._descriptor)
        except OSError as failure:
            if failure.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without fsync
                self._release()
                raise self._failed(failure) from failure
        self._next_sync = self._clock() + SYNC_INTERVAL

    def _read_or_fail(self, offset: int, size: int) -> bytes:
        try:
            return self._read(offset, size)
        except OSError as failure:
            raise OutputError(f"{self.name}: can't be read: {failure.strerror}") from failure

    def _release(self) -> None:
        if not self._closed:
            (stdout.restore if self._path == "-" else os.close)(self._descriptor)
        self._closed = True

    def _failed(self, failure: OSError) -> OutputError:
        if failure.errno == errno.EPIPE and self._path == "-":
            return OutputClosedError(CLOSED)
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return OutputError(f"{self.name}: {failure.strerror}; {NO_SPACE}")
        return OutputError(f"{self.name}: can't be written: {failure.strerror}")
