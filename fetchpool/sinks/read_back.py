"""Reads the rows of outputs of earlier runs, for --resume, --refresh, `compact` and reports.

In: the path of an output, and the names of fields or a type with these fields. Out: rows as mappings or
structs, or their URL and error as `StoredRow`, in the order in which they were written, whatever version
wrote them. Memory is bounded; nothing is locked or changed.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import msgspec

from fetchpool.config.choices import compression_of
from fetchpool.model.csv_cells import DELIMITERS, unescape_cell
from fetchpool.model.errors import NO_FILE, UsageError
from fetchpool.model.record import ROW_FIELDS, StoredRow
from fetchpool.model.text import escape_invisible, one_line
from fetchpool.sinks.added_columns import EXTRA, quoted
from fetchpool.sinks.lines import blocks, sequential
from fetchpool.sinks.row_lines import (
    INVALID_JSON,
    PLAIN_FORMATS,
    STORED_FIELDS,
    decode_json,
    is_row,
    line_decoder,
    parse_cells,
)

if TYPE_CHECKING:  # loaded for databases only
    import sqlite3

BATCH = 500
"""Number of rows that are read from a database at once."""
MAX_LISTED = 1_000
"""Maximum number of characters of column names in a message."""

T = TypeVar("T", bound=msgspec.Struct)
Row = dict[str, Any]


def stored_row(row: Row) -> StoredRow | None:
    """Return the URL and the error of a row; None if another program has put something else there."""
    url, error = row.get("url"), row.get("error")
    return StoredRow(url, error) if isinstance(url, str) and isinstance(error, str | None) else None


def stored_rows(path: str, format: str) -> Iterator[list[StoredRow | None]]:
    """Yield the rows of an output without opening it for writing: nothing is locked or repaired. None stands
    for a damaged line, or a header. Raises `UsageError` for a file that can't be read."""
    if format in TABLES:
        for rows in TABLES[format](path, frozenset(STORED_FIELDS)):
            yield [stored_row(row) for row in rows]
    else:
        yield from map(line_decoder(format), line_blocks(path))


def read_rows(path: str, format: str, fields: Collection[str]) -> Iterator[list[Row]]:
    """Yield the rows of an output, a few hundred at a time, without damaged rows. A row has its `url`, which
    is a string, and the fields that have a value. In CSV a value is text, and an added field may be JSON.
    Raises `UsageError` for a file that isn't a readable output in that format."""
    wanted = frozenset((*fields, "url"))
    for rows in READERS[format](path, wanted | {EXTRA}):
        yield [found for row in rows if (found := _row(row, wanted))["url"]]


def typed_rows(path: str, format: str, type: type[T]) -> Iterator[list[T | None]]:
    """Yield the rows of an output as structs of a type, whose fields have the row's names; None stands for a
    damaged line. Unlike `read_rows()`, this includes rows without a URL, whose `url` is empty.

    Raises `UsageError` for a file that isn't a readable output in that format."""
    if format == "jsonl":
        decoder = msgspec.json.Decoder(type)
        for block in line_blocks(path):
            yield decode_json(block, decoder)
    elif format in PLAIN_FORMATS:
        for block in line_blocks(path):
            yield [_converted(row, type) for row in PLAIN_FORMATS[format].fields(block)]
    else:
        wanted = frozenset(type.__struct_fields__)
        for rows in READERS[format](path, wanted):
            yield [_converted({"url": "", **row}, type) for row in rows if row]


def _converted(row: Row | None, type: type[T]) -> T | None:
    """Return a row as a struct: the cells of CSV are text."""
    try:
        return msgspec.convert(row, type, strict=False)
    except msgspec.ValidationError:
        return None


def _row(row: Row, wanted: frozenset[str]) -> Row:
    """Return the wanted fields of a row, including those in `extra`. Another program may have changed the
    row: `extra` may not be an object, and the URL may not be text."""
    extra: Any = row.get(EXTRA)
    found: Row = {}
    if extra and isinstance(extra, str | bytes):
        with suppress(*INVALID_JSON):
            decoded = json.loads(extra)
            if isinstance(decoded, dict):
                found = {name: value for name, value in decoded.items() if name in wanted}
    found.update((name, value) for name, value in row.items() if value is not None and name in wanted)
    url = found.get("url")
    found["url"] = url.strip() if isinstance(url, str) else ""
    return found


def _plain_rows(path: str, _: frozenset[str], format: str) -> Iterator[list[Row]]:
    for block in line_blocks(path):
        yield [row for row in PLAIN_FORMATS[format].fields(block) if row is not None]


def _jsonl_rows(path: str, _: frozenset[str]) -> Iterator[list[Row]]:
    decoder = msgspec.json.Decoder(Row)
    found = False
    for block in line_blocks(path):
        rows = []
        for line in block.split(b"\n"):
            with suppress(*INVALID_JSON):
                rows.append(decoder.decode(line))
        found = found or any("url" in row for row in rows)
        yield rows
    if not found and Path(path).stat().st_size:
        raise UsageError(f"{escape_invisible(path)}: has no row with the field 'url'")


def _csv_rows(path: str, wanted: frozenset[str], delimiter: str) -> Iterator[list[Row]]:
    names: list[str] = []
    is_ours = False
    for block in line_blocks(path):
        rows = parse_cells(block.decode(errors="replace"), delimiter)
        if not names:
            names = rows.pop(0)
            if "url" not in names:
                has = one_line(", ".join(names), MAX_LISTED) if names else "nothing"
                raise UsageError(f"{escape_invisible(path)}: has no column 'url'; it has: {has}")
            is_ours = tuple(names[: len(ROW_FIELDS)]) == ROW_FIELDS
        if is_ours:
            rows = [[unescape_cell(cell) for cell in cells] for cells in rows if is_row(cells)]
        yield [
            {name: cell for name, cell in zip(names, cells, strict=False) if name in wanted and cell}
            for cells in rows
        ]


def _sqlite_rows(path: str, wanted: frozenset[str]) -> Iterator[list[Row]]:
    import sqlite3

    name = escape_invisible(path)
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
            yield from table_rows(database, wanted)
    except sqlite3.Error as failure:
        raise UsageError(f"{name}: is not a readable SQLite output of fetchpool ({failure})") from failure


def table_rows(database: sqlite3.Connection, wanted: Collection[str]) -> Iterator[list[Row]]:
    """Yield the rows of a database's table `fetches`, with the wanted columns that the table has. Raises
    `sqlite3.Error`."""
    found = database.execute("SELECT name FROM pragma_table_info('fetches')")
    columns = [column for (column,) in found if column in wanted]
    selected = ", ".join(map(quoted, columns)) or "url"
    cursor = database.execute(f"SELECT {selected} FROM fetches ORDER BY rowid")
    while rows := cursor.fetchmany(BATCH):
        yield [dict(zip(columns, row, strict=True)) for row in rows]


def _parquet_rows(path: str, wanted: frozenset[str]) -> Iterator[list[Row]]:
    import_parquet(path)
    from fetchpool.sinks.parquet_parts import IO_ERRORS, PartFiles, file_rows

    try:
        if Path(path).is_dir():
            yield from PartFiles(Path(path)).rows(wanted)
        else:
            yield from file_rows(Path(path), wanted)
    except IO_ERRORS as failure:
        why = " ".join(str(failure).split())[:200]
        raise UsageError(
            f"{escape_invisible(path)}: is not a readable Parquet output of fetchpool ({why})"
        ) from failure


def import_parquet(path: str) -> None:
    """Import the module that reads and writes Parquet. Raises `UsageError` when pyarrow isn't installed."""
    try:
        import fetchpool.sinks.parquet_parts  # noqa: F401  # the adapter of pyarrow
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise UsageError(
            f"{escape_invisible(path)}: Parquet needs pyarrow, which isn't installed: {fix}"
        ) from failure


Reader = Callable[[str, frozenset[str]], Iterator[list[Row]]]
TABLES: dict[str, Reader] = {"sqlite": _sqlite_rows, "parquet": _parquet_rows}
"""The formats that are not lines: `row_lines.py` decodes the others."""
COMPLETE: dict[str, Reader] = {
    "jsonl": _jsonl_rows,
    **{format: partial(_csv_rows, delimiter=delimiter) for format, delimiter in DELIMITERS.items()},
    **TABLES,
}
"""The formats whose rows have all fields."""
READERS: dict[str, Reader] = {
    **{format: partial(_plain_rows, format=format) for format in PLAIN_FORMATS},
    **COMPLETE,
}


def line_blocks(path: str) -> Iterator[bytes]:
    """Yield the complete lines of a file, in blocks."""
    name = escape_invisible(path)
    suffix = compression_of(path)
    try:
        with Path(path).open("rb") as file:
            size = Path(path).stat().st_size
            if not suffix:
                yield from blocks(partial(_read, file), 0, size)
                return
            from fetchpool.sinks.compression import COMPRESSIONS

            content = COMPRESSIONS[suffix].content(partial(_read, file), size)
            yield from blocks(sequential(content), 0, sys.maxsize)
    except FileNotFoundError as failure:
        raise UsageError(f"{name}: {NO_FILE}") from failure
    except OSError as failure:
        raise UsageError(f"{name}: can't be read: {failure.strerror}") from failure


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
