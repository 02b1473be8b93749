"""Formats rows as JSON Lines: one object per line, the row's fields in their documented order, then the added
fields.

In: records. Out: lines of JSON (RFC 8259, in UTF-8). No added field has the name of one of the row's own:
the parsers' runner renames those.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from fetchpool.model.record import Record

BEGIN = b'{"urlnum":'
EXTRA = b',"extra":{'
NO_EXTRA = EXTRA + b"}}\n"


class JsonlRows:
    """The `RowFormat` of JSONL files."""

    name = "jsonl"
    header = b""

    def __init__(self) -> None:
        self._encoder = msgspec.json.Encoder()

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record: 0.6 µs, or 0.9 for a record with added fields."""
        lines = self._encoder.encode_lines(records)
        added = sum([1 for record in records if record.extra])
        if added < len(records):
            # JSON strings contain no unescaped quote or line end, so this matches only the end of a row.
            lines = lines.replace(NO_EXTRA, b"}\n")
        if not added:
            return lines
        if lines.count(EXTRA) != added:  # an added field contains a field of that name
            return b"".join([self._row(record) for record in records])
        return lines.replace(EXTRA, b",").replace(b"}}\n", b"}\n")

    def check_header(self, start: bytes) -> str:
        """Check that the first row begins with its first field."""
        if start.startswith(BEGIN) or BEGIN.startswith(start):
            return ""
        return "is not a JSONL output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the header, which is empty."""
        return None if self.check_header(start) else b""

    def _row(self, record: Record) -> bytes:
        row = self._encoder.encode(record)
        extra = self._encoder.encode(record.extra)
        fields = row[: -len(b',"extra":}') - len(extra)]
        return fields + b"}\n" if extra == b"{}" else fields + b"," + extra[1:] + b"\n"
