"""Formats rows as CSV (RFC 4180, but with LF as line end) or TSV, for spreadsheets and data frames.

In: records. Out: a header, written once, and one line for each record: the row's fields in their documented
order, the added fields whose names are known when the output is opened, and a last column `extra`, which
holds all other added fields as one JSON object and is empty when there are none. So the columns never change
during a run, and no added field is lost. An existing output keeps its columns if a user-defined parser adds
fields, since their names are not known for certain.

Numbers are written as in JSON, null is an empty cell, lists and mappings are JSON. A text cell that a
spreadsheet would take for a formula, since it begins with `=`, `+`, `-`, `@`, a tab, CR or LF, or with the
full-width form of one of the first four, gets a `'` before it (OWASP, "CSV Injection"): a server's title must
not run on the reader's machine (fault 38). A cell that has such a `'` already gets another one, so that the
text can be restored. Numbers are no text: -1.5 stays -1.5.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fetchpool.model.csv_cells import DELIMITERS, escape_cell, unescape_cell
from fetchpool.model.record import ROW_FIELDS, FieldType, Record
from fetchpool.sinks.binary import in_base64, with_encodings

EXTRA = "extra"


class CsvRows:
    """The `RowFormat` of CSV and TSV files with these columns."""

    def __init__(
        self,
        extra_fields: tuple[str, ...] = (),
        types: Mapping[str, FieldType] | None = None,
        fields: tuple[str, ...] = (),
        *,
        format: str = "csv",
        parser_fields: tuple[str, ...] | None = None,
    ) -> None:
        """`extra_fields`: added fields with their own columns, in this order; `types`: the types of known
        fields. Binary fields are in base64, followed by a column that says so. `fields`: the only columns, in
        this order. `parser_fields`: those of user-defined parsers, as far as they are known; None without
        such a parser."""
        self.name = format
        self._delimiter = DELIMITERS[format]
        self._begin = self._delimiter.join(ROW_FIELDS).encode()
        self._types = types or {}
        self._required = with_encodings(extra_fields, self._types)
        self._has_own_parser = parser_fields is not None
        self._extra_fields = tuple(dict.fromkeys((*self._required, *(parser_fields or ()))))
        self._fields = with_encodings(fields, self._types)
        self._encoder = msgspec.json.Encoder()
        self._lines = io.StringIO()
        self._writer = csv.writer(self._lines, delimiter=self._delimiter, lineterminator="\n")
        names = self._fields or (*ROW_FIELDS, *self._extra_fields, EXTRA)
        self._writer.writerow([escape_cell(name) for name in names])
        self.header = self._written()

    def encode(self, records: Sequence[Record]) -> bytes:
        """Return one line for each record."""
        cells = self._chosen if self._fields else self._cells
        self._writer.writerows([cells(record) for record in records])
        return self._written()

    def check_header(self, start: bytes) -> str:
        """Check that the header has exactly these columns. With a user-defined parser, adopt those that the
        output has."""
        if start == self.header or (not start.endswith(b"\n") and self.header.startswith(start)):
            return ""
        if self._has_own_parser and not self._fields and self._adopt(start):
            return ""
        name = self.name.upper()
        chosen = self.parse_header(start) is not None or (self._fields and b"url" in start)
        if chosen or start.startswith(self._begin):
            return f"is a {name} output of fetchpool with other columns"
        return f"is not a {name} output of fetchpool"

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the first line if rows below it can be read back: it has the row's own columns, or at least
        the URL and the error."""
        if not start.endswith(b"\n"):
            return None
        names = start.decode(errors="replace").rstrip("\n").split(self._delimiter)
        return start if start.startswith(self._begin) or {"url", "error"} <= set(names) else None

    def _adopt(self, header: bytes) -> bool:
        """Use the columns of an output from now on, if all fields but those of user-defined parsers have
        one."""
        if not header.startswith(self._begin) or not header.endswith(b"\n"):
            return False
        cells = next(csv.reader([header.decode(errors="replace")], delimiter=self._delimiter))
        added = [unescape_cell(name) for name in cells[len(ROW_FIELDS) : -1]]
        if cells[-1] != EXTRA or not set(self._required) <= set(added):
            return False
        self.header, self._extra_fields = header, tuple(added)
        return True

    def _chosen(self, record: Record) -> list[Any]:
        row = record.to_dict()
        if self._types:
            row = in_base64(row)
        return [self._extra_cell(row.get(name)) for name in self._fields]

    def _cells(self, record: Record) -> list[Any]:
        *row, extra = msgspec.structs.astuple(record)
        if extra and self._types:
            extra = in_base64(extra)
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
