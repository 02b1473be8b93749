"""The values of `--keep`: additional fields of a row, from its response or its input. In: names as users
write them, `headers,body` or several strings. Out: checked names, or a `UsageError`; the fields that they add
to a row, and their types in outputs with typed columns.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError
from fetchpool.model.record import FieldType

HEADER = "header:"
"""Prefix of the name of a single header, whose value goes into the field `headers`."""
KEPT: dict[str, FieldType] = {
    "headers": "headers",
    "redirects": "redirects",
    "body": "binary",
    "text": "text",
    "line": "text",
}
"""The fields with their types, in the order of the row."""
VALUES = ("headers", "header:NAME", "redirects", "body", "text", "line")
MAX_BODY = 64 << 20
"""Maximum size of a body in a row. At least one row per worker is held in memory, and outputs have limits,
too."""

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)


def keep(option: str, value: str | Iterable[str]) -> tuple[str, ...]:
    """Return each name once, in the order given; names of headers in lower case."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, Iterable) or not all(isinstance(each, str) for each in listed):
        raise UsageError(f"{option}: expected one or more of {', '.join(VALUES)}")
    names = [name.strip() for each in listed for name in each.split(",")]
    return tuple(dict.fromkeys(_checked(option, name) for name in names))


def _checked(option: str, name: str) -> str:
    if name.lower().startswith(HEADER):
        header = name[len(HEADER) :].strip()
        if not _TOKEN.fullmatch(header):
            raise UsageError(f"{option}: {name!r}: expected the name of a header, such as {HEADER}etag")
        return f"{HEADER}{header.lower()}"
    if name in KEPT:
        return name
    similar = closest(name.lower(), KEPT)
    hint = f"; did you mean {similar}?" if similar else ""
    raise UsageError(f"{option}: {name!r} is not one of {', '.join(VALUES)}{hint}")


def kept_fields(names: Iterable[str]) -> dict[str, FieldType]:
    """Return the fields that these names add to a row, with their types, in order."""
    fields = {"headers" if name.startswith(HEADER) else name for name in names}
    return {name: type for name, type in KEPT.items() if name in fields}
