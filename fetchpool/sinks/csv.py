"""Formats rows as CSV (RFC 4180, but with LF as line end), for spreadsheets and data frames.

In: records. Out: a header, written once, and one line for each record: the row's fields in their documented
order, the added fields whose names are known when the output is opened, and a last column `extra`, which
holds all other added fields as one JSON object and is empty when there are none. So the columns never change
during a run, and no added field is lost.

Numbers are written as in JSON, null is an empty cell, lists and mappings are JSON. A text cell that a
spreadsheet would take for a formula, since it begins with `=`, `+`, `-`, `@`, a tab, CR or LF, or with the
full-width form of one of the first four, gets a `'` before it (OWASP, "CSV Injection"): a server's title must
not run on the reader's machine (fault 38). A cell that has such a `'` already gets another one, so that the
text can be restored. Numbers are no text: -1.5 stays -1.5.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from fetchpool.model.csv_cells import escape_cell
from fetchpool.model.record import ROW_FIELDS, Record

EXTRA = "extra"
BEGIN = ",".join(ROW_FIELDS).encode()


class CsvRows:
    """The `RowFormat` of CSV files with these columns."""

    name = "csv"

    def __init__(self, extra_fields: tuple[str, ...] = ()) -> None:
        """`extra_fields`: added fields that get columns of their own, in this order."""
        self._extra_fields = extra_fields
        self._encoder = msgspec.json.Encoder()
        self._lines = io.StringIO()
        self._writer = csv.writer(self._lines, lineterminator="\n")
        self._writer.writerow([escape_cell(name) for name in (*ROW_FIELDS, *extra_fields, EXTRA)])
        self.header = self._written()

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record."""
        self._writer.writerows([self._cells(record) for record in records])
        return self._written()

    def check_header(self, start: bytes) -> str:
        """Check that the header has exactly these columns."""
        if start == self.header or (not start.endswith(b"\n") and self.header.startswith(start)):
            return ""
        if start.startswith(BEGIN):
            return "is a CSV output of fetchpool with other columns"
        return "is not a CSV output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the first line if it begins with the row's own columns."""
        return start if start.startswith(BEGIN) and start.endswith(b"\n") else None

    def _cells(self, record: Record) -> list[Any]:
        *row, extra = msgspec.structs.astuple(record)
        cells = [escape_cell(value) if type(value) is str else value for value in row]
        if not extra:
            return cells + [None] * (len(self._extra_fields) + 1)
        cells += [self._extra_cell(extra.get(name)) for name in self._extra_fields]
        rest = {name: value for name, value in extra.items() if name not in self._extra_fields}
        cells.append(self._json(rest) if rest else None)
        return cells

    def _extra_cell(self, value: Any) -> Any:
        if isinstance(value, str):
            return escape_cell(value)
        if value is None or type(value) is int or type(value) is float:
            return value
        return self._json(value)

    def _json(self, value: Any) -> str:
        return self._encoder.encode(value).decode()

    def _written(self) -> bytes:
        lines = self._lines.getvalue()
        self._lines.seek(0)
        self._lines.truncate()
        return lines.encode()
