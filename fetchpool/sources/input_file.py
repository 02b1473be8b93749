"""One input: opened and looked at before anything is fetched, then read chunk by chunk.

In: a path, or `-`. Out: its bytes, decompressed when they need it, and how far on the disk they reach.
It knows nothing of lines or URLs. What can be known beforehand raises `InputError`, with the fix in
it; what turns up while reading raises `InputReadError`.
"""

from __future__ import annotations

import errno
import io
import os
import select
import stat
import sys
from contextlib import suppress
from pathlib import Path

from fetchpool.model.errors import InputError
from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import redact
from fetchpool.sources import decompress, file_types
from fetchpool.sources.decompress import Chunks, DecompressionError, decompressed

CHUNK = 64 * 1024
"""Bytes, read and inflated: about a thousand lines."""


class InputReadError(Exception):
    """An input can't be read to its end. `str()` is one clean line."""


class InputFile:
    """An input that is there and may be read. Times nothing, holds no position but the file's."""

    def __init__(self, path: str, *, but: bytes = b"") -> None:
        """`but`: how it may begin though it is no text. Raises `InputError`. A named pipe is opened when its
        turn comes: that waits for a writer."""
        self.name = (
            "standard input" if path == "-" else escape_invisible(redact(path) if "://" in path else path)
        )
        self.size: int | None = None
        """Bytes to read, as they lie on the disk; None for what has no size, a pipe."""
        self._path = path
        self._but = but
        self._stream: io.FileIO | None = None
        self._named = decompress.by_name(path)
        try:
            if path == "-" or not _is_named_pipe(path):
                self._open()
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            raise InputError(f"{self.name}: {self._why(failure)}") from failure

    def chunks(self) -> Chunks:
        """Bytes, as they come, and how many of the input's own they reach to. Once only.
        Raises `InputReadError`; what was yielded before it is good, and the piece that compressed data
        turns out to be damaged in is not yielded."""
        try:
            if self._stream is None:
                self._open()
            assert self._stream is not None
            yield from self._text(_raw(self._stream))
        except DecompressionError as failure:
            raise InputReadError(f"{self.name}: {failure}") from failure
        except OSError as failure:
            raise InputReadError(f"{self.name}: {self._why(failure)}") from failure
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
            self._look(stream.read(file_types.ENOUGH) or b"")
            stream.seek(position)

    def _look(self, start: bytes) -> None:
        """Refuses what is no list at all, by its first bytes, or the first that are compressed in it."""
        if problem := self._refusal(start):
            raise InputError(f"{self.name}: {problem}")
        format = decompress.told(start)
        if self._named is not None and format is not self._named:
            raise InputError(
                f"{self.name}: is not {self._named.name} data, though its name says so; rename or repair it"
            )
        if format is not None:
            unpacked = b""
            with suppress(DecompressionError):  # it will be told again, and what can be read is fetched
                for piece, _ in decompressed(format, iter_once(start)):
                    unpacked += piece[: file_types.ENOUGH]
                    if len(unpacked) >= file_types.ENOUGH:
                        break
            if problem := self._refusal(unpacked):
                raise InputError(f"{self.name}: {problem}")

    def _refusal(self, start: bytes) -> str:
        problem = file_types.refusal(start, but=self._but)
        return problem if self._path == "-" else problem.replace("FILE", self.name)

    def _text(self, raw: Chunks) -> Chunks:
        """`raw` as it is, or what is compressed in it. What came through a pipe is looked at only here.
        Raises `InputReadError` when it is no list."""
        first = next(raw, None)
        if first is None:
            return
        self._refuse(first[0])
        format = self._named or decompress.told(first[0])
        again = _again(first, raw)
        if format is None:
            yield from again
            return
        looked = False
        for chunk, offset in decompressed(format, again):
            if chunk and not looked:
                looked = True
                self._refuse(chunk)
            yield chunk, offset

    def _refuse(self, start: bytes) -> None:
        if problem := self._refusal(start[: file_types.ENOUGH]):
            raise InputReadError(f"{self.name}: {problem}")

    def _why(self, failure: OSError | ValueError) -> str:
        """What went wrong and what would help, for a person."""
        if isinstance(failure, FileNotFoundError):
            if "://" in self._path:
                return f"is a URL, and INPUT is a file of them; try: echo '{self.name}' | fetchpool -"
            return "no such file; check its name"
        if isinstance(failure, IsADirectoryError):
            return "is a directory; name the files in it"
        if isinstance(failure, PermissionError):
            return "no permission to read it; change its mode, or run as its owner"
        if isinstance(failure, OSError) and failure.errno == errno.EMFILE:
            return "too many inputs to have open at once; pipe them in: cat FILES | fetchpool -"
        if isinstance(failure, OSError):
            return f"can't be read: {failure.strerror}"
        return f"can't be opened: {failure}"


def iter_once(chunk: bytes) -> Chunks:
    """A single chunk."""
    yield chunk, len(chunk)


def _again(first: tuple[bytes, int], raw: Chunks) -> Chunks:
    yield first
    yield from raw


def _is_named_pipe(path: str) -> bool:
    if not stat.S_ISFIFO(Path(path).stat().st_mode):
        return False
    if not os.access(path, os.R_OK):
        raise PermissionError
    return True


def _raw(stream: io.FileIO) -> Chunks:
    """What one read gives, at once, and how far that reaches. The first chunk is long enough to tell
    whether it is compressed."""
    offset = 0
    held = b""
    telling = True
    while True:
        read = stream.read(CHUNK)
        if read is None:  # somebody made our standard input non-blocking
            select.select([stream], [], [])
            continue
        offset += len(read)
        if telling:
            held += read
            if read and decompress.undecided(held):
                continue
            telling, chunk = False, held
        else:
            chunk = read
        if chunk:
            yield chunk, offset
        if not read:
            return
