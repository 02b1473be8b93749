"""Opens and checks an input before anything is fetched, then reads it chunk by chunk.

In: a path, or `-`. Out: its bytes, decompressed if necessary, and the offset of their end in the file. The
module knows nothing of lines or URLs. Problems that are found before the run raise `InputError`, with the
fix; problems during reading raise `InputReadError`.
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

from fetchpool.model.errors import NO_FILE, InputError
from fetchpool.model.text import escape_invisible
from fetchpool.sources import decompress, file_types, text_encoding
from fetchpool.sources.decompress import Chunks, DecompressionError, chain_chunks, decompressed
from fetchpool.sources.text_encoding import UndecodableError, to_utf8

CHUNK = 64 * 1024
"""Number of bytes that are read at once: about a thousand lines."""


class InputReadError(Exception):
    """An input can't be read to its end. `str()` is one clean line."""


class InputFile:
    """An input that exists and is readable."""

    def __init__(
        self,
        path: str,
        *,
        expected: bytes = b"",
        encoding: str = "",
        has_columns: bool = False,
        is_sitemap: bool = False,
    ) -> None:
        """Open and check the input. `expected`: the magic of an expected binary file type; `encoding`: the
        encoding of its text, empty to detect it from the first bytes; `has_columns`: a table is expected;
        `is_sitemap`: XML is expected. Raises `InputError`. A named pipe is opened only when it is read, since
        opening waits for a writer."""
        self.name = "standard input" if path == "-" else escape_invisible(path)
        self.size: int | None = None
        """Size of the file in bytes; None for a pipe."""
        self._path = path
        self._expected = expected
        self._encoding = encoding
        self._has_columns = has_columns
        self._is_sitemap = is_sitemap
        self._stream: io.FileIO | None = None
        self.recognized = ""
        """The detected encoding; empty for UTF-8, and before the file is read."""
        self._named = decompress.by_name(path)
        try:
            if path == "-" or not _is_named_pipe(path):
                self._open()
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            raise InputError(f"{self.name}: {self._why(failure)}") from failure

    def chunks(self, *, as_text: bool = True) -> Chunks:
        """Yield bytes, as they arrive, and the offset of their end in the input. `as_text`: they are text,
        and are converted to UTF-8. Must be called only once. Raises `InputReadError`; the chunks before it
        are correct, and the damaged piece of compressed data is not yielded."""
        try:
            if self._stream is None:
                self._open()
            assert self._stream is not None
            unpacked = self._unpacked(_raw(self._stream))
            if as_text:
                first = next(unpacked, (b"", 0))
                if not self._encoding:
                    self.recognized = text_encoding.recognized(first[0])
                unpacked = to_utf8(chain_chunks(first, unpacked), self._encoding or self.recognized)
            yield from unpacked
        except (DecompressionError, UndecodableError) as failure:
            raise InputReadError(f"{self.name}: {failure}") from failure
        except OSError as failure:
            raise InputReadError(f"{self.name}: {self._why(failure)}") from failure
        finally:
            self.close()

    def close(self) -> None:
        """Close the file, but not standard input. Idempotent."""
        if self._stream is not None:
            self._stream.close()

    def _open(self) -> None:
        if self._path == "-":
            if sys.__stdin__ is None:  # closed by the parent process; descriptor 0 may be another file by now
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
            self._check(stream.read(file_types.CHECKED_BYTES) or b"")
            stream.seek(position)

    def _check(self, start: bytes) -> None:
        """Reject an input that is not a list, as its first bytes show before or after decompression."""
        if problem := self._problem(start):
            raise InputError(f"{self.name}: {problem}")
        format = decompress.by_magic(start)
        if self._named is not None and format is not self._named:
            raise InputError(
                f"{self.name}: not a {self._named.name} file despite its suffix; rename or repair it"
            )
        if format is not None:
            unpacked = b""
            with suppress(DecompressionError):  # reported again during reading; the readable part is fetched
                for piece, _ in decompressed(format, iter_once(start)):
                    unpacked += piece[: file_types.CHECKED_BYTES]
                    if len(unpacked) >= file_types.CHECKED_BYTES:
                        break
            if problem := self._problem(unpacked):
                raise InputError(f"{self.name}: {problem}")

    def _problem(self, start: bytes) -> str:
        problem = file_types.check(
            start,
            expected=self._expected,
            encoding=self._encoding,
            has_columns=self._has_columns,
            is_sitemap=self._is_sitemap,
        )
        if problem == file_types.ZIP and self._path.lower().endswith(file_types.SHEET_SUFFIXES):
            problem = file_types.SHEET
        return problem if self._path == "-" else problem.replace("FILE", self.name)

    def _unpacked(self, raw: Chunks) -> Chunks:
        """Yield `raw`, decompressed if necessary. Data from a pipe is checked only here. Raises
        `InputReadError` when it is not a list."""
        first = next(raw, None)
        if first is None:
            return
        self._check_chunk(first[0])
        format = self._named or decompress.by_magic(first[0])
        chunks = chain_chunks(first, raw)
        if format is None:
            yield from chunks
            return
        checked = False
        for chunk, offset in decompressed(format, chunks):
            if chunk and not checked:
                checked = True
                self._check_chunk(chunk)
            yield chunk, offset

    def _check_chunk(self, start: bytes) -> None:
        if problem := self._problem(start[: file_types.CHECKED_BYTES]):
            raise InputReadError(f"{self.name}: {problem}")

    def _why(self, failure: OSError | ValueError) -> str:
        """Return the message for a failure, with the fix."""
        if isinstance(failure, FileNotFoundError):
            return NO_FILE
        if isinstance(failure, IsADirectoryError):
            return "is a directory; name the files in it"
        if isinstance(failure, PermissionError):
            return "permission denied; change its mode, or run as its owner"
        if isinstance(failure, OSError) and failure.errno == errno.EMFILE:
            return "too many open inputs; pipe them in: cat FILES | fetchpool -"
        if isinstance(failure, OSError):
            return f"can't be read: {failure.strerror}"
        return f"can't be opened: {failure}"


def iter_once(chunk: bytes) -> Chunks:
    """Yield a single chunk."""
    yield chunk, len(chunk)


def _is_named_pipe(path: str) -> bool:
    if not stat.S_ISFIFO(Path(path).stat().st_mode):
        return False
    if not os.access(path, os.R_OK):
        raise PermissionError
    return True


def _raw(stream: io.FileIO) -> Chunks:
    """Yield the bytes of each read at once, and the offset of their end. The first chunk is long enough to
    recognize compressed data."""
    offset = 0
    held = b""
    deciding = True
    while True:
        read = stream.read(CHUNK)
        if read is None:  # another program made our standard input non-blocking
            select.select([stream], [], [])
            continue
        offset += len(read)
        if deciding:
            held += read
            if read and (decompress.undecided(held) or text_encoding.undecided(held)):
                continue
            deciding, chunk = False, held
        else:
            chunk = read
        if chunk:
            yield chunk, offset
        if not read:
            return
