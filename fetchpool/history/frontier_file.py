"""The file of a crawl's frontier: lines are appended at the end while earlier ones are read.

In: complete lines, in any format. Out: the same lines, at any time, and after a crash. Opening the file
removes a last line that a crash has truncated. A lock keeps other runs out.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file_ops import NO_SPACE, OPERATING_SYSTEM, FileOps, lock, open_error_message, write_all
from fetchpool.sinks.lines import last_line_end

MAX_BUFFERED = 1 << 20
"""Bytes of lines that are buffered before they are written even without a `flush()`."""
IN_USE = "the frontier is used by another run; wait for its end, or choose another output with -o"


class FrontierFile:
    """An append-only file of lines. Only the engine's thread calls it."""

    def __init__(self, path: str, *, truncate: bool = False, disk: FileOps = OPERATING_SYSTEM) -> None:
        """Open the file, create it if it is missing, and remove a truncated last line. `path`: empty for a
        temporary file. `truncate`: remove the lines of an earlier crawl. Raises `UsageError`."""
        self.name = escape_invisible(path) if path else "the temporary file of the frontier"
        self._disk = disk
        self._buffer: list[bytes] = []
        self._buffered = 0
        self._is_synced = True
        self._closed = False
        if not path:
            with tempfile.TemporaryFile() as file:
                self._descriptor = os.dup(file.fileno())
        else:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT
            try:
                self._descriptor = os.open(path, flags, 0o666)
            except (OSError, ValueError) as failure:
                raise UsageError(f"{self.name}: {open_error_message(path, failure)}") from failure
        try:
            self._take_over(truncate=truncate)
        except BaseException:
            os.close(self._descriptor)
            raise

    def _take_over(self, *, truncate: bool) -> None:
        try:
            lock(self._descriptor, wait=False)
        except BlockingIOError as failure:
            raise UsageError(f"{self.name}: {IN_USE}") from failure
        size = os.fstat(self._descriptor).st_size
        end = 0 if truncate else last_line_end(self._read, 0, size)
        if end < size:
            self._disk.truncate(self._descriptor, end)
        self._written = end

    @property
    def size(self) -> int:
        """The size of all lines in bytes, including buffered ones."""
        return self._written + self._buffered

    def append(self, lines: bytes) -> None:
        """Append complete lines, which may be buffered until `flush()`."""
        self._buffer.append(lines)
        self._buffered += len(lines)
        if self._buffered >= MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write the buffered lines. Raises `OutputError`; the file may then end in a truncated line, which
        the next run removes."""
        if not self._buffer:
            return
        lines = b"".join(self._buffer)
        self._buffer.clear()
        self._buffered = 0
        try:
            write_all(self._descriptor, lines, self._disk)
        except OSError as failure:
            raise self._failed(failure) from failure
        self._written += len(lines)
        self._is_synced = False

    def sync(self) -> None:
        """Wait until all lines are on disk. Must be called before the rows that depend on them are written to
        disk."""
        self.flush()
        if self._is_synced:
            return
        try:
            self._disk.sync(self._descriptor)
        except OSError as failure:
            raise self._failed(failure) from failure
        self._is_synced = True

    def read(self, offset: int, size: int) -> bytes:
        """Return at most `size` bytes from an offset; fewer at the end. Raises `OutputError`."""
        if offset + size > self._written:
            self.flush()
        try:
            return self._read(offset, size)
        except OSError as failure:
            raise OutputError(f"{self.name}: can't be read: {failure.strerror}") from failure

    def close(self) -> None:
        """Write everything and close. Idempotent."""
        if self._closed:
            return
        self._closed = True
        try:
            self.sync()
        finally:
            os.close(self._descriptor)

    def _read(self, offset: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, offset)

    def _failed(self, failure: OSError) -> OutputError:
        return OutputError(f"{self.name}: can't be written: {failure.strerror}; {NO_SPACE}")


def frontier_path(outputs: tuple[str, ...], given: str) -> str:
    """Return the path of the frontier, next to the first output that is a file; empty if no output is."""
    if given:
        return given
    first = next((path for path in outputs if path != "-"), "")
    return f"{first}.frontier.jsonl" if first else ""


def open_frontier(path: str, outputs: tuple[str, ...], *, resume: bool, overwrite: bool) -> FrontierFile:
    """Open the frontier of a crawl whose rows go to `outputs`. Raises `UsageError` if it belongs to another
    crawl, or if a crawl can't be continued because it is missing."""
    existing = [each for each in outputs if each != "-" and _has_content(each)]
    name = escape_invisible(path)
    if path and not overwrite:
        if resume and existing and not Path(path).exists():
            raise UsageError(
                f"--resume: the frontier {name}, which lists the URLs left to fetch, is missing; name it "
                "with --frontier, or crawl into another output with -o"
            )
        if not resume and _has_content(path):
            raise UsageError(
                f"{name} is the frontier of an earlier crawl; continue it with --resume, replace it with "
                "--overwrite, or choose another output with -o"
            )
        if not resume and existing:
            raise UsageError(
                f"{escape_invisible(existing[0])} already has rows, but no frontier that belongs to them; "
                "choose another output with -o, or replace it with --overwrite"
            )
    return FrontierFile(path, truncate=overwrite)


def _has_content(path: str) -> bool:
    try:
        return Path(path).is_file() and Path(path).stat().st_size > 0
    except (OSError, ValueError):  # opening it will report the error
        return False
