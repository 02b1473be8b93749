"""Rows as text, the default: the size summary that a person greps.

    url:<https://example.org/> size:[1256]
    url:<https://example.org/slow> error:[timeout_total]

In: records, or lines to read back. Out: one line each, whatever is in them, or rows. A URL may hold
`> size:[`: the last one on the line is the row's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from fetchpool.model.record import Record, StoredRow
from fetchpool.model.text import escape_invisible

BEGIN = "url:<"
_BEGIN = BEGIN.encode()
_ROW = re.compile(rf"^{BEGIN}(.*)> (?:size:\[\d*\]|error:\[(\w+)\])$", re.MULTILINE)


class TextRows:
    """The `RowFormat` of text files."""

    header = b""

    def encode(self, records: Sequence[Record]) -> bytes:
        """A line for every record."""
        return "".join([line(record) for record in records]).encode()

    def refusal(self, start: bytes) -> str:
        """Text rows begin with `url:<`."""
        if start.startswith(_BEGIN) or _BEGIN.startswith(start):
            return ""
        return "is not a text output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """There is none."""
        return None if self.refusal(start) else b""

    def decode(self, lines: bytes) -> list[StoredRow | None]:
        """The row on each line."""
        rows: list[StoredRow | None] = [
            StoredRow(url, error or None) for url, error in _ROW.findall(lines.decode(errors="replace"))
        ]
        if len(rows) != lines.count(b"\n"):
            rows = [_written(line) for line in lines.split(b"\n")[:-1]]
        return rows


def _written(line: bytes) -> StoredRow | None:
    row = _ROW.fullmatch(line.decode(errors="replace"))
    return StoredRow(row[1], row[2]) if row else None


def line(record: Record) -> str:
    """The row of one record, with its line end. Bytes are delivered ones; empty when nobody counted."""
    if record.error is not None:
        row = f"{BEGIN}{record.url}> error:[{record.error}]"
    else:
        size = "" if record.size_delivered is None else record.size_delivered
        row = f"{BEGIN}{record.url}> size:[{size}]"
    return f"{escape_invisible(row)}\n"
