"""Inputs with columns: CSV, TSV and JSONL, one of whose columns holds the URL.

In: an input's bytes. Out: the URL of each row and, when they are wanted, its other columns, under names
that no field of the output row has. Nothing is opened here, and memory is bounded whatever the bytes
are. A row without a URL gets a request all the same, which ends as `invalid_url`: nothing vanishes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from fetchpool.sources.csv_table import column_names, read_cells
from fetchpool.sources.decompress import Chunks
from fetchpool.sources.jsonl_table import look_for_column, read_objects
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import RowBatch, TableOptions

FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""By the name of an input, without what says how it is compressed; otherwise the first line tells."""


def read(chunks: Chunks, format: str | None, table: TableOptions) -> Iterator[RowBatch]:
    """The rows, as soon as the chunks have them. Without a `format` the first line tells. Raises
    `TableFormatError`."""
    lines = LineIterator(chunks)
    if format is None:
        format = _format_of(lines.first())
    yield from read_objects(lines, table) if format == "jsonl" else read_cells(lines, format, table)


def header(chunks: Chunks, format: str | None, table: TableOptions) -> list[str]:
    """The names of the columns that rows will have, as far as they are known beforehand: not those of
    JSONL, of which some lines must have that of the URL. Raises `TableFormatError`."""
    lines = LineIterator(chunks)
    format = format or _format_of(lines.first())
    if format == "jsonl":
        look_for_column(lines, table)
        return []
    return column_names(lines, format, table)


def begins_one(line: str) -> bool:
    """Whether a first line is an object or may be a header, and is no URL."""
    if line.startswith("{"):
        return True
    cell = re.split(r"[,;\t]", line)[0]
    return line != "" and "://" not in cell and (cell != line or "." not in cell)


def _format_of(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in line and "," not in line else "csv"
