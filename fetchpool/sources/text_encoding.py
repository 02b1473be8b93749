"""Detects the encoding of an input, and converts its bytes to UTF-8.

In: chunks of bytes, decompressed. Out: the same text in UTF-8, with the same offsets. UTF-8 itself passes
unchanged, including invalid bytes, which the readers of lists and tables handle. The module opens nothing.

UTF-16 and UTF-32 are recognized by their byte order mark, UTF-16 also by the NUL in every other byte of ASCII
text.
"""

from __future__ import annotations

import codecs
import re

from fetchpool.sources.decompress import Chunks, chain_chunks

MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
MIN_NULS = 0.4
"""Minimum share of NUL in every other byte of UTF-16 without a mark: URLs are nearly all ASCII."""
MAX_NULS = 0.02
"""Maximum share of NUL in the remaining bytes."""
SHORTEST = 8
"""Bytes that are needed to recognize UTF-16 without a mark."""
MAX_CONTROL, MAX_STRAY = 0.1, 0.02
"""The share of control characters in binary data, and in data that is not UTF-8 either."""
SHORT = 20
"""Data shorter than this counts as having that length."""
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


class UndecodableError(Exception):
    """The input is not in that encoding. `str()` is one clean clause."""


def recognized(start: bytes) -> str:
    """Return the encoding of data with these first bytes; empty for UTF-8 and for any encoding that is not
    recognized."""
    for mark, name in MARKS:
        if start.startswith(mark):
            return name
    if len(start) < SHORTEST or b"\0" not in start:
        return ""
    even, odd = start[0::2], start[1::2]
    for most, few, name in ((odd, even, "utf-16-le"), (even, odd, "utf-16-be")):
        if most.count(0) > MIN_NULS * len(most) and few.count(0) <= MAX_NULS * len(few):
            text = start[: len(start) // 2 * 2].decode(name, "replace").encode("utf-8", "replace")
            return "" if is_binary(text) else name
    return ""


def undecided(start: bytes) -> bool:
    """Whether more bytes are needed to recognize a byte order mark."""
    return 0 < len(start) < len(codecs.BOM_UTF32_LE) and any(mark.startswith(start) for mark, _ in MARKS)


def is_binary(start: bytes) -> bool:
    """Whether data with these first bytes, in UTF-8 or an encoding with a byte per character, is not text:
    it has too many control characters."""
    share = len(_CONTROL.findall(start)) / max(len(start), SHORT)
    return share > MAX_CONTROL or (share > MAX_STRAY and not is_utf8(start))


def is_utf8(start: bytes) -> bool:
    """Whether bytes are UTF-8, apart from an incomplete character at the end."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return True


def start_as_utf8(start: bytes, encoding: str) -> bytes:
    """Return the first bytes of an input as UTF-8, as far as they can be decoded."""
    name = encoding or recognized(start)
    if not name:
        return start
    decoder = codecs.getincrementaldecoder(name)("replace")
    return decoder.decode(start).encode("utf-8", "replace")


def to_utf8(chunks: Chunks, encoding: str) -> Chunks:
    """Yield the chunks in UTF-8. Without an `encoding` the first chunk decides. Raises `UndecodableError`
    after the chunks that could be decoded."""
    first = next(chunks, None)
    if first is None:
        return
    name = encoding or recognized(first[0])
    if not name:
        yield first
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(name)("surrogateescape")
    reached = 0
    try:
        for chunk, reached in chain_chunks(first, chunks):
            yield _encoded(decoder.decode(chunk)), reached
        yield _encoded(decoder.decode(b"", final=True)), reached
    except UnicodeError as failure:
        why = getattr(failure, "reason", "") or "undecodable bytes"
        raise UndecodableError(f"is not valid {name.upper()} ({why}); name its --encoding") from failure


def _encoded(text: str) -> bytes:
    """Return text in UTF-8; a byte that could not be decoded is restored as that (invalid) byte."""
    return text.encode("utf-8", "surrogateescape")
