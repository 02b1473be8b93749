"""The template of `-W/--write-out`, in the syntax of curl's option.

In: text such as `%{url} %{size_delivered}\\n`. Out: its pieces, or a `UsageError` of one line. The text sink
fills them in.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path

from msgspec import Struct

from fetchpool.model.closest import closest
from fetchpool.model.errors import UsageError, why_unreadable
from fetchpool.model.text import escape_invisible

ALIASES = {"http_code": "response_code", "proxy_used": "", "onerror": ""}
"""Variables of curl with a different name here, or with none."""
JSON = "json"
"""The variable for all fields, as one JSON object."""
ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", "\\\\": "\\"}

_PIECE = re.compile(r"%\{([^{}]*)\}|%header\{([^{}]*)\}|(%%)|(\\[nrt\\])|(%(?:header|output|time)?\{)")


class Literal(Struct, frozen=True):
    """Text that is the same in every row."""

    text: str


class Variable(Struct, frozen=True):
    """A field of the row, or a header of the response."""

    name: str
    is_header: bool = False


Piece = Literal | Variable


def read_template(option: str, value: str) -> str:
    """Return the template; `@file` is read from a file, as in curl."""
    if not value:
        raise UsageError(f"{option}: expected a format such as '%{{url}} %{{size_delivered}}\\n'")
    if not value.startswith("@"):
        parse(option, value)
        return value
    try:
        text = Path(value[1:]).read_text(encoding="utf-8")
    except (OSError, ValueError) as failure:
        why = why_unreadable(failure, "is not UTF-8")
        raise UsageError(f"{option}: {escape_invisible(value[1:])}: {why}") from failure
    parse(option, text)
    return text


def parse(option: str, template: str) -> tuple[Piece, ...]:
    """Return the pieces of a template. A row always ends with a newline, whether the template does or not."""
    pieces: list[Piece] = []
    position = 0

    def add(text: str) -> None:
        if text:
            pieces.append(Literal(text))

    for found in _PIECE.finditer(template):
        add(template[position : found.start()])
        position = found.end()
        variable, header, percent, escape, unknown = found.groups()
        if unknown:
            raise UsageError(f"{option}: {found[0]}… is not supported or not closed; expected %{{name}}")
        if percent:
            add("%")
        elif escape:
            add(ESCAPES[escape])
        elif header is not None:
            if not header.strip():
                raise UsageError(f"{option}: expected the name of a header in %header{{…}}")
            pieces.append(Variable(header.strip().lower(), is_header=True))
        else:
            name = variable.strip()
            pieces.append(Variable(ALIASES.get(name, name) or name))
    add(template[position:])
    if not any(isinstance(piece, Variable) for piece in pieces):
        raise UsageError(
            f"{option}: no variable in it; expected something like '%{{url}} %{{response_code}}\\n'"
        )
    return tuple(pieces)


def headers_of(pieces: Collection[Piece]) -> list[str]:
    """Return the names of the headers in a template."""
    return [piece.name for piece in pieces if isinstance(piece, Variable) and piece.is_header]


def check_names(option: str, names: Collection[str], known: Collection[str], hints: dict[str, str]) -> None:
    """Raise `UsageError` for the first name that is not a field of this run's rows. `hints`: the options that
    add fields, by field."""
    for name in names:
        if name in known:
            continue
        shown = escape_invisible(name)
        if name in hints:
            raise UsageError(f"{option}: the rows have no field {shown!r}; add {hints[name]}")
        similar = closest(name.lower(), [*known, *hints])
        hint = f"; did you mean {similar}?" if similar else f"; expected one of {', '.join(known)}"
        raise UsageError(f"{option}: no field {shown!r}{hint}")
