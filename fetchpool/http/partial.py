"""Answers that are a part of what was asked for (RFC 9110 section 14).

In: a status, a `Content-Range`, and the headers that were sent. Out: why the body is not the whole. Pure.
"""

from __future__ import annotations

import re

PARTIAL_CONTENT = 206
LONGEST = 100
"""Characters of a `Content-Range` that are looked at."""
CONTENT_RANGE = re.compile(r"[!-~]{1,20}[ \t]+([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19}|\*)")
"""Unit, first, last, and how many there are; `*` when the server doesn't know."""


def unasked_part(status: int, content_range: str, sent: tuple[tuple[str, str], ...]) -> str:
    """Why a 2xx answer is no more than a part, though the whole was asked for; empty when nothing says so, or
    when a part was asked for.

    A cache that has kept a part of a page answers so. It may have the page the next time: to whoever wants
    the page it is `truncated`.
    """
    if any(name.lower() == "range" for name, _ in sent):
        return ""
    said = CONTENT_RANGE.fullmatch(content_range.strip()[:LONGEST])
    if said is not None:
        first, last, whole = int(said[1]), int(said[2]), said[3]
        if first or (whole != "*" and last + 1 < int(whole)):
            return f"the whole was asked for, and bytes {first} to {last} of {whole} came"
    if status == PARTIAL_CONTENT:
        return "the whole was asked for, and a part came (206)"
    return ""
