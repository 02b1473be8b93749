"""Compacts an output (`fetchpool compact`): keeps the final rows, and changes nothing else.

In: the path of an output. Out: the same file with the last row of each URL, and all rows without a URL, in
the order in which they were written; or, if anything fails, the unchanged file. Needs the memory of `seen.py`
for the URLs, and a byte for each row.

    backwards: the first row seen of a URL is its final one      forwards: final rows are copied byte by byte

A compressed output is decompressed into a temporary file next to it first, since it can't be read backwards.
The new file is written next to the old one, under the old one's lock, and replaces it when it is synced. A
run that is appending meanwhile waits, and then continues with the new file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile

from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY, compression_of, format_of
from fetchpool.config.outputs import resolved
from fetchpool.history.seen import SeenSet
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.fingerprint import from_record_url
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file import RowFormat
from fetchpool.sinks.file_ops import FileOps, lock, open_error_message, write_all
from fetchpool.sinks.lines import blocks_backwards, last_line_end, read_exactly
from fetchpool.sinks.open import open_parquet, open_sink, row_format
from fetchpool.sinks.row_lines import line_decoder

FIRST_LINE = 1 << 16
"""Number of bytes at the start that show whether a file is an output."""


class CompactResult(Struct, frozen=True):
    """The numbers of rows that were kept and removed."""

    kept: int
    superseded: int
    """Number of rows of URLs that have a later row."""
    damaged: int
    """Number of lines that could not be read as rows."""


class _Block(Struct, frozen=True):
    """Complete lines of the file, with a byte for each, 0 or 1, that says whether it stays."""

    offset: int
    size: int
    stays: bytes


class _OpenOutput(Struct, frozen=True):
    """An output that is open and locked."""

    path: Path
    file: int
    """The descriptor of the file."""
    content: int
    """The descriptor of its lines: the same, or that of a temporary file with the decompressed content."""
    pack: Callable[[bytes], bytes]
    """Converts complete lines to the bytes to write."""


def compact(
    path: str, format: str | None = None, *, memory: int = DEFAULT_MEMORY, disk: FileOps | None = None
) -> CompactResult:
    """Compact an output. Without a `format` the suffix decides. Raises `UsageError` for a file that is not an
    output, and `OutputError` if the system fails."""
    name = escape_invisible(path)
    try:
        if not Path(path).exists():
            raise UsageError(f"{name}: no such file")
    except ValueError as failure:  # a NUL in the path
        raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure
    format = format or format_of(path)
    if format == "parquet":
        parquet = open_parquet(path)
        try:
            seen = SeenSet(memory=memory)
            kept, superseded = parquet.compact(lambda url: _is_final(url, seen))
        finally:
            parquet.close()
        return CompactResult(kept, superseded, 0)
    if format == "sqlite":  # a later row has replaced the earlier one already
        sink = open_sink(path, format)
        kept = sum(map(len, sink.stored_rows()))
        sink.close()
        return CompactResult(kept, 0, 0)
    try:
        with (
            _opened(name, str(resolved(path))) as (place, descriptor),
            _content(name, place, descriptor, compression_of(path), disk or FileOps()) as output,
        ):
            return _compact(name, output, row_format(format), SeenSet(memory=memory), disk or FileOps())
    except OSError as failure:
        if failure.errno in (errno.ENOSPC, errno.EDQUOT):
            raise OutputError(
                f"{name}: {failure.strerror}; free some space (nothing in it was changed)"
            ) from failure
        raise OutputError(f"{name}: {failure.strerror} (nothing in it was changed)") from failure


@contextmanager
def _opened(name: str, path: str) -> Iterator[tuple[Path, int]]:
    """Open and lock the file that the path leads to when the lock is taken."""
    place = Path(path)
    while True:
        try:
            descriptor = os.open(place, os.O_RDWR | getattr(os, "O_BINARY", 0))
        except OSError as failure:
            raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{name}: not a regular file")
            lock(descriptor)
            if os.path.samestat(os.fstat(descriptor), place.stat()):
                yield place, descriptor
                return
        finally:
            os.close(descriptor)


@contextmanager
def _content(
    name: str, path: Path, descriptor: int, compression: str, disk: FileOps
) -> Iterator[_OpenOutput]:
    """Yield the output with its content, decompressed."""
    if not compression:
        yield _OpenOutput(path, descriptor, descriptor, bytes)
        return
    from fetchpool.sinks.compression import COMPRESSIONS

    packer = COMPRESSIONS[compression]
    read, size = partial(_read, descriptor), os.fstat(descriptor).st_size
    end = packer.complete(read, 0, size)
    if end < size:
        raise UsageError(
            f"{name}: can't be decompressed from byte {end:,} on; a run with --resume removes that part "
            "(nothing in it was changed)"
        )
    with TemporaryFile(dir=path.parent, prefix=f".{path.name}.") as content:
        for piece in packer.content(read, size):
            write_all(content.fileno(), piece, disk)
        yield _OpenOutput(path, descriptor, content.fileno(), packer.pack)


def _compact(name: str, output: _OpenOutput, rows: RowFormat, seen: SeenSet, disk: FileOps) -> CompactResult:
    read = partial(_read, output.content)
    line, end, _ = read(0, FIRST_LINE).partition(b"\n")
    heading = rows.parse_header(line + end)
    if heading is None:
        problem = rows.check_header(line + end)
        raise UsageError(f"{name}: {problem}; name its format with --format (nothing in it was changed)")
    decode = line_decoder(rows.name, heading)
    size = os.fstat(output.content).st_size
    blocks: list[_Block] = []
    lines = kept = damaged = 0
    for offset, block in blocks_backwards(read, len(heading), size):
        stored = decode(block)
        stays = bytes(row is not None and _is_final(row.url, seen) for row in reversed(stored))[::-1]
        blocks.append(_Block(offset, len(block), stays))
        lines += len(stored)
        kept += stays.count(1)
        damaged += stored.count(None)
    if kept < lines or last_line_end(read, 0, size) < size:
        _write(output, heading, blocks[::-1], disk)
    return CompactResult(kept, lines - kept - damaged, damaged)


def _is_final(url: str, seen: SeenSet) -> bool:
    """Whether a row is the last one of its URL. Rows are visited in reverse. A row without a URL is always
    final."""
    return not url or seen.add(from_record_url(url))


def _write(output: _OpenOutput, heading: bytes, blocks: list[_Block], disk: FileOps) -> None:
    """Write the new file and rename it. The leftover of a killed compaction is overwritten."""
    path, old = output.path, output.file
    compacted = path.with_name(f".{path.name}.compacting")
    status = os.fstat(old)
    new = os.open(compacted, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o600)
    try:
        try:
            if os.name == "posix":
                with suppress(PermissionError):  # only root can give a file to its old owner
                    os.fchown(new, status.st_uid, status.st_gid)
                os.fchmod(new, stat.S_IMODE(status.st_mode))
            write_all(new, output.pack(heading), disk)
            for block in blocks:
                lines = read_exactly(partial(_read, output.content), block.offset, block.size)
                if 0 in block.stays:
                    kept = zip(lines.split(b"\n")[:-1], block.stays, strict=True)
                    lines = b"".join([line + b"\n" for line, stays in kept if stays])
                write_all(new, output.pack(lines), disk)
            disk.sync(new)
        finally:
            os.close(new)
        compacted.replace(path)
    except BaseException:
        compacted.unlink()
        raise
    if os.name == "posix":
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            disk.sync(directory)
        finally:
            os.close(directory)


def _read(descriptor: int, offset: int, size: int) -> bytes:
    os.lseek(descriptor, offset, os.SEEK_SET)
    return os.read(descriptor, size)
