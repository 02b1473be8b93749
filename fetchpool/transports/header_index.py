"""Finds the header lines that determine the body, in all lines of a response at once.

In: the header lines. Out: the first line of each such field, by its name. Nearly every response is searched
for the same seven names, and nearly every server always spells a name in the same way, so each spelling is
examined only once.
"""

from __future__ import annotations

CONTENT_TYPE, CONTENT_LENGTH = "content-type", "content-length"
TRANSFER_ENCODING = "transfer-encoding"
ETAG, LAST_MODIFIED = "etag", "last-modified"
INDEXED = frozenset(
    (
        *(CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING, ETAG, LAST_MODIFIED),
        *("content-encoding", "content-range"),
    )
)
"""The names of the index."""
SPACED_LENGTH, SPACED_CODING = "content-length ", "transfer-encoding "
"""Keys for these two with a blank before the colon, which are invalid (RFC 9112 section 5.1)."""
REPEATED = "repeated"
"""The key that marks a repeated field of the index."""
OTHER = ""
MAX_SPELLINGS = 4_096
MAX_SPELLING = 64
"""Maximum length of a name in bytes; a longer one is not in the index, and is not stored."""

_INITIALS = frozenset(b"cetlCETL")
"""The first letters of the names of the index, which half of the usual lines don't begin with."""
_keys: dict[bytes, str] = {}
"""The key in the index for each spelling; empty for a field that is not in it."""


def index(lines: list[bytes]) -> dict[str, bytes]:
    """Return the first line of each indexed field."""
    found: dict[str, bytes] = {}
    for line in lines:
        if line and line[0] in _INITIALS:
            name = line.partition(b":")[0]
            key = _keys.get(name)
            if key is None:
                key = _learn(name)
            if key in found:
                found[REPEATED] = b""
            elif key:  # `OTHER` is empty
                found[key] = line
    return found


def _learn(name: bytes) -> str:
    """Return the key of a name as it is spelled, and store it."""
    if len(name) > MAX_SPELLING:
        return OTHER
    if len(_keys) >= MAX_SPELLINGS:  # a server invents names
        _keys.clear()
    key = _keys[name] = _key_of(name.lower())
    return key


def _key_of(name: bytes) -> str:
    for spaced in (SPACED_LENGTH, SPACED_CODING):
        size = len(spaced) - 1
        if name[:size] == spaced[:size].encode() and name[size : size + 1] in (b" ", b"\t"):
            return spaced
    text = name.decode("latin-1")
    return text if text in INDEXED else OTHER
