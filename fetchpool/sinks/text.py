"""Formats rows as text, the default: one line per URL, easy to grep.

    url:<https://example.org/> size:[1256]
    url:<https://example.org/slow> error:[timeout_total]

In: records. Out: one line each, whatever the values contain. A URL may contain `> size:[`: the last one on
the line is the row's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.model.record import Record
from fetchpool.model.text import escape_invisible

BEGIN = "url:<"
_BEGIN = BEGIN.encode()


class TextRows:
    """The `RowFormat` of text files."""

    name = "text"
    header = b""

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record."""
        return "".join([line(record) for record in records]).encode()

    def check_header(self, start: bytes) -> str:
        """Check that the first row begins with `url:<`."""
        if start.startswith(_BEGIN) or _BEGIN.startswith(start):
            return ""
        return "is not a text output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the header, which is empty."""
        return None if self.check_header(start) else b""


def line(record: Record) -> str:
    """Return the row of a record, with its line end. The size is that of the delivered body; empty if
    unknown."""
    if record.error is not None:
        row = f"{BEGIN}{record.url}> error:[{record.error}]"
    else:
        size = "" if record.size_delivered is None else record.size_delivered
        row = f"{BEGIN}{record.url}> size:[{size}]"
    return f"{escape_invisible(row)}\n"
