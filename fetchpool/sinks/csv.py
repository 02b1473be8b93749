"""Rows as CSV (RFC 4180, but for the line end, which is LF), for spreadsheets and data frames.

In: records, or lines to read back. Out: rows; or a header, written once, and one line for every
record: the row's fields in their documented order, the parsers' fields whose names were known
beforehand, and a last column `extra`, which holds whatever else parsers added as one JSON object and
is empty when there is nothing. So the columns never change midway, and nothing that a parser said
is lost.

Numbers are written as in JSON, null is an empty cell, lists and mappings are JSON. A text cell that
a spreadsheet would take for a formula, since it begins with `=`, `+`, `-`, `@`, a tab, CR or LF, or with
the full-width form of one of the first four, gets a `'` before it (OWASP, "CSV Injection"): a server's
title is not to run on the reader's machine (fault 38). So does one that has such a `'` already, so
that it can be told what was there. Numbers are no text: -1.5 stays -1.5.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

import msgspec

from fetchpool.model.csv_cells import cell, meant
from fetchpool.model.record import ROW_FIELDS, Record, StoredRow

EXTRA = "extra"
BEGIN = ",".join(ROW_FIELDS).encode()
URL, ERROR = ROW_FIELDS.index("url"), ROW_FIELDS.index("error")
MAX_CELL = 1 << 30
"""Characters: more than the 131,072 that the csv module reads by default."""


class CsvRows:
    """The `RowFormat` of CSV files with these columns."""

    def __init__(self, extra_fields: tuple[str, ...] = ()) -> None:
        """`extra_fields`: parsers' fields that get columns of their own, in this order."""
        self._extra_fields = extra_fields
        self._encoder = msgspec.json.Encoder()
        self._lines = io.StringIO()
        self._writer = csv.writer(self._lines, lineterminator="\n")
        self._writer.writerow([cell(name) for name in (*ROW_FIELDS, *extra_fields, EXTRA)])
        self.header = self._take()

    def encode(self, records: Sequence[Record]) -> bytes:
        """A line for every record."""
        self._writer.writerows([self._cells(record) for record in records])
        return self._take()

    def refusal(self, start: bytes) -> str:
        """The header is ours, with these columns, or it isn't."""
        if start == self.header or (not start.endswith(b"\n") and self.header.startswith(start)):
            return ""
        if start.startswith(BEGIN):
            return "is a CSV output of fetchpool with other columns"
        return "is not a CSV output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """The first line, when it begins with the row's own columns."""
        return start if start.startswith(BEGIN) and start.endswith(b"\n") else None

    def decode(self, lines: bytes) -> list[StoredRow | None]:
        """The row on each line, the header aside."""
        return [_written(cells) for cells in parse_cells(lines.decode(errors="replace"))]

    def _cells(self, record: Record) -> list[Any]:
        *row, extra = msgspec.structs.astuple(record)
        cells = [cell(value) if type(value) is str else value for value in row]
        if not extra:
            return cells + [None] * (len(self._extra_fields) + 1)
        cells += [self._extra_cell(extra.get(name)) for name in self._extra_fields]
        rest = {name: value for name, value in extra.items() if name not in self._extra_fields}
        cells.append(self._json(rest) if rest else None)
        return cells

    def _extra_cell(self, value: Any) -> Any:
        if isinstance(value, str):
            return cell(value)
        if value is None or type(value) is int or type(value) is float:
            return value
        return self._json(value)

    def _json(self, value: Any) -> str:
        return self._encoder.encode(value).decode()

    def _take(self) -> bytes:
        lines = self._lines.getvalue()
        self._lines.seek(0)
        self._lines.truncate()
        return lines.encode()


def parse_cells(lines: str) -> list[list[str]]:
    """The cells of each of these complete lines of CSV; none for a damaged one, which hides no other."""
    each = lines.split("\n")[:-1]
    before = csv.field_size_limit(MAX_CELL)
    try:
        rows = _cells(each)
        return rows if len(rows) == len(each) else [(_cells([line]) or [[]])[0] for line in each]
    finally:
        csv.field_size_limit(before)


def _cells(lines: list[str]) -> list[list[str]]:
    try:
        return list(csv.reader(lines, strict=True))
    except csv.Error:
        return []


def _written(cells: list[str]) -> StoredRow | None:
    if len(cells) <= len(ROW_FIELDS) or not cells[0].isdecimal():
        return None
    return StoredRow(meant(cells[URL]), cells[ERROR] or None)
