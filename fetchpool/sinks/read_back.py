"""Rows of our own outputs, read back: one reader for every format that has more than a URL and a size.

In: the path of an output and the names of fields. Out: rows as mappings, in the order in which they were
written, whatever version wrote them. Memory is bounded; nothing is locked or changed. Damaged rows are
left out.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from fetchpool.model.csv_cells import meant
from fetchpool.model.errors import UsageError
from fetchpool.model.record import ROW_FIELDS
from fetchpool.model.text import escape_invisible, one_line
from fetchpool.sinks.added_columns import EXTRA
from fetchpool.sinks.lines import blocks

FORMATS = ("jsonl", "csv", "sqlite", "parquet")
BATCH = 500
"""Rows that are read from a database at once."""
LISTED = 1_000
"""Characters of column names in a message."""
FOREIGN = (ValueError, RecursionError)
"""What a line raises that is no row: no JSON, no UTF-8, or nested too deeply."""

Row = dict[str, Any]


def read_rows(path: str, format: str, fields: Collection[str]) -> Iterator[list[Row]]:
    """Return the rows of an output, some hundred at a time.

    A row has its `url`, which is text, and those of the fields that have a value. In CSV a value is text, and
    an added field may be JSON. Raises `UsageError` for a file that isn't a readable output in that format."""
    readers: dict[str, Callable[[str, frozenset[str]], Iterator[list[Row]]]] = {
        "jsonl": _jsonl_rows,
        "csv": _csv_rows,
        "sqlite": _sqlite_rows,
        "parquet": _parquet_rows,
    }
    wanted = frozenset((*fields, "url"))
    for rows in readers[format](path, wanted | {EXTRA}):
        yield [found for row in rows if (found := _row(row, wanted))["url"]]


def _row(row: Row, wanted: frozenset[str]) -> Row:
    """The fields of a row, with those in its `extra`. Other programs may have written to it: `extra` may be
    no object, and the URL no text."""
    extra: Any = row.get(EXTRA)
    found: Row = {}
    if extra and isinstance(extra, str | bytes):
        with suppress(*FOREIGN):
            decoded = json.loads(extra)
            if isinstance(decoded, dict):
                found = {name: value for name, value in decoded.items() if name in wanted}
    found.update((name, value) for name, value in row.items() if value is not None and name in wanted)
    url = found.get("url")
    found["url"] = url.strip() if isinstance(url, str) else ""
    return found


def _jsonl_rows(path: str, _: frozenset[str]) -> Iterator[list[Row]]:
    decoder = msgspec.json.Decoder(Row)
    found = False
    for block in _blocks(path):
        rows = []
        for line in block.split(b"\n"):
            with suppress(*FOREIGN):
                rows.append(decoder.decode(line))
        found = found or any("url" in row for row in rows)
        yield rows
    if not found and Path(path).stat().st_size:
        raise UsageError(f"{escape_invisible(path)}: has no row with the field 'url'")


def _csv_rows(path: str, wanted: frozenset[str]) -> Iterator[list[Row]]:
    from fetchpool.sinks.csv import parse_cells

    names: list[str] = []
    is_ours = False
    for block in _blocks(path):
        rows = parse_cells(block.decode(errors="replace"))
        if not names:
            names = rows.pop(0)
            if "url" not in names:
                has = one_line(", ".join(names), LISTED) if names else "nothing"
                raise UsageError(f"{escape_invisible(path)}: has no column 'url'; it has: {has}")
            is_ours = tuple(names[: len(ROW_FIELDS)]) == ROW_FIELDS
        if is_ours:
            rows = [
                [meant(cell) for cell in cells]
                for cells in rows
                if len(cells) > len(ROW_FIELDS) and cells[0].isdecimal()
            ]
        yield [
            {name: cell for name, cell in zip(names, cells, strict=False) if name in wanted and cell}
            for cells in rows
        ]


def _sqlite_rows(path: str, wanted: frozenset[str]) -> Iterator[list[Row]]:
    from fetchpool.sinks.sqlite import quoted

    name = escape_invisible(path)
    try:
        with closing(sqlite3.connect(f"{Path(path).resolve().as_uri()}?mode=ro", uri=True)) as database:
            columns = [
                column
                for (column,) in database.execute("SELECT name FROM pragma_table_info('fetches')")
                if column in wanted
            ]
            selected = ", ".join(map(quoted, columns)) or "url"
            cursor = database.execute(f"SELECT {selected} FROM fetches ORDER BY rowid")
            while rows := cursor.fetchmany(BATCH):
                yield [dict(zip(columns, row, strict=True)) for row in rows]
    except sqlite3.Error as failure:
        raise UsageError(
            f"{name}: is no SQLite output of fetchpool that can be read ({failure})"
        ) from failure


def _parquet_rows(path: str, wanted: frozenset[str]) -> Iterator[list[Row]]:
    from fetchpool.sinks.open import import_parquet

    import_parquet(path)
    from fetchpool.sinks.parquet_parts import FAILURES, PartFiles, rows_of

    files = [Path(path)]
    if Path(path).is_dir():
        parts = PartFiles(Path(path))
        files = [parts.path(number) for number in parts.numbers()]
    try:
        for file in files:
            yield from rows_of(file, wanted)
    except FAILURES as failure:
        why = " ".join(str(failure).split())[:200]
        raise UsageError(
            f"{escape_invisible(path)}: is no Parquet output of fetchpool that can be read ({why})"
        ) from failure


def _blocks(path: str) -> Iterator[bytes]:
    """The complete lines of a file, in blocks."""
    name = escape_invisible(path)
    try:
        with Path(path).open("rb") as file:
            yield from blocks(partial(_read, file), 0, Path(path).stat().st_size)
    except FileNotFoundError as failure:
        raise UsageError(f"{name}: no such file; check its name") from failure
    except OSError as failure:
        raise UsageError(f"{name}: can't be read: {failure.strerror}") from failure


def _read(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)
