"""Reads tables (CSV, TSV, JSONL and JSON arrays), one of whose columns holds the URL.

In: an input's bytes. Out: the URL of each row and, on request, its other columns, under names that no field
of the output row has. The module opens nothing, and its memory is bounded for any input. A row without a URL
gets a request, too, which fails with `invalid_url`, so that no row is lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec.structs import replace

from fetchpool.sources import json_array
from fetchpool.sources.csv_table import column_names, read_cells
from fetchpool.sources.decompress import Chunks, chain_chunks
from fetchpool.sources.jsonl_table import check_column, read_objects
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import RowBatch, TableOptions

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".tab": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
}
"""Formats by suffix, without a suffix for compression. For other names the first line decides. A JSON array
is recognized by its beginning."""


def read(chunks: Chunks, format: str | None, table: TableOptions) -> Iterator[RowBatch]:
    """Yield the rows, as soon as the chunks have them. Without a `format` the first line decides. Raises
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


def begins_table(line: str) -> bool:
    """Whether a first line is a JSON object, or looks like a header and not like a URL."""
    if line.startswith("{"):
        return True
    cell = re.split(r"[,;\t]", line)[0]
    return line != "" and "://" not in cell and (cell != line or "." not in cell)


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
