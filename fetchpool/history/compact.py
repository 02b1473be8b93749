"""`fetchpool compact`: of an output's rows the final ones are left, and nothing else is changed.

In: the path of an output. Out: the same file with the last row of every URL, and all rows without one,
in the order in which those were written; or, whatever goes wrong, the file as it was. Memory is what
`seen.py` needs for its URLs, and a byte a row.

    backwards: the first row met of a URL is its final one      forwards: those are copied, byte by byte

The new file grows beside the old one, under its lock, and takes its place when the disk has all of it.
A run that is appending meanwhile waits, and then goes on with the new one.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY, format_of
from fetchpool.config.outputs import resolved
from fetchpool.history.seen import SeenSet
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.fingerprint import from_record_url
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file import RowFormat
from fetchpool.sinks.file_ops import FileOps, lock, open_error_message, write_all
from fetchpool.sinks.lines import blocks_backwards, last_line_end, whole
from fetchpool.sinks.open import open_parquet, open_sink, row_format

FIRST_LINE = 1 << 16
"""Bytes that are looked at to tell whether a file is ours."""


class CompactResult(Struct, frozen=True):
    """What became of the rows."""

    kept: int
    superseded: int
    """Earlier rows of URLs that have a later one."""
    damaged: int
    """Lines that were no rows."""


class _Block(Struct, frozen=True):
    """Whole lines of the file, and which of them stay: a byte each, 0 or 1."""

    offset: int
    size: int
    stays: bytes


def compact(
    path: str, format: str | None = None, *, memory: int = DEFAULT_MEMORY, disk: FileOps | None = None
) -> CompactResult:
    """Without a `format` the suffix decides. Raises `UsageError` for what is no output of ours, and
    `OutputError` when the machine fails."""
    name = escape_invisible(path)
    try:
        if not Path(path).exists():
            raise UsageError(f"{name}: there is no such file")
    except ValueError as failure:  # a NUL in the path
        raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure
    format = format or format_of(path)
    if format == "parquet":
        folder = open_parquet(path)
        try:
            seen = SeenSet(memory=memory)
            kept, superseded = folder.compact(lambda url: _is_final(url, seen))
        finally:
            folder.close()
        return CompactResult(kept, superseded, 0)
    if format == "sqlite":  # a repeat was an update: there are no others
        sink = open_sink(path, format)
        kept = sum(map(len, sink.written()))
        sink.close()
        return CompactResult(kept, 0, 0)
    try:
        with _opened(name, str(resolved(path))) as (place, descriptor):
            return _compact(
                name, place, descriptor, row_format(format), SeenSet(memory=memory), disk or FileOps()
            )
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"{name}: {failure.strerror}; make room (nothing in it was changed)"
            ) from failure
        raise OutputError(f"{name}: {failure.strerror} (nothing in it was changed)") from failure


@contextmanager
def _opened(name: str, path: str) -> Iterator[tuple[Path, int]]:
    """The file, alone with it: behind links, and still the one of that name when the lock is ours."""
    place = Path(path)
    while True:
        try:
            descriptor = os.open(place, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except OSError as failure:
            raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{name}: is no file")
            lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                yield place, descriptor
                return
        finally:
            os.close(descriptor)


def _compact(
    name: str, path: Path, descriptor: int, rows: RowFormat, seen: SeenSet, disk: FileOps
) -> CompactResult:
    read = partial(_read, descriptor)
    line, end, _ = read(0, FIRST_LINE).partition(b"\n")
    heading = rows.parse_header(line + end)
    if heading is None:
        problem = rows.refusal(line + end)
        raise UsageError(f"{name}: {problem}; --format says what it is (nothing in it was changed)")
    size = os.fstat(descriptor).st_size
    blocks: list[_Block] = []
    lines = kept = damaged = 0
    for offset, block in blocks_backwards(read, len(heading), size):
        written = rows.decode(block)
        stays = bytes(row is not None and _is_final(row.url, seen) for row in reversed(written))[::-1]
        blocks.append(_Block(offset, len(block), stays))
        lines += len(written)
        kept += stays.count(1)
        damaged += written.count(None)
    if kept < lines or last_line_end(read, 0, size) < size:
        _write(path, descriptor, heading, blocks[::-1], disk)
    return CompactResult(kept, lines - kept - damaged, damaged)


def _is_final(url: str, seen: SeenSet) -> bool:
    """Whether a row is its URL's last one, where rows are met from the last to the first. A row without a URL
    always is."""
    return not url or seen.add(from_record_url(url))


def _write(path: Path, old: int, heading: bytes, blocks: list[_Block], disk: FileOps) -> None:
    """The new file, and then its name. A leftover of a compaction that was killed is written over."""
    beside = path.with_name(f".{path.name}.compacting")
    status = os.fstat(old)
    new = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            if os.name == "posix":
                with suppress(PermissionError):  # the owner is kept by those who may
                    os.fchown(new, status.st_uid, status.st_gid)
                os.fchmod(new, stat.S_IMODE(status.st_mode))
            write_all(new, heading, disk)
            for block in blocks:
                lines = whole(partial(_read, old), block.offset, block.size)
                if 0 in block.stays:
                    kept = zip(
                        lines.split(b"\n"), block.stays, strict=False
                    )  # what follows the last is empty
                    lines = b"".join([line + b"\n" for line, stays in kept if stays])
                write_all(new, lines, disk)
            disk.sync(new)
        finally:
            os.close(new)
        beside.replace(path)
    except BaseException:
        beside.unlink()
        raise
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            disk.sync(folder)
        finally:
            os.close(folder)


def _read(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)
