"""Recognizes partial responses (RFC 9110 section 14).

In: a status, a `Content-Range`, and the headers that were sent. Out: why the body is incomplete. Pure.
"""

from __future__ import annotations

import re

PARTIAL_CONTENT = 206
LONGEST = 100
"""Maximum number of characters of a `Content-Range` that are parsed."""
CONTENT_RANGE = re.compile(r"[!-~]{1,20}[ \t]+([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
"""Unit, first byte, last byte, and total; `*` when the server doesn't know the total."""


def unexpected_part(status: int, content_range: str, sent: tuple[tuple[str, str], ...]) -> str:
    """Return why a 2xx response is only a part although the complete page was requested; empty if nothing
    indicates that, or if a part was requested.

    A cache that stores a part of a page sends such responses, and may have the complete page the next time,
    so the failure is `truncated`.
    """
    if any(name.lower() == "range" for name, _ in sent):
        return ""
    said = CONTENT_RANGE.fullmatch(content_range.strip()[:LONGEST])
    if said is not None:
        first, last, total = int(said[1]), int(said[2]), said[3]
        if first or (total != "*" and last + 1 < int(total)):
            return f"requested the complete body, got bytes {first} to {last} of {total}"
    if status == PARTIAL_CONTENT:
        return "requested the complete body, got a part (206)"
    return ""
