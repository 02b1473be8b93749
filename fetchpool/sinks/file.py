"""The one writer of row files: it appends whole rows and leaves everything else as it was.

In: records, in batches, and a `RowFormat` that knows how a row is spelled. Out: a file (or a pipe, or
standard output) that ends in a whole row after every `flush()`, also when the disk is full. It
knows no format; it never truncates a file, but for the torn row that a crash left at its end.

    write() ──RowFormat.encode()──▶ rows held ──flush(): lock, repair, append, unlock──▶ file

Of a regular file, each batch is written under an advisory lock, so that two runs may share it (fault
42), and where another's crash left a torn row, that is cut off first, so that no row is glued to it.
When `fetchpool compact` has put another file in its place meanwhile, the rows go there.
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
from typing import Protocol

from fetchpool.model.errors import OutputClosedError, OutputError, UsageError
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks import stdout
from fetchpool.sinks.file_ops import (
    RESOURCE_ERRNOS,
    FileOps,
    is_gone,
    lock,
    open_error_message,
    unlock,
    write_all,
)
from fetchpool.sinks.lines import blocks, last_line_end

HELD = 1 << 20
"""Bytes of rows that are held at most before they are written without being asked to."""
CHECKPOINT = 5.0
"""Seconds after which a flush asks the disk to keep what was written: what a power failure can cost."""
BLOCK = 1 << 16


class RowFormat(Protocol):
    """How rows are spelled. One row is one line."""

    header: bytes
    """The first line of a file, with its line end; empty when there is none."""

    def encode(self, records: Sequence[Record]) -> bytes:
        """Whole rows, each with its line end."""

    def refusal(self, start: bytes) -> str:
        """Why a file whose first line is `start` is none of ours; empty when it is one. Without a
        line end, `start` may be torn anywhere."""

    def parse_header(self, start: bytes) -> bytes | None:
        """The header of a file of ours whose first line is `start`, whatever columns it was made with;
        None when it is none of ours."""

    def decode(self, lines: bytes) -> list[StoredRow | None]:
        """The row on each of these whole lines; None for one that is no row."""


class FileSink:
    """A `Sink` for one file, device, pipe or standard output (`-`)."""

    def __init__(
        self,
        path: str,
        rows: RowFormat,
        *,
        disk: FileOps | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Opens it, makes it when it isn't there, and repairs its end. Raises `UsageError` for an
        invalid path or a file of something else (which is left untouched), and
        `OutputError` when the machine fails."""
        self.name = "standard output" if path == "-" else escape_invisible(path)
        self._path = path
        self._rows = rows
        self._disk = disk or FileOps()
        self._clock = clock
        self._next_checkpoint = clock() + CHECKPOINT
        self.notices: list[str] = []
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._end = -1
        """Where we left the end of a regular file: as long as it is there, nobody else wrote."""
        self._closed = False
        self._descriptor, self._readable = self._open()
        try:
            self._regular = stat.S_ISREG(os.fstat(self._descriptor).st_mode)
            if self._readable:
                self._check_ours()
            if self._regular:
                self._append(b"")
            else:
                self._held.append(rows.header)
            self.appends = self._readable and self._end > len(rows.header)
        except BaseException:
            self._release()
            raise

    @property
    def is_nonblocking(self) -> bool:
        return self._regular

    def write(self, records: Sequence[Record]) -> None:
        """Takes rows; they are held until `flush()`, or until they are a mebibyte."""
        rows = self._rows.encode(records)
        self._held.append(rows)
        self._held_bytes += len(rows)
        if self._held_bytes >= HELD:
            self.flush()

    def flush(self) -> None:
        """Appends what is held. When that fails, `OutputError`: rows that did not come to be written
        are not tried again, and a regular file ends in its last whole row."""
        rows = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        if rows:
            self._append(rows)
        if self._regular and not self._closed and self._clock() >= self._next_checkpoint:
            self._sync()

    def written(self) -> Iterator[list[StoredRow | None]]:
        """The rows that are there now, a hundred kilobytes at a time."""
        if not (self._regular and self._readable):
            raise UsageError(f"{self.name}: can't be read back, which --resume has to; name a file with -o")
        return map(self._rows.decode, blocks(self._read_on, len(self._rows.header), self._end))

    def close(self) -> None:
        """Flushes, asks the disk to keep it (`fsync`, once: a failed one is never retried, it
        would succeed and lie) and closes. Idempotent; quiet after a failure that was told already."""
        if self._closed:
            return
        try:
            self.flush()
            if self._regular:
                self._sync()
        finally:
            self._release()

    def _open(self) -> tuple[int, bool]:
        """The descriptor, and whether what is in the file can be read back."""
        if self._path == "-":
            if sys.__stdout__ is None:  # closed by whoever started us; 1 may be another file by now
                raise UsageError("standard output is closed; name a file with -o")
            try:
                return stdout.take(), False
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
        start = self._read(0, BLOCK)
        line, end, _ = start.partition(b"\n")
        if start and (problem := self._rows.refusal(line + end)):
            raise UsageError(f"{self.name}: {problem}; choose another -o (nothing in it was changed)")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone with the file that has our name, if it is one, and if the file system has locks."""
        locked = self._regular and lock(self._descriptor)
        while self._readable and self._replaced():
            self._follow()
            locked = lock(self._descriptor)
        try:
            yield
        finally:
            if locked:
                unlock(self._descriptor)

    def _replaced(self) -> bool:
        """Whether our name leads to another file by now, or to none: `compact` puts a new one there."""
        return is_gone(self._descriptor, self._path)

    def _follow(self) -> None:
        """Goes on with the file that has our name now, a new one if there is none."""
        if not Path(self._path).exists():
            self.notices.append(
                f"{self.name} was removed while it was written: a new one has the rows from here on"
            )
        try:
            descriptor, self._readable = self._open()
            os.close(self._descriptor)  # and with it our lock on what it was
            self._descriptor, self._end = descriptor, -1
            self._regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            if self._readable:
                self._check_ours()
        except UsageError as refusal:
            self._release()
            if Path(self._path).exists():
                raise OutputError(f"another file took its place: {refusal}") from refusal
            raise OutputError(f"it was removed while it was written: {refusal}") from refusal

    def _append(self, rows: bytes) -> None:
        """Whole rows, behind whole rows; a file without any begins with the header."""
        if self._closed:
            raise OutputError(f"{self.name}: is closed")
        try:
            with self._locked():
                start = self._truncate_torn_row() if self._regular else -1
                if start == 0:
                    rows = self._rows.header + rows
                try:
                    write_all(self._descriptor, rows, self._disk)
                except BaseException:  # a second Ctrl-C too may come between two writes
                    if self._regular:
                        self._undo_partial_write(start, rows)
                    raise
                self._end = start + len(rows)
        except OSError as failure:
            told = self._failed(failure)
            # A reader that has left is no reason to give standard output back: others may print yet.
            if not isinstance(told, OutputClosedError):
                self._release()
            raise told from failure

    def _truncate_torn_row(self) -> int:
        """The file's size, when a torn row at its end is cut off."""
        size = os.fstat(self._descriptor).st_size
        if size in (0, self._end) or not self._readable or self._read(size - 1, 1) == b"\n":
            return size
        end = last_line_end(self._read, 0, size)
        self._disk.truncate(self._descriptor, end)
        return end

    def _undo_partial_write(self, start: int, rows: bytes) -> None:
        """Takes back the part of a row that was written, by what the file itself says. If it says that
        somebody else wrote meanwhile, on a file system without locks, it is left alone."""
        written = os.fstat(self._descriptor).st_size - start
        if 0 < written <= len(rows):
            self._disk.truncate(self._descriptor, start + rows.rfind(b"\n", 0, written) + 1)

    def _read(self, offset: int, size: int) -> bytes:
        """`O_APPEND` writes at the end wherever reading left the position."""
        os.lseek(self._descriptor, offset, os.SEEK_SET)
        return os.read(self._descriptor, size)

    def _sync(self) -> None:
        try:
            self._disk.sync(self._descriptor)
        except OSError as failure:
            if failure.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
                self._release()
                raise self._failed(failure) from failure
        self._next_checkpoint = self._clock() + CHECKPOINT

    def _read_on(self, offset: int, size: int) -> bytes:
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
            return OutputClosedError("standard output was closed by its reader")
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            return OutputError(f"{self.name}: {failure.strerror}; make room, or name another file with -o")
        return OutputError(f"{self.name}: can't be written: {failure.strerror}")
