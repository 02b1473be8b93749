"""`--warc FILE.warc.gz` in the parent: the one writer of the archive.

In: the records of fetches, compressed where they were fetched (`http/warc_recorder.py`), and the failures.
Out: a file of whole WARC records, one gzip member each, appended to; past `--warc-max-size` the next one,
`FILE-00001.warc.gz`. Only the engine's thread calls it, and always before it has the row written.

A kill may tear the last record: the next run with the same name cuts it off. A run that goes on beside
is refused in words.
"""

from __future__ import annotations

import errno
import io
import os
import re
import zlib
from collections.abc import Callable
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
CHECKPOINT = 5.0
"""Seconds between two times that the disk is asked to keep what it has."""
BLOCK = 1 << 20
TAIL = 1 << 20
"""Bytes at the end in which the beginning of the last record is looked for, before all are read."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS
MAGIC = b"\x1f\x8b\x08"
RECORD = b"WARC/1."


class WarcFile:
    """The file that is written to now, and those before it."""

    def __init__(self, path: str, max_size: int | None, clock: Callable[[], float] = monotonic) -> None:
        """Opens it, makes it when it isn't there, and repairs its end. `max_size`: bytes; a file
        that has as many gets no more records. Raises `UsageError` for an invalid path, a file
        of something else included (that one is left untouched), and `OutputError` when the machine
        fails."""
        self._stem = path.removesuffix(SUFFIX)
        self._max_size = max_size
        self._clock = clock
        self._next_checkpoint = clock() + CHECKPOINT
        self._dirty = False
        self._lock = self._descriptor = -1
        self._path = path
        self._size = 0
        try:
            self._lock = self._opened(path)
            self._hold(path)
            self._number = self._latest()
            self._open()
        except BaseException:
            self.close()
            raise

    def write(self, outcome: Outcome) -> None:
        """Appends what an attempt brought. Raises `OutputError`; what is in the file stays whole."""
        try:
            if outcome.warc_records_path:
                with Path(outcome.warc_records_path).open("rb") as records:
                    self._append(records)
                Path(outcome.warc_records_path).unlink()
            elif outcome.records:
                self._append(io.BytesIO(outcome.records))
        except OSError as failure:
            raise self._failed(failure) from failure

    def write_failure(self, record: Record) -> None:
        """Appends why a URL has no complete answer, as a metadata record. Raises `OutputError`."""
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
        """All is the operating system's already; from time to time the disk is asked to keep it."""
        self._check_there()
        if self._dirty and self._clock() >= self._next_checkpoint:
            self._sync()

    def close(self) -> None:
        """Idempotent; quiet after a failure that was told already."""
        try:
            if self._dirty:
                self._check_there()
                self._sync()
        finally:
            for descriptor in {self._lock, self._descriptor} - {-1}:
                os.close(descriptor)
            self._lock = self._descriptor = -1

    # The file

    def _append(self, records: io.BufferedReader | io.BytesIO) -> None:
        """Whole records behind whole records, or none of them."""
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
        """The file of the current number, its end repaired; a new one begins with what it is."""
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
            self._introduce()

    def _introduce(self) -> None:
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
        """The number of the last file there is."""
        numbered = re.compile(re.escape(Path(self._stem).name) + r"-(\d{5,})" + re.escape(SUFFIX))
        names = (numbered.fullmatch(each.name) for each in Path(self._stem).parent.iterdir())
        return max((int(name[1]) for name in names if name), default=0)

    def _opened(self, path: str) -> int:
        """A descriptor that appends. Raises `UsageError`."""
        name = escape_invisible(path)
        try:
            return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            folder = Path(path).parent
            if isinstance(failure, FileNotFoundError) and not folder.exists():
                shown = escape_invisible(str(folder))
                problem = f"there is no folder {shown}; make it first: mkdir -p '{shown}'"
            else:
                why = failure.strerror if isinstance(failure, OSError) else failure
                problem = f"can't be opened ({why}); name another file"
            raise UsageError(f"--warc: {name}: {problem}") from failure

    def _hold(self, path: str) -> None:
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
                f"--warc: {escape_invisible(self._path)}: is no compressed WARC; name another file "
                "(nothing in it was changed)"
            )

    def _check_there(self) -> None:
        """What is written to a file that has lost its name is lost. Raises `OutputError`."""
        if is_gone(self._descriptor, self._path):
            self._dirty = False
            raise OutputError(f"{escape_invisible(self._path)}: was removed or replaced while it was written")

    def _sync(self) -> None:
        """Asked once: a failed fsync is never retried, it would succeed and lie."""
        self._dirty = False
        self._next_checkpoint = self._clock() + CHECKPOINT
        try:
            os.fsync(self._descriptor)
        except OSError as failure:
            if failure.errno not in (errno.EINVAL, errno.ENOTSUP):  # a file system that has no such thing
                raise self._failed(failure) from failure

    def _failed(self, failure: OSError) -> OutputError:
        self._dirty = False
        name = escape_invisible(self._path)
        return OutputError(f"{name}: {failure.strerror}; make room, or choose another --warc")


def end_of_last_record(descriptor: int, size: int) -> int:
    """Where the last whole record of a file ends, in bytes: its size, unless a crash tore it.

    Mostly the last one is found from behind, and nothing else is read. Otherwise all are, from the
    start, at some hundred megabytes a second: a record may hold what looks like others.
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
    return _read_until(descriptor)


def _read_until(descriptor: int) -> int:
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
    """To the end of the chunk or of the member, in bounded memory. Raises `zlib.error`."""
    full = True
    while (full or inflate.unconsumed_tail) and not inflate.eof:
        full = len(inflate.decompress(chunk, BLOCK)) == BLOCK
        chunk = inflate.unconsumed_tail


def _starts_record(start: bytes) -> bool:
    """Whether that is how a record begins, as far as it goes: a torn one is ours too."""
    try:
        begins = zlib.decompressobj(GZIP_FORMAT).decompress(start, len(RECORD))
    except zlib.error:
        return False
    return RECORD.startswith(begins)
