"""Inputs with columns: CSV, TSV and JSONL, one of whose columns holds the URL.

In: an input's bytes. Out: the URL of each row and, when they are wanted, its other columns, under names
that no field of the output row has. Nothing is opened here, and memory is bounded whatever the bytes
are. A row without a URL gets a request all the same, which ends as `invalid_url`: nothing vanishes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

import msgspec
from msgspec import Struct

from fetchpool.model.csv_cells import meant
from fetchpool.model.record import INT64, RESERVED_NAMES
from fetchpool.model.text import escape_invisible, one_line
from fetchpool.sources import table_header
from fetchpool.sources.decompress import Chunks
from fetchpool.sources.lines import KEPT
from fetchpool.sources.table_header import Heading, delimiter, may_be_url, parse_header

MAX_LINE = 16 << 20
"""Bytes of a line, or characters of a cell: more is no table but a mistake."""
MAX_ROW = 2 * MAX_LINE
"""Characters of a row of CSV, which may go over many lines."""
BATCH_BYTES = 1 << 20
"""Of the rows that are handed over together, about; a single one may have more."""
FIELD = 100
"""Bytes that a value takes beside its text, about."""
LISTED = 1_000
"""Characters of names that a refusal lists."""
PREFIX = "input_"
_PREFIXES = re.compile(f"^(?:{PREFIX})+")
FORMATS = {".csv": "csv", ".tsv": "tsv", ".tab": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
"""By the name of an input, without what says how it is compressed; otherwise the first line tells."""
DEPTH = 20
"""Levels of lists and mappings in one column, as in one field of a parser's."""
NO_OBJECT = (msgspec.MsgspecError, UnicodeError, RecursionError)
"""What a line raises that is no JSON object, or one that nobody could write again."""

csv.field_size_limit(MAX_LINE)  # the module's, for good: who sets it for a moment puts this back

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


def read(chunks: Chunks, format: str | None, table: TableOptions) -> Iterator[RowBatch]:
    """The rows, as soon as the chunks have them. Without a `format` the first line tells. Raises
    `TableFormatError`."""
    lines = LineIterator(chunks)
    if format is None:
        format = _format_of(lines.first())
    yield from _objects(lines, table) if format == "jsonl" else _cells(lines, format, table)


def header(chunks: Chunks, format: str | None, table: TableOptions) -> list[str]:
    """The names of the columns that rows will have, as far as they are known beforehand: not those of
    JSONL, of which some lines must have that of the URL. Raises `TableFormatError`."""
    lines = LineIterator(chunks)
    format = format or _format_of(lines.first())
    if format == "jsonl":
        _look_for_column(lines, table)
        return []
    first = _heading(_records(lines, format, table), table)
    if first is None:
        return []
    found, _ = first
    return [name for place, name in enumerate(as_fields(found.names, table)) if place != found.place]


def _look_for_column(lines: LineIterator, table: TableOptions) -> None:
    """In the first lines, as many as come at once: some may lack it, but all of them only for a mistake.
    Raises `TableFormatError`."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    names: dict[str, None] = {}
    lines.first()
    while not lines.waits:
        with suppress(*NO_OBJECT):
            names.update(dict.fromkeys(decode(next(lines))))
        if table.column in names:
            return
    if names:
        place_of(list(names), table)


def begins_one(line: str) -> bool:
    """Whether a first line is an object or may be a header, and is no URL."""
    if line.startswith("{"):
        return True
    cell = re.split(r"[,;\t]", line)[0]
    return line != "" and "://" not in cell and (cell != line or "." not in cell)


class LineIterator:
    """The lines of an input, each with its line end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._lines: list[str] = []
        self._next = 0
        self._before = 0
        """Lines of earlier chunks."""
        self._tail: list[bytes] = []
        """Of the line that has no end yet: joined when it has one, since it may come in many pieces."""
        self._size = 0
        """Bytes of it."""
        self._ended = False
        self.offset = 0
        self.taken = 0
        """Characters of all lines that were handed out."""
        self.over = False
        """Another line was asked for, and there was none."""

    @property
    def number(self) -> int:
        """Of the line that was handed out last, from 1; 0 before the first."""
        return self._before + self._next

    @property
    def last(self) -> str:
        """That line."""
        return self._lines[self._next - 1] if self._next else ""

    @property
    def waits(self) -> bool:
        """All that has come was handed out: for another line more must come."""
        return self._next >= len(self._lines)

    def first(self) -> str:
        """The first line, which is handed out all the same; empty when there is none."""
        while self.waits and self._more():
            pass
        return self._lines[0] if self._lines else ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while self.waits:
            if not self._more():
                self.over = True
                raise StopIteration
        line = self._lines[self._next]
        self._next += 1
        self.taken += len(line)
        return line

    def _more(self) -> bool:
        if self._ended:
            return False
        found = next(self._chunks, None)
        self._ended = found is None
        chunk, self.offset = found or (b"", self.offset)
        end = len(chunk) if self._ended else chunk.rfind(b"\n") + 1
        data = b""
        if end or self._ended:
            data = b"".join([*self._tail, chunk[:end]])
            self._tail, self._size = [], 0
        self._tail.append(chunk[end:])
        self._size += len(chunk) - end
        if self._size > MAX_LINE:
            raise TableFormatError(f"a line of more than {MAX_LINE >> 20} MiB; is it a table?")
        text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        self._before += len(self._lines)
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self._lines.pop() if text.endswith("\n") or not text else None
        self._next = 0
        return True


def _format_of(line: str) -> str:
    if line.lstrip().startswith("{"):
        return "jsonl"
    return "tsv" if "\t" in line and "," not in line else "csv"


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


def _cells(lines: LineIterator, format: str, table: TableOptions) -> Iterator[RowBatch]:
    rows = _records(lines, format, table)
    first = _heading(rows, table)
    if first is None:
        return
    head, cells = first
    place, names = head.place, as_fields(head.names, table)
    if head.is_row:
        rows = chain([cells], rows)
    if head.is_ours:
        rows = ([meant(cell) for cell in cells] for cells in rows)
    found = _Found(table.keep)
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
                found = _Found(table.keep)
    except TableFormatError as failure:
        broken = failure
    yield found.rows(lines.offset)
    if broken is not None:
        raise broken


def _objects(lines: LineIterator, table: TableOptions) -> Iterator[RowBatch]:
    found = _Found(table.keep)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in lines:
        text = line.strip()
        if text:
            try:
                read = decode(text)
                url, problem = read.pop(table.column, None), ""
                if url is None:
                    url, problem = "", f"the line has no {escape_invisible(table.column)!r}"
                columns, weight = {}, 0
                if table.keep:
                    columns = _kept(read, table)
                    weight = _weight(text)
                shown = url.strip() if isinstance(url, str) else as_text(url)
            except NO_OBJECT as failure:  # a line that is no object is no URL either
                deep = isinstance(failure, RecursionError)
                problem = "the line is " + ("nested too deeply" if deep else "not a JSON object")
                found.add(text[:KEPT], {}, problem=problem)
            else:
                found.add(shown[:KEPT], columns, weight, problem)
        if lines.waits or found.weight > BATCH_BYTES:
            yield found.rows(lines.offset)
            found = _Found(table.keep)
    yield found.rows(lines.offset)


def _weight(text: str) -> int:
    """Bytes that an object takes, about, by its JSON: `{}` is two characters there, and a hundred bytes."""
    return len(text) + FIELD * (text.count(",") + text.count("{") + text.count("["))


class _Found:
    """Rows as they are found, until they are handed over."""

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
        self.weight += len(url) + weight

    def rows(self, offset: int) -> RowBatch:
        """All of them."""
        columns = self._columns if self._keep else None
        return RowBatch(self._urls, columns, offset, self.weight, self._weights, self._problems)


def _kept(found: dict[str, Any], table: TableOptions) -> Columns:
    """What a line has beside its URL."""
    kept = {field_name(name, table): fit(value) for name, value in found.items()}
    if len(kept) < len(found):  # two names that differ in nothing but blanks
        kept = dict(zip(as_fields(list(found), table), map(fit, found.values()), strict=True))
    return kept


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
