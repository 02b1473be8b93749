"""Collects rows into batches, and adapts the names and values of columns, for the readers of all kinds of
tables. In: names and values of an input's columns. Out: names that clash with no field of the output row, and
values that every output can hold. Pure.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from fetchpool.model.closest import closest
from fetchpool.model.record import INT64, RESERVED_NAMES
from fetchpool.model.text import escape_invisible, memory_size, one_line
from fetchpool.sources import table_header
from fetchpool.sources.batch import Columns
from fetchpool.sources.table_header import may_be_url

BATCH_BYTES = 1 << 20
"""Approximate maximum size of a batch of rows in bytes; a single row may be larger."""
FIELD = 100
"""Approximate number of bytes that a value takes in addition to its text."""
MAX_LISTED = 1_000
"""Maximum number of characters of column names in an error message."""
PREFIX = "input_"
BREAKS = frozenset(("\n", "\r", "\t"))
"""Characters that a cell may contain, and that outputs with one row per line escape."""
_BREAKS = re.compile(r"([\n\r\t])")
_PREFIXES = re.compile(f"^(?:{PREFIX})+")
DEPTH = 20
"""Maximum nesting of lists and mappings in one column, as in one field of a parser."""
INVALID_JSON = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""Exceptions raised for a line that is not a JSON object, or that can't be encoded again."""


class TableOptions(Struct, frozen=True):
    """The options for an input with columns."""

    column: str
    """The name or number of the column with the URL."""
    keep: bool = False
    """Whether the other columns are copied to the row."""
    taken: frozenset[str] | None = frozenset()
    """Names of parsers' fields; None: a parser may use any name."""
    delimiter: str = ""
    """The delimiter of CSV and TSV; empty to detect it from the first line."""
    guess_encoding: bool = True
    """Whether lines that are not UTF-8 are read in the fallback encoding."""


class RowBatch(Struct, frozen=True):
    """Some rows, in order."""

    urls: list[str]
    columns: list[Columns] | None
    offset: int
    """The offset in the input at which the rows end."""
    weight: int = 0
    """The approximate size of the rows in memory, in bytes."""
    weights: list[int] = []
    """The size of each row's columns."""
    problems: dict[int, str] = {}
    """By index in `urls`, why there is no URL."""
    numbers: list[int] = []
    """The line, row or element number of each row, from 1."""
    guessed: int = 0
    """The number of the first line that was read in the fallback encoding, in the first batch after it."""


class TableFormatError(Exception):
    """The input is not a table in that format. `str()` is one clean line, with the fix in it."""


class RowCollector:
    """Collects rows into a batch."""

    __slots__ = ("_columns", "_keep", "_numbers", "_problems", "_urls", "_weights", "weight")

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._urls: list[str] = []
        self._columns: list[Columns] = []
        self._weights: list[int] = []
        self._problems: dict[int, str] = {}
        self._numbers: list[int] = []
        self.weight = 0
        """The approximate size of the rows in memory, in bytes."""

    def add(
        self, url: str, columns: Columns | None = None, weight: int = 0, problem: str = "", *, number: int
    ) -> None:
        """Add a row. `weight`: the size of its columns. `problem`: why there is no URL. `number`: the number
        of its first line."""
        if problem:
            self._problems[len(self._urls)] = problem
        self._urls.append(url)
        self._numbers.append(number)
        if self._keep:
            self._columns.append(columns or {})
            self._weights.append(weight)
        self.weight += memory_size(url) + weight

    def rows(self, offset: int) -> RowBatch:
        """Return all rows."""
        columns = self._columns if self._keep else None
        return RowBatch(
            self._urls, columns, offset, self.weight, self._weights, self._problems, self._numbers
        )


def no_column(names: list[str], table: TableOptions, *, is_header: bool = True) -> TableFormatError:
    """Return the error for a missing column. `is_header`: the names come from a table's first row."""
    fix = ""
    named = {name.strip().casefold(): name for name in names}
    if similar := closest(table.column.casefold(), named):
        fix = f"; did you mean {escape_invisible(named[similar])!r}?"
    elif is_header and not table.column.isdecimal():
        fix = by_number(names)
    return TableFormatError(
        f"has no column {escape_invisible(table.column)!r} (--url-column); it has: {listed_names(names)}{fix}"
    )


def listed_names(names: list[str]) -> str:
    """Return the names of columns for an error message."""
    return one_line(", ".join(names), MAX_LISTED) if names else "nothing"


def by_number(names: list[str]) -> str:
    """Return the hint that an error message adds to the names in a first row that may not be a header."""
    if not any(map(may_be_url, names)):
        return ""
    return "; if that is not a header: --url-column 2 is the second column"


def place_of(names: list[str], table: TableOptions) -> int:
    """Return the index of the URL's column among the names of a header. Raises `TableFormatError`."""
    place = table_header.place_of(names, table.column)
    if place < 0:
        raise no_column(names, table)
    return place


def as_fields(names: list[str], table: TableOptions) -> list[str]:
    """Return the names of the columns as fields of a row: none is empty, and none occurs twice."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    """The highest number used for each name; the search for a free name continues there."""
    fields: list[str] = []
    for place, name in enumerate(names, 1):
        free = first = field_name(name, table) or f"column_{place}"
        while free in used:
            numbers[first] = number = numbers.get(first, 1) + 1
            free = f"{first}_{number}"
        used.add(free)
        fields.append(free)
    return fields


def field_name(name: str, table: TableOptions) -> str:
    """Return the name of a column as a field of a row, the same in all rows. A name that begins with `input_`
    gets another `input_` if the rest would get one, so that no two columns end up with the same name."""
    shown = escape_invisible(name.strip())
    own = _PREFIXES.sub("", shown) if shown.startswith(PREFIX) else shown
    return PREFIX + shown if table.taken is None or own in RESERVED_NAMES or own in table.taken else shown


def to_json_value(value: Any, depth: int = 0) -> Any:
    """Return a value of an input in a form that every output can hold: without control characters, and as
    text if JSON has no such type or if its nesting is too deep for readers of the outputs."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return escape_cell_text(value)
    if isinstance(value, int):
        return value if value in INT64 else as_text(value)
    if isinstance(value, list | dict) and depth >= DEPTH:
        return as_text(value)
    if isinstance(value, list):
        return [to_json_value(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {escape_invisible(str(name)): to_json_value(each, depth + 1) for name, each in value.items()}
    return escape_cell_text(
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    )


def escape_cell_text(text: str) -> str:
    """Return the text of a cell with its invisible characters escaped, apart from line breaks and tabs."""
    if text.isprintable():
        return text
    return "".join([piece if piece in BREAKS else escape_invisible(piece) for piece in _BREAKS.split(text)])


def as_text(value: Any) -> str:
    """Return a value as JSON text. Raises one of `INVALID_JSON` when JSON can't hold it."""
    return escape_invisible(msgspec.json.encode(value).decode())
