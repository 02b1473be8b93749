"""One input: opened and looked at before anything is fetched, then read chunk by chunk.

In: a path, or `-`. Out: its bytes, inflated when they are gzip, and how far on the disk they reach.
It knows nothing of lines or URLs. What can be known beforehand raises `InputError`, with the fix in
it; what turns up while reading raises `BrokenInputError`.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from fetchpool.clean import visible
from fetchpool.errors import InputError
from fetchpool.urls import redact

CHUNK = 64 * 1024
"""Bytes, read and inflated: about a thousand lines."""
GZIP_MAGIC = b"\x1f\x8b"  # RFC 1952 section 2.3.1
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's manual, inflateInit2: a gzip header and trailer, checked
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class BrokenInputError(Exception):
    """An input can't be read to its end. `str()` is one clean line."""


class Input:
    """An input that is there and may be read. Times nothing, holds no position but the file's."""

    def __init__(self, path: str) -> None:
        """Raises `InputError`. A named pipe is opened when its turn comes: that waits for a writer."""
        self.name = "standard input" if path == "-" else visible(redact(path) if "://" in path else path)
        self.size: int | None = None
        """Bytes to read, as they lie on the disk; None for what has no size, a pipe."""
        self._path = path
        self._stream: io.FileIO | None = None
        self._is_gzip = path.endswith(".gz")
        try:
            if path == "-" or not _is_named_pipe(path):
                self._open()
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            raise InputError(f"{self.name}: {self._why(failure)}") from failure

    def chunks(self) -> Iterator[tuple[bytes, int]]:
        """Bytes, as they come, and how many of the input's own they reach to. Once only.
        Raises `BrokenInputError`; what was yielded before it is good, and the piece that gzip data
        turns out to be damaged in is not yielded."""
        try:
            if self._stream is None:
                self._open()
            assert self._stream is not None
            yield from self._inflated(_raw(self._stream))
        except EOFError:
            raise BrokenInputError(f"{self.name}: cut short: its gzip data has no end") from None
        except zlib.error as failure:
            raise BrokenInputError(f"{self.name}: damaged gzip data ({failure})") from failure
        except OSError as failure:
            raise BrokenInputError(f"{self.name}: {self._why(failure)}") from failure
        finally:
            self.close()

    def close(self) -> None:
        """Idempotent. Leaves standard input itself open."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> None:
        if self._path == "-":
            if sys.__stdin__ is None:  # closed by whoever started us; 0 may be another file by now
                raise OSError(errno.EBADF, "it is closed")
            stream = io.FileIO(0, closefd=False)
        else:
            stream = io.FileIO(self._path)
        self._stream = stream
        status = os.fstat(stream.fileno())
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError
        if stat.S_ISREG(status.st_mode):
            position = stream.tell()
            self.size = max(0, status.st_size - position)
            self._look(stream.read(2) or b"")
            stream.seek(position)

    def _look(self, start: bytes) -> None:
        """Refuses what is no list at all, by its first two bytes."""
        if start in UTF16_MARKS:
            raise InputError(f"{self.name}: is UTF-16; save it as UTF-8, or: iconv -f UTF-16 -t UTF-8")
        if self._is_gzip and start != GZIP_MAGIC:
            raise InputError(f"{self.name}: is not gzip data, though its name says so; rename or repair it")

    def _inflated(self, raw: Iterator[tuple[bytes, int]]) -> Iterator[tuple[bytes, int]]:
        """`raw` as it is, or every member of a gzip file after the other."""
        inflate = None
        for chunk, offset in raw:
            if inflate is None:
                if not (self._is_gzip or chunk.startswith(GZIP_MAGIC)):
                    yield chunk, offset
                    yield from raw
                    return
                inflate = zlib.decompressobj(GZIP_FORMAT)
            rest = chunk
            while rest:
                if inflate.eof:
                    rest = rest.lstrip(b"\0")  # members may be padded, as gzip(1) allows
                    if not rest:
                        break
                    inflate = zlib.decompressobj(GZIP_FORMAT)
                data = inflate.decompress(rest, CHUNK)
                rest = inflate.unconsumed_tail or inflate.unused_data
                yield data, offset - len(rest)
        if inflate is not None:
            yield inflate.flush(), offset
            if not inflate.eof:
                raise EOFError

    def _why(self, failure: OSError | ValueError) -> str:
        """What went wrong and what would help, for a person."""
        if isinstance(failure, FileNotFoundError):
            if "://" in self._path:
                return f"is a URL, and INPUT is a file of them; try: echo '{self.name}' | fetchpool -"
            return "no such file; check its name"
        if isinstance(failure, IsADirectoryError):
            return "is a folder; name the files in it"
        if isinstance(failure, PermissionError):
            return "no permission to read it; change its mode, or run as its owner"
        if isinstance(failure, OSError) and failure.errno == errno.EMFILE:
            return "too many inputs to have open at once; pipe them in: cat FILES | fetchpool -"
        if isinstance(failure, OSError):
            return f"can't be read: {failure.strerror}"
        return f"can't be opened: {failure}"


def open_inputs(paths: Sequence[str]) -> list[Input]:
    """All of them, or `InputError` for the first that can't be read; then none stays open."""
    inputs: list[Input] = []
    try:
        for path in paths:
            inputs.append(Input(path))
    except BaseException:
        for opened in inputs:
            opened.close()
        raise
    return inputs


def _is_named_pipe(path: str) -> bool:
    if not stat.S_ISFIFO(Path(path).stat().st_mode):
        return False
    if not os.access(path, os.R_OK):
        raise PermissionError
    return True


def _raw(stream: io.FileIO) -> Iterator[tuple[bytes, int]]:
    """What one read gives, at once, and how far that reaches. The first chunk has two bytes if the
    input has, so that gzip's magic number can be seen."""
    offset = 0
    held = b""
    while True:
        chunk = stream.read(CHUNK)
        if chunk is None:  # somebody made our standard input non-blocking
            select.select([stream], [], [])
            continue
        offset += len(chunk)
        if offset == 1 and chunk:
            held = chunk
            continue
        if held or chunk:
            yield held + chunk, offset
            held = b""
        if not chunk:
            return
