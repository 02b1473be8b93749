"""Reads tables (CSV, TSV, JSONL and JSON arrays) in which one column holds the URL.

In: an input's bytes. Out: the URL of each row and, on request, its other columns, under names that clash with
no field of the output row. The module opens nothing, and its memory is bounded for any input. A row without a
URL gets a request, too, which fails with `invalid_url`, so that no row is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from fetchpool.model.text import escape_invisible
from fetchpool.sources import json_array
from fetchpool.sources.csv_table import column_names, first_row, read_cells
from fetchpool.sources.decompress import Chunks, chain_chunks
from fetchpool.sources.jsonl_table import check_column, first_names, read_objects
from fetchpool.sources.table_header import may_be_url, place_of_name
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import RowBatch, TableFormatError, TableOptions, by_number, listed_names

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
"""Formats by suffix, not counting a compression suffix. For other names the first line decides. A JSON array
is recognized by its start."""


def read(chunks: Chunks, format: str | None, table: TableOptions) -> Iterator[RowBatch]:
    """Yield the rows as soon as their chunks arrive. Without a `format` the first line decides. Raises
    `TableFormatError`."""
    lines, format = _lines(chunks, format, table)
    guessed = False
    for rows in read_objects(lines, table) if format == "jsonl" else read_cells(lines, format, table):
        if lines.first_guessed and not guessed:
            guessed = True
            rows = replace(rows, guessed=lines.first_guessed)
        yield rows


def header(chunks: Chunks, format: str | None, table: TableOptions) -> list[str]:
    """Return the names of the columns that rows will have, as far as they are known before reading: none for
    JSONL, but some of its first lines must have the URL's column. Raises `TableFormatError`."""
    lines, format = _lines(chunks, format, table)
    if format == "jsonl":
        check_column(lines, table)
        return []
    return column_names(lines, format, table)


def needed_column(chunks: Chunks, format: str) -> str:
    """Return why a file of this format is not a list with one URL per line, with its columns; empty if it may
    be a list."""
    table = TableOptions(column="")
    try:
        lines, format = _lines(chunks, format, table)
        if format == "jsonl":
            names = first_names(lines)
        else:
            names = first_row(lines, format, table) if _begins_table(lines.first().strip()) else []
    except TableFormatError:  # the reader of lines or tables reports what it is
        return ""
    if not names:
        return ""
    wanted = "a table requires --url-column"
    if place := next((place for place, name in enumerate(names, 1) if "://" in name), 0):
        return f"{wanted} {place}, the column with its URLs"
    fix = "" if format == "jsonl" else by_number(names)
    place = place_of_name(names, "url")
    example = "NAME" if place < 0 else escape_invisible(names[place])
    return f"{wanted} {example}, the column with its URLs; it has: {listed_names(names)}{fix}"


def _begins_table(line: str) -> bool:
    """Whether a first line looks like a header, or like a row without a URL in its first cell."""
    cell = re.split(r"[,;\t|]", line)[0]
    return (
        line != ""
        and not line.startswith("#")
        and "://" not in cell
        and (cell != line or not may_be_url(cell))
    )


def _lines(chunks: Chunks, format: str | None, table: TableOptions) -> tuple[LineIterator, str]:
    """Return the lines of a table, and its format."""
    first = next(chunks, (b"", 0))
    chunks = chain_chunks(first, chunks)
    if format in (None, "jsonl") and json_array.element_kind(first[0]):
        return LineIterator(json_array.element_lines(chunks), guess=table.guess_encoding), "jsonl"
    lines = LineIterator(chunks, guess=table.guess_encoding)
    return lines, format or _format_of(lines.first())


def _format_of(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in line and "," not in line else "csv"
