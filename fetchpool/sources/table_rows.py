"""Batches of rows, and names and values of columns: what the readers of all kinds of tables share.

In: names and values of an input's columns. Out: the same under names that no field of the output row has, as
every output can hold them. Pure.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from msgspec import Struct

from fetchpool.model.record import INT64, RESERVED_NAMES
from fetchpool.model.text import escape_invisible, memory_size, one_line
from fetchpool.sources import table_header
from fetchpool.sources.table_header import may_be_url

BATCH_BYTES = 1 << 20
"""Of the rows that are handed over together, about; a single one may have more."""
FIELD = 100
"""Bytes that a value takes beside its text, about."""
LISTED = 1_000
"""Characters of names that a refusal lists."""
PREFIX = "input_"
_PREFIXES = re.compile(f"^(?:{PREFIX})+")
DEPTH = 20
"""Levels of lists and mappings in one column, as in one field of a parser's."""
NO_OBJECT = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a line raises that is no JSON object, or one that nobody could write again."""

Columns = dict[str, Any]


class TableOptions(Struct, frozen=True):
    """What is wanted of an input that has columns."""

    column: str
    """The one with the URL."""
    keep: bool = False
    """The others are passed through to the row."""
    taken: frozenset[str] | None = frozenset()
    """Names that parsers give to fields of the row; None: a parser may give any."""


class RowBatch(Struct, frozen=True):
    """Some rows, in order."""

    urls: list[str]
    columns: list[Columns] | None
    offset: int
    """How many bytes of the input they reach to."""
    weight: int = 0
    """Bytes that they hold, about."""
    weights: list[int] = []
    """Bytes that the columns of each hold, about."""
    problems: dict[int, str] = {}
    """By the place in `urls`, why there is none."""


class TableFormatError(Exception):
    """It is no such table. `str()` is one clean line, with the fix in it."""


class RowCollector:
    """Rows as they are read, until they are handed over."""

    __slots__ = ("_columns", "_keep", "_problems", "_urls", "_weights", "weight")

    def __init__(self, keep: bool) -> None:
        self._keep = keep
        self._urls: list[str] = []
        self._columns: list[Columns] = []
        self._weights: list[int] = []
        self._problems: dict[int, str] = {}
        self.weight = 0
        """Bytes that they hold, about."""

    def add(self, url: str, columns: Columns | None = None, weight: int = 0, problem: str = "") -> None:
        """`weight`: of the columns. `problem`: why there is no URL."""
        if problem:
            self._problems[len(self._urls)] = problem
        self._urls.append(url)
        if self._keep:
            self._columns.append(columns or {})
            self._weights.append(weight)
        self.weight += memory_size(url) + weight

    def rows(self, offset: int) -> RowBatch:
        """All of them."""
        columns = self._columns if self._keep else None
        return RowBatch(self._urls, columns, offset, self.weight, self._weights, self._problems)


def no_column(names: list[str], table: TableOptions) -> TableFormatError:
    """What to say when there is no such column."""
    has = one_line(", ".join(names), LISTED) if names else "nothing"
    fix = ""
    if any(map(may_be_url, names)) and not table.column.isdecimal():
        fix = "; if that is no header: --url-column 2 is the second column"
    return TableFormatError(
        f"has no column {escape_invisible(table.column)!r} (--url-column); it has: {has}{fix}"
    )


def place_of(names: list[str], table: TableOptions) -> int:
    """Where the column is, among names that are known to be some. Raises `TableFormatError`."""
    if table.column in names:
        return names.index(table.column)
    place = table_header.place_of(names, table.column)
    if place < 0:
        raise no_column(names, table)
    return place


def as_fields(names: list[str], table: TableOptions) -> list[str]:
    """The columns' names, as a row can have them: none empty, none twice."""
    used: set[str] = set()
    numbers: dict[str, int] = {}
    """The highest that a name was given, which is where the search for a free one goes on."""
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
    """A column's name, as a row can have it: the same in every row of a run, whatever became of its URL. One
    that begins with `input_` gets another where what is behind would get one: no two come to one name."""
    shown = escape_invisible(name.strip())
    own = _PREFIXES.sub("", shown) if shown.startswith(PREFIX) else shown
    return PREFIX + shown if table.taken is None or own in RESERVED_NAMES or own in table.taken else shown


def fit(value: Any, depth: int = 0) -> Any:
    """A value of an input, as every output can hold it: clean, and text where JSON has nothing for it, or
    where it has more levels than what reads the outputs can take."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, str):
        return escape_invisible(value)
    if isinstance(value, int):
        return value if value in INT64 else as_text(value)
    if isinstance(value, list | dict) and depth >= DEPTH:
        return as_text(value)
    if isinstance(value, list):
        return [fit(each, depth + 1) for each in value]
    if isinstance(value, dict):
        return {escape_invisible(str(name)): fit(each, depth + 1) for name, each in value.items()}
    return escape_invisible(
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
    )


def as_text(value: Any) -> str:
    """What JSON holds, as it writes it. Raises one of `NO_OBJECT` when it can't."""
    return escape_invisible(msgspec.json.encode(value).decode())
