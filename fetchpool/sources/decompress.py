"""Compressed inputs: gzip, bzip2 and Zstandard, told by their first bytes, undone in bounded pieces.

In: the bytes of an input, as they come. Out: the same, decompressed, each piece with the place in the
input that it reaches to. Several members or frames in a row are one file. Nothing is opened here.
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
"""Bytes that are decompressed at a time."""
GZIP_FORMAT = 16 + zlib.MAX_WBITS  # zlib's manual, inflateInit2: a gzip header and trailer, checked

Chunks = Generator[tuple[bytes, int]]
"""Bytes, and how many of the input's own they reach to."""


class DecompressionError(Exception):
    """The data can't be decompressed to its end. `str()` says why."""


class Format(Struct, frozen=True):
    """One way to compress."""

    name: str
    suffix: str
    magic: bytes
    """How each member begins."""
    open: Callable[[], Any]
    """A decompressor for one of them: zlib's, or one with the interface of `bz2`."""


FORMATS = (
    Format("gzip", ".gz", b"\x1f\x8b", lambda: zlib.decompressobj(GZIP_FORMAT)),  # RFC 1952 section 2.3.1
    # "BZh", a digit, and the digits of pi, which begin the first block: no list of hosts looks like it.
    Format("bzip2", ".bz2", b"BZh91AY&SY", bz2.BZ2Decompressor),
    Format("zstd", ".zst", b"\x28\xb5\x2f\xfd", zstd.ZstdDecompressor),  # RFC 8878 section 3.1.1
)
LONGEST = max(len(each.magic) for each in FORMATS)
_LEVEL = 3
"""Where bzip2's magic has a digit from 1 to 9: the level."""


def told(start: bytes) -> Format | None:
    """The format of data that begins so; None for what isn't compressed."""
    return next((each for each in FORMATS if _plain(start).startswith(each.magic)), None)


def undecided(start: bytes) -> bool:
    """Whether more bytes are needed to tell."""
    return len(start) < LONGEST and any(each.magic.startswith(_plain(start)) for each in FORMATS)


def by_name(path: str) -> Format | None:
    """What a file's name says."""
    return next((each for each in FORMATS if path.endswith(each.suffix)), None)


def decompressed(format: Format, chunks: Chunks) -> Chunks:
    """Raises `DecompressionError`; what was yielded before it is good."""
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
        raise DecompressionError(f"cut short: its {format.name} data has no end")


def _step(format: Format, decompressor: Any, data: bytes) -> tuple[bytes, bytes]:
    """A piece, and what is left of the data: zlib hands that back, the others keep it."""
    try:
        piece = decompressor.decompress(data, PIECE)
    except (zlib.error, zstd.ZstdError, OSError, ValueError) as failure:  # OSError: bzip2's
        raise DecompressionError(f"damaged {format.name} data ({failure})") from failure
    return piece, getattr(decompressor, "unconsumed_tail", b"")


def _plain(start: bytes) -> bytes:
    """bzip2's level is none of the magic."""
    if start[:_LEVEL] == b"BZh" and start[_LEVEL : _LEVEL + 1].isdigit():
        return start[:_LEVEL] + b"9" + start[_LEVEL + 1 :]
    return start


def _pending(decompressor: Any, piece: bytes) -> bool:
    """There is more to come before more is needed."""
    if hasattr(decompressor, "needs_input"):
        return not decompressor.needs_input
    return len(piece) == PIECE
