"""Rows as a folder of Parquet files, one whole file a checkpoint (extra `parquet`, which is pyarrow).

In: records. Out: `results.parquet/part-000000.parquet` and so on; a part is never changed, so whoever
reads the folder meets whole rows only. Between two checkpoints rows wait in a file of lines, which
readers pass over: what a crash left there becomes a part when the folder is opened again.

    write() ──▶ rows held ──flush()──▶ _part-N.jsonl ──checkpoint──▶ part-N.parquet

One run at a time: a second one is refused in words.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from fetchpool.model.errors import FetchpoolError, OutputError, UsageError
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.added_columns import AddedColumns
from fetchpool.sinks.file_ops import (
    GONE,
    RESOURCE_ERRNOS,
    FileOps,
    is_gone,
    lock,
    open_error_message,
    write_all,
)
from fetchpool.sinks.lines import blocks
from fetchpool.sinks.parquet_parts import FAILURES, ROWS, PartFiles

UNTOUCHED = "choose another -o (nothing in it was changed)"
LOCK = "_lock"
HELD = 5_000
HELD_BYTES = 8 << 20
"""Rows that are held at most, and bytes in them, before they are written without being asked to."""
CHECKPOINT = 60.0
"""Seconds after which what waits becomes a part; so a night makes some hundred files, not a million."""
MOST_WAITING = 50_000
MOST_WAITING_BYTES = 128 << 20
"""Rows, and bytes in them, after which it does at once: that takes under half a second."""
ROWS_BYTES = 32 << 20
"""What is in the lines of a row group, about."""


T = TypeVar("T")


class _AddedFields(Struct):
    """As much of a row as its columns depend on."""

    extra: dict[str, Any] = {}


class ParquetSink:
    """A `ResumableSink` for a directory of Parquet files."""

    def __init__(
        self,
        path: str,
        extra_fields: tuple[str, ...] | None = (),
        *,
        clock: Callable[[], float] = monotonic,
        disk: FileOps | None = None,
    ) -> None:
        """Opens it, makes it when it isn't there, and makes a part of what a crash left waiting. Without
        `extra_fields` it has those that there are, and rows can't be written. Raises
        `UsageError` for an invalid path, something else's folder or file included (that is left
        untouched), or when another run has it; `OutputError` when the machine fails."""
        self.name = escape_invisible(path)
        self.is_nonblocking = False
        self._parts = PartFiles(Path(path))
        self._extra_fields = extra_fields
        self._columns = AddedColumns()
        self._clock = clock
        self._disk = disk or FileOps()
        self._encoder = msgspec.json.Encoder()
        self.notices: list[str] = []
        self._held: list[bytes] = []
        self._held_rows = self._held_bytes = 0
        self._waiting = self._waiting_bytes = 0
        self._pending = -1
        self._closed = False
        self._lock = self._open(path)
        try:
            self._check_ours()
            self._recover()
        except BaseException as failure:
            self._release()
            if isinstance(failure, FetchpoolError) or not isinstance(failure, Exception):
                raise
            raise self._failed(failure) from failure  # whatever pyarrow makes of a file that was changed
        self.appends = bool(self._parts.numbers())

    def write(self, records: Sequence[Record]) -> None:
        """Takes rows; they are held until `flush()`, or until they are a few thousand."""
        lines = self._encoder.encode_lines(records)
        self._held.append(lines)
        self._held_rows += len(records)
        self._held_bytes += len(lines)
        if self._held_rows >= HELD or self._held_bytes >= HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Whole rows to the lines that wait, and at a checkpoint these to a part. When that fails,
        `OutputError`; nothing is tried again."""
        lines, rows = b"".join(self._held), self._held_rows
        self._held.clear()
        self._held_rows = self._held_bytes = 0
        if self._closed:
            if rows:
                raise OutputError(f"{self.name}: is closed")
            return
        try:
            if is_gone(self._lock, self._parts.folder / LOCK):
                self._release()
                raise OutputError(f"{self.name}: {GONE}")
            if rows:
                self._append(lines)
                self._waiting += rows
                self._waiting_bytes += len(lines)
            much = self._waiting >= MOST_WAITING or self._waiting_bytes >= MOST_WAITING_BYTES
            if much or (self._waiting and self._clock() >= self._next_checkpoint):
                self._make_part()
        except FAILURES as failure:
            self._release()
            raise self._failed(failure) from failure

    def written(self) -> Iterator[list[StoredRow | None]]:
        """The rows that are in parts now: all there are, until there is a `write()`."""
        return self._parts.written()

    def compact(self, is_final: Callable[[str], bool]) -> tuple[int, int]:
        """Merge all parts into one that holds only final rows; return how many stay and how many do not.
        `is_final` is called with each row's URL, the last row first. Raises `OutputError`."""
        rows = left = 0
        stays: dict[int, list[bytes]] = {}
        try:
            for number, _, urls in self._parts.urls_backwards():
                kept = bytes(is_final(url) for url in reversed(urls))[::-1]
                stays.setdefault(number, []).insert(0, kept)
                rows += len(urls)
                left += kept.count(1)
            if len(stays) > 1 or left < rows:
                self._parts.merge(self._number, dict(sorted(stays.items())))
                self._number += 1
        except FAILURES as failure:
            raise self._failed(failure) from failure
        return left, rows - left

    def close(self) -> None:
        """Flushes, makes a part of what waits, and closes. Idempotent; quiet after a failure that was
        told already."""
        if self._closed:
            return
        try:
            self._next_checkpoint = self._clock()
            self.flush()
        finally:
            self._release()

    def _open(self, path: str) -> int:
        """The folder, and a descriptor that holds it."""
        try:
            with suppress(FileExistsError):
                Path(path).mkdir()
            if not Path(path).is_dir():
                raise UsageError(f"{self.name}: is not a parquet output of fetchpool; {UNTOUCHED}")
            if foreign := self._parts.foreign():
                raise UsageError(
                    f"{self.name}: is not a parquet output of fetchpool, "
                    f"{escape_invisible(foreign)} is in it; "
                    f"{UNTOUCHED}"
                )
            descriptor = os.open(self._parts.folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            words = f"{self.name}: {open_error_message(path, failure)}"
            if isinstance(failure, OSError) and failure.errno in RESOURCE_ERRNOS:
                raise OutputError(words) from failure
            raise UsageError(words) from failure
        try:
            self._hold(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor

    def _hold(self, descriptor: int) -> None:
        try:
            lock(descriptor, wait=False)
        except BlockingIOError:
            words = "another run is writing to it, and Parquet takes one at a time"
            raise UsageError(f"{self.name}: {words}; wait for it, or choose another -o") from None

    def _check_ours(self) -> None:
        self._parts.finish_merge()
        self._columns = AddedColumns(self._parts.added_columns())

    def _recover(self) -> None:
        """What waited when a run ended before its time. A part that is there already was made of it."""
        there = self._parts.numbers()
        for number in self._parts.waiting():
            if number not in there:
                self._convert(number)
            self._parts.pending(number).unlink(missing_ok=True)
        self._number = max(self._parts.numbers(), default=-1) + 1
        self._next_checkpoint = self._clock() + CHECKPOINT

    def _append(self, lines: bytes) -> None:
        if self._pending < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._pending = os.open(self._parts.pending(self._number), flags, 0o666)
            lines = self._encoder.encode(self._extra_fields or ()) + b"\n" + lines
        write_all(self._pending, lines, self._disk)

    def _make_part(self) -> None:
        self._convert(self._number)
        os.close(self._pending)
        self._pending = -1
        self._parts.pending(self._number).unlink()
        self._number += 1
        self._waiting = self._waiting_bytes = 0
        self._next_checkpoint = self._clock() + CHECKPOINT

    def _convert(self, number: int) -> None:
        """Make a part of the lines that wait; none when there are none. A truncated last line is left out.

        The lines are read twice: a part has its columns, and their types, before its rows."""
        with self._parts.pending(number).open("rb") as waiting:
            fields = waiting.readline()
            if not fields.endswith(b"\n"):
                return
            names = self._fields(number, fields)
            for added in self._read_back(waiting, len(fields), _AddedFields):
                self._columns.add(names, [row.extra for row in added if row.extra], widen=True)
            records = self._read_back(waiting, len(fields), Record)
            if (first := next(records, None)) is not None:
                self._parts.write(number, self._columns, chain([first], records))

    def _read_back(self, waiting: BinaryIO, start: int, type: type[T]) -> Iterator[list[T]]:
        """The rows that wait, a row group at a time."""
        decoder = msgspec.json.Decoder(type)
        size = waiting.seek(0, os.SEEK_END)
        batch: list[T] = []
        weight = 0
        for block in blocks(partial(_read, waiting), start, size):
            batch += _decoded(decoder, block)
            weight += len(block)
            if len(batch) >= ROWS or weight >= ROWS_BYTES:
                yield batch
                batch, weight = [], 0
        if batch:
            yield batch

    def _fields(self, number: int, line: bytes) -> list[str]:
        """The names that the lines of a part that waits begin with."""
        try:
            return msgspec.json.decode(line, type=list[str])
        except (ValueError, RecursionError) as failure:
            path = escape_invisible(str(self._parts.pending(number)))
            raise UsageError(f"{path}: are no rows of fetchpool that wait; move it elsewhere") from failure

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            for descriptor in (self._pending, self._lock):
                if descriptor >= 0:
                    os.close(descriptor)

    def _failed(self, failure: Exception) -> OutputError:
        why = (failure.strerror if isinstance(failure, OSError) else None) or (
            str(failure) or type(failure).__name__
        ).splitlines()[0]
        code = failure.errno if isinstance(failure, OSError) else None
        if code in (errno.ENOSPC, errno.EDQUOT):
            return OutputError(f"{self.name}: {why}; make room, or name another file with -o")
        return OutputError(f"{self.name}: can't be written: {escape_invisible(why)}")


def _read(waiting: BinaryIO, offset: int, size: int) -> bytes:
    waiting.seek(offset)
    return waiting.read(size)


def _decoded(decoder: msgspec.json.Decoder[T], lines: bytes) -> list[T]:
    """The rows of complete lines. Lines that a power failure damaged are left out."""
    with suppress(ValueError, RecursionError):
        return decoder.decode_lines(lines)
    found = []
    for line in lines.splitlines():
        with suppress(ValueError, RecursionError):
            found.append(decoder.decode(line))
    return found
