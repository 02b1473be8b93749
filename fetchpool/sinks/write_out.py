"""Formats rows as text by a template, `-W/--write-out`.

In: records. Out: the filled-in template for each. Such rows can't be read back.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import msgspec

from fetchpool.config.write_out import JSON, Literal, Piece, parse
from fetchpool.model.record import ROW_FIELDS, Record
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.binary import in_base64


class WriteOutRows:
    """The `RowFormat` of text files whose rows follow a template. A row may have several lines."""

    name = "text"
    header = b""

    def __init__(self, template: str) -> None:
        self._pieces = parse("--write-out", template)
        last = self._pieces[-1]
        if not (isinstance(last, Literal) and last.text.endswith("\n")):
            self._pieces = (*self._pieces, Literal("\n"))
        pattern = ""
        for piece in self._pieces:
            before, end, _ = piece.text.partition("\n") if isinstance(piece, Literal) else ("", "", "")
            pattern += re.escape(before) if isinstance(piece, Literal) else ".*"
            if end:
                break
        self._first_line = re.compile(f"{pattern}\n")
        """Matches a possible first line of such a row."""

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return the text of each record."""
        pieces = self._pieces
        return "".join([_filled(piece, record) for record in records for piece in pieces]).encode()

    def check_header(self, start: bytes) -> str:
        """Check that the first line may belong to a row. A template does not allow a stricter check."""
        if not start.endswith(b"\n") or self._first_line.fullmatch(start.decode(errors="replace")):
            return ""
        return "was not written with this --write-out"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return None: such rows can't be read back."""


def _filled(piece: Piece, record: Record) -> str:
    if isinstance(piece, Literal):
        return piece.text
    if piece.is_header:
        values = record.extra.get("headers", {}).get(piece.name, [])
        return escape_invisible(", ".join(values))
    if piece.name == JSON:
        row = record.to_dict()
        return msgspec.json.encode(in_base64(row)).decode()
    value: Any = (
        getattr(record, piece.name, None) if piece.name in ROW_FIELDS else record.extra.get(piece.name)
    )
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.6f}" if piece.name.startswith("time_") else f"{value:g}"
    if isinstance(value, bool | int):
        return str(value).lower() if isinstance(value, bool) else str(value)
    if isinstance(value, str):
        return escape_invisible(value)
    if isinstance(value, bytes):
        return b64encode(value).decode()
    return msgspec.json.encode(value).decode()
