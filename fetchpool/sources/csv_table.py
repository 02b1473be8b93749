"""Reads tables in CSV and TSV (RFC 4180, with any delimiter and any line end).

In: lines. Out: batches of rows, or the names in the header. The module opens nothing.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain

from fetchpool.model.csv_cells import unescape_cell
from fetchpool.sources.lines import MAX_LINE as MAX_URL_CHARS
from fetchpool.sources.table_header import Heading, delimiter, parse_header
from fetchpool.sources.table_lines import MAX_LINE, LineIterator
from fetchpool.sources.table_rows import (
    BATCH_BYTES,
    FIELD,
    RowBatch,
    RowCollector,
    TableFormatError,
    TableOptions,
    as_fields,
    escape_cell_text,
    no_column,
)

MAX_ROW = 2 * MAX_LINE
"""Maximum length of a CSV row, which may span many lines, in characters."""

csv.field_size_limit(MAX_LINE)  # global and permanent; code that changes it temporarily restores it


def column_names(lines: LineIterator, format: str, table: TableOptions) -> list[str]:
    """Return the names of the columns that rows will have. Raises `TableFormatError`."""
    first = _heading(_records(lines, format, table), table)
    if first is None:
        return []
    found, _ = first
    return [name for place, name in enumerate(as_fields(found.names, table)) if place != found.place]


def first_row(lines: LineIterator, format: str, table: TableOptions) -> list[str]:
    """Return the cells of the first row; none if the table is empty. Raises `TableFormatError`."""
    return next((cells for cells in _records(lines, format, table) if cells), [])


def read_cells(lines: LineIterator, format: str, table: TableOptions) -> Iterator[RowBatch]:
    """Yield the rows of CSV or TSV. Raises `TableFormatError`."""
    rows = _records(lines, format, table)
    first = _heading(rows, table)
    if first is None:
        return
    head, cells = first
    place, names = head.place, as_fields(head.names, table)
    if head.is_row:
        rows = chain([cells], rows)
    if head.is_ours:
        rows = ([unescape_cell(cell) for cell in cells] for cells in rows)
    found = RowCollector(table.keep)
    broken: TableFormatError | None = None
    taken = lines.taken
    try:
        for cells in rows:
            if cells:
                url = cells[place].strip()[:MAX_URL_CHARS] if place < len(cells) else ""
                if table.keep:
                    # A short row has no null for each missing column: that would cost columns times rows.
                    columns = {name: escape_cell_text(cell) for name, cell in zip(names, cells, strict=False)}
                    columns.pop(names[place], None)
                    weight = FIELD * len(columns) + lines.taken - taken
                    found.add(url, columns, weight, number=lines.row_number)
                else:
                    found.add(url, number=lines.row_number)
            taken = lines.taken
            if lines.waits or found.weight > BATCH_BYTES:
                yield found.rows(lines.offset)
                found = RowCollector(table.keep)
    except TableFormatError as failure:
        broken = failure
    yield found.rows(lines.offset)
    if broken is not None:
        raise broken


def _records(lines: LineIterator, format: str, table: TableOptions) -> Iterator[list[str]]:
    """Yield the cells of each row, none for an empty line. Raises `TableFormatError`."""
    if "\0" in lines.first():
        raise TableFormatError(f"not a {format.upper()} file: NUL bytes in the first line")
    between, is_sep_line = delimiter(lines.first(), format, table.column, table.delimiter)
    if is_sep_line:
        next(lines)
    begins = lines.number + 1
    bounded = _Bounded(lines)
    try:
        for cells in csv.reader(bounded, delimiter=between):
            if lines.over:  # all lines have a line end, so only an open quote continues past the last
                raise TableFormatError(f"line {begins}: unterminated quoted field; close the quote")
            lines.row_number = begins
            begins = bounded.begins = lines.number + 1
            bounded.most = lines.taken + MAX_ROW
            yield cells
    except csv.Error as failure:
        raise TableFormatError(_why(failure, lines, begins)) from failure


class _Bounded:
    """Limits the lines of one row, since the CSV reader holds all of them in memory."""

    def __init__(self, lines: LineIterator) -> None:
        self._lines = lines
        self.begins = 1
        """The line number at which the row begins."""
        self.most = MAX_ROW

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        if self._lines.taken > self.most:
            raise TableFormatError(
                f"line {self.begins}: a row of more than {MAX_ROW >> 20} MiB; is a quote in it not closed?"
            )
        return line


def _why(failure: csv.Error, lines: LineIterator, begins: int) -> str:
    """Return a message for an error of the CSV reader, whose own messages are for programmers. `begins`: the
    first line of the row."""
    if "limit" in str(failure):
        return f"line {begins}: a cell of more than {MAX_LINE >> 20} MiB; is a quote in it not closed?"
    if "\r" in lines.last.rstrip("\r\n"):
        fix = "save it with LF line ends, or: tr '\\r' '\\n'"
        return f"line {lines.number}: a carriage return (CR) within the line; {fix}"
    return f"line {lines.number}: can't be read ({failure})"


def _heading(rows: Iterator[list[str]], table: TableOptions) -> tuple[Heading, list[str]] | None:
    """Return the first row's interpretation, and the row; None for an empty table. Raises
    `TableFormatError`."""
    cells = next((cells for cells in rows if cells), None)
    if cells is None:
        return None
    found = parse_header(cells, table.column)
    if found.place < 0:
        raise no_column(cells, table)
    return found, cells
