"""Writes the archive of `--warc FILE.warc.gz`, in the parent process.

In: the records of fetches, which the workers have compressed (`http/warc_recorder.py`), and failures. Out: a
file to which complete WARC records are appended, one gzip member each; beyond `--warc-max-size` the next
file, `FILE-00001.warc.gz`. Only the engine's thread calls it, always before the URL's row is written.

A kill may truncate the last record: the next run with the same name removes that record. A second run at the
same time gets an error message.
"""

from __future__ import annotations

import errno
import io
import os
import re
import zlib
from pathlib import Path
from time import monotonic

from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]  # it ships no types

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.text import escape_invisible
from fetchpool.model.version import VERSION
from fetchpool.sinks.file_ops import is_gone, lock, write_all

SUFFIX = ".warc.gz"
WARC_VERSION = "WARC/1.1"
SYNC_INTERVAL = 5.0
"""Seconds between two calls of fsync."""
BLOCK = 1 << 20
TAIL = 1 << 20
"""Bytes at the end that are searched for the last record before the file is read from its start."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS
MAGIC = b"\x1f\x8b\x08"
RECORD = b"WARC/1."


class WarcFile:
    """An archive of one or more files, the last of which is written to."""

    def __init__(self, path: str, max_size: int | None) -> None:
        """Open the last file, create it if it is missing, and repair its end. `max_size`: the size in bytes
        from which a file gets no more records. Raises `UsageError` for an invalid path or a file with other
        content (which is left unchanged), and `OutputError` if the system fails."""
        self._stem = path.removesuffix(SUFFIX)
        self._max_size = max_size
        self._next_sync = monotonic() + SYNC_INTERVAL
        self._dirty = False
        self._lock = self._descriptor = -1
        self._path = path
        self._size = 0
        try:
            self._lock = self._opened(path)
            self._lock_file(path)
            self._number = self._latest()
            self._open()
        except BaseException:
            self.close()
            raise

    def write(self, outcome: Outcome) -> None:
        """Append the records of an attempt, all or none. Raises `OutputError`."""
        try:
            if outcome.warc_records_path:
                with Path(outcome.warc_records_path).open("rb") as records:
                    self._append(records)
                Path(outcome.warc_records_path).unlink()
            elif outcome.warc_records:
                self._append(io.BytesIO(outcome.warc_records))
        except OSError as failure:
            raise self._failed(failure) from failure

    def write_failure(self, record: Record) -> None:
        """Append a metadata record with the reason why a URL has no complete response. Raises
        `OutputError`."""
        fields = {
            "url": record.url,
            "error": record.error,
            "errormsg": record.errormsg,
            "exitcode": record.exitcode,
            "num_redirects": record.num_redirects,
            "num_retries": record.num_retries,
            "time_total": record.time_total,
        }
        lines = [f"{name}: {value}\r\n" for name, value in fields.items() if value is not None]
        content = "".join(lines).encode()
        written = io.BytesIO()
        writer = WARCWriter(written, gzip=True, warc_version=WARC_VERSION)
        about = {"WARC-Date": record.timestamp}
        writer.write_record(
            writer.create_warc_record(
                record.url_effective,
                "metadata",
                payload=io.BytesIO(content),
                length=len(content),
                warc_headers_dict=about,
            )
        )
        try:
            self._append(io.BytesIO(written.getvalue()))
        except OSError as failure:
            raise self._failed(failure) from failure

    def flush(self) -> None:
        """Sync at most every `SYNC_INTERVAL` seconds. Writes are unbuffered."""
        self._check_exists()
        if self._dirty and monotonic() >= self._next_sync:
            self._sync()

    def close(self) -> None:
        """Sync and close. Idempotent; raises nothing after a failure that was reported already."""
        try:
            if self._dirty:
                self._check_exists()
                self._sync()
        finally:
            for descriptor in {self._lock, self._descriptor} - {-1}:
                os.close(descriptor)
            self._lock = self._descriptor = -1

    # The file

    def _append(self, records: io.BufferedReader | io.BytesIO) -> None:
        """Append complete records: all of them or none."""
        if self._max_size is not None and self._size >= self._max_size:
            self._sync()
            self._number += 1
            self._open()
        start = self._size
        try:
            while block := records.read(BLOCK):
                write_all(self._descriptor, block)
                self._size += len(block)
        except BaseException:
            os.ftruncate(self._descriptor, start)
            self._size = start
            raise
        self._dirty = True

    def _open(self) -> None:
        """Open the file of the current number and repair its end; a new file gets a warcinfo record."""
        if self._descriptor not in (-1, self._lock):
            os.close(self._descriptor)
        self._path = self._named(self._number)
        self._descriptor = self._lock if self._number == 0 else self._opened(self._path)
        self._check_ours()
        size = os.fstat(self._descriptor).st_size
        end = end_of_last_record(self._descriptor, size)
        if end < size:
            os.ftruncate(self._descriptor, end)
        self._size = end
        if end == 0:
            self._write_warcinfo()

    def _write_warcinfo(self) -> None:
        written = io.BytesIO()
        writer = WARCWriter(written, gzip=True, warc_version=WARC_VERSION)
        about = {
            "software": f"fetchpool/{VERSION}",
            "format": "WARC File Format 1.1",
            "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
        }
        writer.write_record(writer.create_warcinfo_record(Path(self._path).name, about))
        try:
            write_all(self._descriptor, written.getvalue())
        except OSError as failure:
            os.ftruncate(self._descriptor, 0)
            raise self._failed(failure) from failure
        self._size = len(written.getvalue())
        self._dirty = True

    def _named(self, number: int) -> str:
        return f"{self._stem}-{number:05}{SUFFIX}" if number else f"{self._stem}{SUFFIX}"

    def _latest(self) -> int:
        """Return the number of the last existing file."""
        numbered = re.compile(re.escape(Path(self._stem).name) + r"-(\d{5,})" + re.escape(SUFFIX))
        names = (numbered.fullmatch(each.name) for each in Path(self._stem).parent.iterdir())
        return max((int(name[1]) for name in names if name), default=0)

    def _opened(self, path: str) -> int:
        """Open a file for appending; return its descriptor. Raises `UsageError`."""
        name = escape_invisible(path)
        try:
            return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            directory = Path(path).parent
            if isinstance(failure, FileNotFoundError) and not directory.exists():
                shown = escape_invisible(str(directory))
                problem = f"directory {shown} does not exist; create it: mkdir -p '{shown}'"
            else:
                why = failure.strerror if isinstance(failure, OSError) else failure
                problem = f"can't be opened ({why}); name another file"
            raise UsageError(f"--warc: {name}: {problem}") from failure

    def _lock_file(self, path: str) -> None:
        try:
            lock(self._lock, wait=False)
        except BlockingIOError:
            raise UsageError(
                f"--warc: {escape_invisible(path)}: another run is writing to it; "
                "wait for it, or name another file"
            ) from None
        except OSError as failure:
            raise self._failed(failure) from failure

    def _check_ours(self) -> None:
        start = os.pread(self._descriptor, BLOCK, 0)
        if start and not _starts_record(start) and not MAGIC.startswith(start):
            raise UsageError(
                f"--warc: {escape_invisible(self._path)}: is not a compressed WARC; name another file "
                "(nothing in it was changed)"
            )

    def _check_exists(self) -> None:
        """Check that the file still has its name; without one, everything written to it is lost. Raises
        `OutputError`."""
        if is_gone(self._descriptor, self._path):
            self._dirty = False
            raise OutputError(f"{escape_invisible(self._path)}: was removed or replaced during the run")

    def _sync(self) -> None:
        """Call fsync, once: after a failure a second call would succeed although data is lost."""
        self._dirty = False
        self._next_sync = monotonic() + SYNC_INTERVAL
        try:
            os.fsync(self._descriptor)
        except OSError as failure:
            if failure.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system without fsync
                raise self._failed(failure) from failure

    def _failed(self, failure: OSError) -> OutputError:
        self._dirty = False
        name = escape_invisible(self._path)
        return OutputError(f"{name}: {failure.strerror}; free some space, or choose another --warc")


def end_of_last_record(descriptor: int, size: int) -> int:
    """Return the offset at which the last complete record of a file ends: its size, unless a crash truncated
    the last record.

    Usually a search from the end finds that record, and nothing else is read. Otherwise the file is read from
    its start, at a few hundred megabytes per second, because a record may contain bytes that look like other
    records.
    """
    start = max(0, size - TAIL)
    tail = os.pread(descriptor, size - start, start)
    at = len(tail)
    while (at := tail.rfind(MAGIC, 0, at)) >= 0:
        inflate = zlib.decompressobj(GZIP_FORMAT)
        try:
            begins = inflate.decompress(tail[at:], len(RECORD)) == RECORD
            if begins:
                _drain(inflate, inflate.unconsumed_tail)
        except zlib.error:
            continue
        if begins and inflate.eof and not inflate.unused_data:
            return size
    return _last_member_end(descriptor)


def _last_member_end(descriptor: int) -> int:
    offset = end = 0
    inflate = zlib.decompressobj(GZIP_FORMAT)
    while chunk := os.pread(descriptor, BLOCK, offset):
        offset += len(chunk)
        while chunk:
            try:
                _drain(inflate, chunk)
            except zlib.error:
                return end
            chunk = b""
            if inflate.eof:
                chunk = inflate.unused_data
                end = offset - len(chunk)
                inflate = zlib.decompressobj(GZIP_FORMAT)
    return end


def _drain(inflate: zlib._Decompress, chunk: bytes) -> None:
    """Decompress to the end of the chunk or of the member, in bounded memory. Raises `zlib.error`."""
    full = True
    while (full or inflate.unconsumed_tail) and not inflate.eof:
        full = len(inflate.decompress(chunk, BLOCK)) == BLOCK
        chunk = inflate.unconsumed_tail


def _starts_record(start: bytes) -> bool:
    """Whether these bytes begin a record. They may be truncated."""
    try:
        begins = zlib.decompressobj(GZIP_FORMAT).decompress(start, len(RECORD))
    except zlib.error:
        return False
    return RECORD.startswith(begins)
