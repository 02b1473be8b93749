"""Tables in CSV and TSV (RFC 4180, with whatever stands between cells and however lines end).

In: lines. Out: batches of rows, or the names in the header. Nothing is opened here.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain

from fetchpool.model.csv_cells import unescape_cell
from fetchpool.model.text import escape_invisible
from fetchpool.sources.lines import KEPT
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
    no_column,
)

MAX_ROW = 2 * MAX_LINE
"""Characters of a row of CSV, which may go over many lines."""

csv.field_size_limit(MAX_LINE)  # the module's, for good: who sets it for a moment puts this back


def column_names(lines: LineIterator, format: str, table: TableOptions) -> list[str]:
    """Return the names of the columns that rows will have. Raises `TableFormatError`."""
    first = _heading(_records(lines, format, table), table)
    if first is None:
        return []
    found, _ = first
    return [name for place, name in enumerate(as_fields(found.names, table)) if place != found.place]


def read_cells(lines: LineIterator, format: str, table: TableOptions) -> Iterator[RowBatch]:
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
                url = cells[place].strip()[:KEPT] if place < len(cells) else ""
                if table.keep:
                    # What a short row lacks is not there: a null for each would cost columns times rows.
                    columns = {name: escape_invisible(cell) for name, cell in zip(names, cells, strict=False)}
                    columns.pop(names[place], None)
                    found.add(url, columns, FIELD * len(columns) + lines.taken - taken)
                else:
                    found.add(url)
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
    """The cells of each row, none for an empty line. Raises `TableFormatError`."""
    if "\0" in lines.first():
        raise TableFormatError(
            f"is no {format.upper()}: there are NUL bytes in its first line; is it a table?"
        )
    between, is_said = delimiter(lines.first(), format, table.column)
    if is_said:
        next(lines)
    begins = 1
    bounded = _Bounded(lines)
    try:
        for cells in csv.reader(bounded, delimiter=between):
            if lines.over:  # every line has its end, so nothing but a quote can run on past the last
                raise TableFormatError(f"line {begins}: a quote in its row is never closed; close it")
            begins = bounded.begins = lines.number + 1
            bounded.most = lines.taken + MAX_ROW
            yield cells
    except csv.Error as failure:
        raise TableFormatError(_why(failure, lines, begins)) from failure


class _Bounded:
    """Lines for a reader of rows, of which it gets no more than a row may have: it keeps all of them."""

    def __init__(self, lines: LineIterator) -> None:
        self._lines = lines
        self.begins = 1
        """The line that the row begins with."""
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
    """What stopped the reader in the row that begins on that line; its own words are for programmers."""
    if "limit" in str(failure):
        return f"line {begins}: a cell of more than {MAX_LINE >> 20} MiB; is a quote in it not closed?"
    if "\r" in lines.last.rstrip("\r\n"):
        fix = "save it with LF line ends, or: tr '\\r' '\\n'"
        return f"line {lines.number}: a carriage return (CR) within the line; {fix}"
    return f"line {lines.number}: can't be read ({failure})"


def _heading(rows: Iterator[list[str]], table: TableOptions) -> tuple[Heading, list[str]] | None:
    """What the first row says, and the row; None for an empty table. Raises `TableFormatError`."""
    cells = next((cells for cells in rows if cells), None)
    if cells is None:
        return None
    found = parse_header(cells, table.column)
    if found.place < 0:
        raise no_column(cells, table)
    return found, cells
