"""Reads and writes compressed outputs: each batch of rows is a separate gzip member or Zstandard frame.

In: complete rows; or a function that reads bytes at an offset. Out: a member to append; the content, in
order; or the offset after the last complete member, if a crash has truncated the next one. Programs read such
a file as one (`zcat`, `zstdcat`, DuckDB). Memory is bounded, whatever the file's size.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from fetchpool.sinks.lines import Read

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 1 << 16
"""Number of bytes that are read, or decompressed, at a time."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's manual, inflateInit2: a gzip header and trailer, checked
GZIP_LEVEL = 6


class Compression(Struct, frozen=True):
    """A compression format."""

    name: str
    compress: Callable[[bytes], bytes]
    """Compresses bytes into a member."""
    open: Callable[[], Any]
    """Returns a decompressor for one member."""

    def pack(self, rows: bytes) -> bytes:
        """Return rows as a member; empty without rows."""
        return self.compress(rows) if rows else b""

    def complete(self, read: Read, start: int, size: int) -> int:
        """Return the offset after the last complete member from `start` on."""
        end = start
        try:
            for _, end_of_member in self._pieces(read, start, size):
                end = end_of_member or end
        except ERRORS:  # a member was truncated, or overwritten: what follows it is lost
            pass
        return end

    def content(self, read: Read, size: int) -> Iterator[bytes]:
        """Yield the content in pieces, as far as it can be read."""
        try:
            for piece, _ in self._pieces(read, 0, size):
                if piece:
                    yield piece
        except ERRORS:
            return

    def _pieces(self, read: Read, start: int, size: int) -> Iterator[tuple[bytes, int]]:
        """Yield pieces, each with the offset after the member that ends with it, or 0."""
        decompressor: Any = None
        position = start
        data = b""
        while True:
            if not data and (decompressor is None or not _has_more(decompressor)):
                data = read(position, min(BLOCK, size - position)) if position < size else b""
                position += len(data)
                if not data:
                    return
            if decompressor is None:
                decompressor = self.open()
            piece = decompressor.decompress(data, BLOCK)
            data = getattr(decompressor, "unconsumed_tail", b"")  # of zlib; the others store it
            if decompressor.eof:
                data = decompressor.unused_data
                decompressor = None
                yield piece, position - len(data)
            else:
                yield piece, 0


def _has_more(decompressor: Any) -> bool:
    """Whether a decompressor can continue without more data."""
    return not getattr(decompressor, "needs_input", True)


ERRORS = (zlib.error, zstd.ZstdError, ValueError, EOFError)
COMPRESSIONS = {
    ".gz": Compression(
        "gzip",
        lambda rows: gzip.compress(rows, GZIP_LEVEL, mtime=0),
        lambda: zlib.decompressobj(GZIP_FORMAT),
    ),
    ".zst": Compression("zstd", zstd.compress, zstd.ZstdDecompressor),
}
"""The formats, by suffix."""
