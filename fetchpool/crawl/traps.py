"""Trap guards: recognizes, by their form, URLs that a site generates endlessly."""

from __future__ import annotations

import re
from zlib import crc32

from fetchpool.model.crawl_rules import Reason

MAX_LENGTH = 2_083
"""Maximum length in characters; for decades browsers and proxies accepted no more."""
MAX_SEGMENTS = 20
"""Maximum number of segments in a path."""
MAX_REPEATS = 2
"""Maximum number of times that a sequence of segments or query parameters may occur in a row."""
LONGEST_SEQUENCE = 10
"""Maximum number of segments or parameters in a sequence."""
SEPARATOR = re.compile(r"[?&;]|%3F|%26", re.IGNORECASE)
"""Separates the parameters of a query, also of a query quoted within another."""


def trap(href: str) -> Reason | None:
    """Return why a normalised URL looks like a trap; None if it doesn't."""
    if len(href) > MAX_LENGTH:
        return Reason.TRAP_LENGTH
    path, _, query = href[href.index("/", 8) + 1 :].partition("?")
    slashes = path.count("/")
    if slashes >= MAX_SEGMENTS:
        return Reason.TRAP_SEGMENTS
    if slashes > MAX_REPEATS:
        segments = path.split("/")[:-1]  # the last is a file, or empty
        if len(set(segments)) < slashes and repeats(segments):
            return Reason.TRAP_REPEATS
    if len(query) > 2 * MAX_REPEATS and repeats(SEPARATOR.split(query)):
        return Reason.TRAP_REPEATS
    if "%2525" in href or "amp;amp;" in href:  # percent-encoded again and again
        return Reason.TRAP_ESCAPES
    return None


def repeats(parts: list[str]) -> bool:
    """Whether a sequence of parts occurs more than twice in a row: `a b a b a b`."""
    count = len(parts)
    for length in range(1, min(LONGEST_SEQUENCE, count // (MAX_REPEATS + 1)) + 1):
        run = 0
        for index in range(length, count):
            run = run + 1 if parts[index] == parts[index - length] else 0
            if run == length * MAX_REPEATS:
                return True
    return False


def body_hash(body: bytes) -> bytes:
    """Return 8 bytes that are equal for equal bodies."""
    return crc32(body).to_bytes(4, "big") + (len(body) & 0xFFFFFFFF).to_bytes(4, "big")
