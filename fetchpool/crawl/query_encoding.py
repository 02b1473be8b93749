"""Encodes the query of a URL in the encoding of its document (URL Standard section 4.4, "query state")."""

from __future__ import annotations

import re

import webencodings  # type: ignore[import-untyped]  # it ships no types

NOT_ASCII = re.compile(r"([^\0-\x7f]+)")
SAFE = frozenset(range(0x21, 0x7F)) - frozenset(b"\"#<>'")
"""Bytes of a query that need no percent-encoding."""


def encode_query(url: str, encoding: str) -> str:
    """Return a URL (without fragment) whose query is percent-encoded in an encoding. Characters that the
    encoding lacks become character references, as in a form."""
    if encoding == "utf-8" or encoding.startswith("utf-16"):
        return url
    start, mark, query = url.partition("?")
    if query.isascii() or start.startswith(("ws:", "wss:")):
        return url
    codec = webencodings.lookup(encoding).codec_info
    pieces: list[str] = []
    for part in NOT_ASCII.split(query):
        if part.isascii():
            pieces.append(part)
            continue
        try:
            pieces.append(_escaped(codec.encode(part)[0]))
        except UnicodeEncodeError:
            for character in part:
                try:
                    pieces.append(_escaped(codec.encode(character)[0]))
                except UnicodeEncodeError:
                    pieces.append(f"%26%23{ord(character)}%3B")
    return f"{start}{mark}{''.join(pieces)}"


def _escaped(data: bytes) -> str:
    return "".join([chr(byte) if byte in SAFE else f"%{byte:02X}" for byte in data])
