"""Decompresses inputs (gzip, bzip2 and Zstandard, recognized by their first bytes) in bounded pieces.

In: the bytes of an input, as they arrive. Out: decompressed pieces, each with the offset of its end in the
input. Consecutive members or frames form one file. The module opens nothing.
"""

from __future__ import annotations

import bz2
import sys
import zlib
from collections.abc import Callable, Generator
from typing import Any

from msgspec import Struct

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE = 64 * 1024
"""Number of bytes that are decompressed at a time."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's manual, inflateInit2: a gzip header and trailer, checked

Chunks = Generator[tuple[bytes, int]]
"""Chunks of bytes, each with the offset of its end in the input."""


def chain_chunks(first: tuple[bytes, int], rest: Chunks) -> Chunks:
    """Yield the first chunk, and the rest."""
    yield first
    yield from rest


class DecompressionError(Exception):
    """The data can't be decompressed to its end. `str()` says why."""


class Format(Struct, frozen=True):
    """A compression format."""

    name: str
    suffix: str
    magic: bytes
    """The first bytes of each member."""
    open: Callable[[], Any]
    """Returns a decompressor for one member: zlib's, or one with the interface of `bz2`."""


FORMATS = (
    Format("gzip", ".gz", b"\x1f\x8b", lambda: zlib.decompressobj(GZIP_FORMAT)),  # RFC 1952 section 2.3.1
    # "BZh", a digit, and the digits of pi, which begin the first block: no list of hosts looks like it.
    Format("bzip2", ".bz2", b"BZh91AY&SY", bz2.BZ2Decompressor),
    Format("zstd", ".zst", b"\x28\xb5\x2f\xfd", zstd.ZstdDecompressor),  # RFC 8878 section 3.1.1
)
MAX_MAGIC = max(len(each.magic) for each in FORMATS)
_LEVEL = 3
"""The index of the compression level, a digit from 1 to 9, in bzip2's magic."""


def by_magic(start: bytes) -> Format | None:
    """Return the format of data with these first bytes; None for uncompressed data."""
    return next((each for each in FORMATS if _plain(start).startswith(each.magic)), None)


def undecided(start: bytes) -> bool:
    """Whether more bytes are needed to recognize the format."""
    return len(start) < MAX_MAGIC and any(each.magic.startswith(_plain(start)) for each in FORMATS)


def by_name(path: str) -> Format | None:
    """Return the format that a file's suffix names."""
    return next((each for each in FORMATS if path.endswith(each.suffix)), None)


def decompressed(format: Format, chunks: Chunks) -> Chunks:
    """Yield the decompressed pieces. Raises `DecompressionError`; the pieces before it are correct."""
    decompressor: Any = None
    for chunk, offset in chunks:
        rest = chunk
        while rest:
            if decompressor is None:
                rest = rest.lstrip(b"\0")  # members may be padded, as gzip(1) allows
                if not rest:
                    break
                decompressor = format.open()
            piece, rest = _step(format, decompressor, rest)
            yield piece, offset - len(rest)
            while not rest and not decompressor.eof and _pending(decompressor, piece):
                piece, rest = _step(format, decompressor, b"")
                yield piece, offset
            if decompressor.eof:
                rest = decompressor.unused_data
                decompressor = None
    if decompressor is not None:
        raise DecompressionError(f"truncated {format.name} data")


def bounded(chunks: Chunks, most: int) -> Chunks:
    """Yield the chunks. Raises `DecompressionError` if they have more than `most` bytes."""
    size = 0
    for chunk, offset in chunks:
        size += len(chunk)
        if size > most:
            limit = f"{most >> 30} GiB" if most >> 30 else f"{most >> 20} MiB"
            raise DecompressionError(f"more than {limit} after decompression")
        yield chunk, offset


def _step(format: Format, decompressor: Any, data: bytes) -> tuple[bytes, bytes]:
    """Return a decompressed piece, and the rest of the data, which zlib returns and the others store."""
    try:
        piece = decompressor.decompress(data, PIECE)
    except (zlib.error, zstd.ZstdError, OSError, ValueError) as failure:  # OSError: bzip2's
        raise DecompressionError(f"damaged {format.name} data ({failure})") from failure
    return piece, getattr(decompressor, "unconsumed_tail", b"")


def _plain(start: bytes) -> bytes:
    """Return the first bytes with bzip2's level set to 9, since the level is not part of the magic."""
    if start[:_LEVEL] == b"BZh" and start[_LEVEL : _LEVEL + 1].isdigit():
        return start[:_LEVEL] + b"9" + start[_LEVEL + 1 :]
    return start


def _pending(decompressor: Any, piece: bytes) -> bool:
    """Whether the decompressor has more output without more input."""
    if hasattr(decompressor, "needs_input"):
        return not decompressor.needs_input
    return len(piece) == PIECE
