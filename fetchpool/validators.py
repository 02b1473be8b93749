"""What tells one version of a page from another (RFC 9110 section 8.8): `ETag` and `Last-Modified`.

In: an answer's headers, or what an earlier result says of its URL. Out: the row's `etag` and
`last_modified`; the headers that ask "only if it has changed"; the fields of a row for the answer that
it hasn't. Pure.
"""

from __future__ import annotations

from typing import Any

from fetchpool.model import Previous
from fetchpool.transports.base import Headers

LONGEST = 500
"""Characters of one that is kept; what is longer can't be asked with."""
ETAG, LAST_MODIFIED, NOT_MODIFIED = "etag", "last_modified", "not_modified"
INITIALS = b"EeLl"
"""How the lines begin that may be one of them. No header line is empty: that would end the headers."""
CONDITIONS = frozenset(("if-none-match", "if-modified-since"))


def of_headers(headers: Headers) -> dict[str, Any]:
    """The fields that the row gets, the first of each: 1 µs, by one look at each line's first letter."""
    found: dict[str, Any] = {}
    for line in headers.lines:
        if line[0] not in INITIALS:
            continue
        if line[:5].lower() == b"etag:":
            name, value = ETAG, line[5:]
        elif line[:14].lower() == b"last-modified:":
            name, value = LAST_MODIFIED, line[14:]
        else:
            continue
        text = value.decode("latin-1").strip()
        if name not in found and sound(text):
            found[name] = text
    return found


def sound(value: str) -> bool:
    """Whether it can be sent back as it came."""
    return 0 < len(value) <= LONGEST and value.isascii() and value.isprintable()


def conditional(headers: tuple[tuple[str, str], ...], previous: Previous) -> tuple[tuple[str, str], ...]:
    """The request's headers, and the condition. One that the person sends is the person's own."""
    if any(name.lower() in CONDITIONS for name, _ in headers):
        return headers
    conditions = [("If-None-Match", previous.etag), ("If-Modified-Since", previous.last_modified)]
    return (*headers, *((name, value) for name, value in conditions if value))


def unchanged(previous: Previous, found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row for the answer that nothing has changed; `found` are the answer's own."""
    fields: dict[str, Any] = {
        "sha256": previous.sha256,
        "filename_effective": previous.filename_effective,
        ETAG: previous.etag,
        LAST_MODIFIED: previous.last_modified,
    }
    return {NOT_MODIFIED: True, **{name: value for name, value in fields.items() if value}, **found}
