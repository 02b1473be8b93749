"""Rows as text, the default: the size summary that a person greps.

    url:<https://example.org/> size:[1256]
    url:<https://example.org/slow> error:[timeout_total]

In: records. Out: one line each, whatever is in them. A URL may hold `> size:[`: the last one on the
line is the row's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.clean import visible
from fetchpool.model import Record

BEGIN = "url:<"
_BEGIN = BEGIN.encode()


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


def line(record: Record) -> str:
    """The row of one record, with its line end. Bytes are delivered ones; empty when nobody counted."""
    if record.error is not None:
        row = f"{BEGIN}{record.url}> error:[{record.error}]"
    else:
        size = "" if record.size_delivered is None else record.size_delivered
        row = f"{BEGIN}{record.url}> size:[{size}]"
    return f"{visible(row)}\n"
