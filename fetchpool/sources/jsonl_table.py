"""Reads tables in JSON Lines: one object per line.

In: lines. Out: batches of rows. The module opens nothing. A line that is not an object, or has no URL,
becomes a row with an error.

The column is a field of the object, or the path of a nested one: `page.url`, `links.0.href`. A field whose
name is the path itself takes precedence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from fetchpool.model.text import escape_invisible, memory_size
from fetchpool.sources.batch import Columns
from fetchpool.sources.lines import MAX_LINE
from fetchpool.sources.table_header import place_of_name
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import (
    BATCH_BYTES,
    FIELD,
    INVALID_JSON,
    RowBatch,
    RowCollector,
    TableOptions,
    as_fields,
    as_text,
    field_name,
    no_column,
    to_json_value,
)

MISSING = object()
"""Stands for a field that an object lacks."""


def check_column(lines: LineIterator, table: TableOptions) -> None:
    """Check that at least one line of the first chunk has the column. Raises `TableFormatError`."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    names: dict[str, None] = {}
    lines.first()
    while not lines.waits:
        with suppress(*INVALID_JSON):
            found = decode(next(lines))
            names.update(dict.fromkeys(paths(found)))
            if find(found, table.column) is not MISSING:
                return
    if names:
        raise no_column(list(names), table, is_header=False)


def first_names(lines: LineIterator) -> list[str]:
    """Return the names of the fields of the first line, and their paths; none if it is not an object."""
    lines.first()
    try:
        return list(paths(msgspec.json.decode(next(lines), type=dict[str, Any])))
    except (StopIteration, *INVALID_JSON):
        return []


def read_objects(lines: LineIterator, table: TableOptions) -> Iterator[RowBatch]:
    """Yield the rows of JSON Lines."""
    found = RowCollector(table.keep)
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    for line in lines:
        text = line.strip()
        if text:
            try:
                read = decode(text)
                url, problem = read.pop(table.column, MISSING), ""
                if url is MISSING:
                    url = find(read, table.column)
                if url is None or url is MISSING:
                    url, problem = "", f"the line has no {escape_invisible(table.column)!r}"
                columns, weight = {}, 0
                if table.keep:
                    columns = _columns(read, table)
                    weight = _weight(text)
                shown = url.strip() if isinstance(url, str) else as_text(url)
            except INVALID_JSON as failure:  # the text of a line that is not an object is not a URL, either
                deep = isinstance(failure, RecursionError)
                problem = "the line is " + ("nested too deeply" if deep else "not a JSON object")
                found.add(text[:MAX_LINE], {}, problem=problem, number=lines.number)
            else:
                found.add(shown[:MAX_LINE], columns, weight, problem, number=lines.number)
        if lines.waits or found.weight > BATCH_BYTES:
            yield found.rows(lines.offset)
            found = RowCollector(table.keep)
    yield found.rows(lines.offset)


def find(found: dict[str, Any], column: str) -> Any:
    """Return the value of a field, which is removed, or of a nested one; `MISSING` if there is none. A name
    that differs only by case is found if it is the only one."""
    place = place_of_name(names := list(found), column)
    if place >= 0:
        return found.pop(names[place])
    value: Any = found
    for name in column.split("."):
        if isinstance(value, dict):
            place = place_of_name(names := list(value), name)
            value = value[names[place]] if place >= 0 else MISSING
        elif isinstance(value, list) and name.isascii() and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            return MISSING
    return value


def paths(found: dict[str, Any]) -> Iterator[str]:
    """Yield the names of the fields of an object, and the paths of those one level below."""
    for name, value in found.items():
        yield name
        if isinstance(value, dict):
            yield from (f"{name}.{below}" for below in value)


def _weight(text: str) -> int:
    """Estimate an object's size in memory from its JSON: an empty `{}` takes a hundred bytes."""
    return memory_size(text) + FIELD * (text.count(",") + text.count("{") + text.count("["))


def _columns(found: dict[str, Any], table: TableOptions) -> Columns:
    """Return the other columns of a line."""
    columns = {field_name(name, table): to_json_value(value) for name, value in found.items()}
    if len(columns) < len(found):  # two names differ only in spaces
        columns = dict(zip(as_fields(list(found), table), map(to_json_value, found.values()), strict=True))
    return columns
