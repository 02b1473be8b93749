"""Reads tables in JSON Lines: one object per line.

In: lines. Out: batches of rows. The module opens nothing. A line that is not an object, or has no URL,
becomes a row with an error.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from fetchpool.model.text import escape_invisible, memory_size
from fetchpool.sources.lines import MAX_LINE
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import (
    BATCH_BYTES,
    FIELD,
    INVALID_JSON,
    Columns,
    RowBatch,
    RowCollector,
    TableOptions,
    as_fields,
    as_text,
    field_name,
    place_of,
    to_json_value,
)


def check_column(lines: LineIterator, table: TableOptions) -> None:
    """Check that at least one line of the first chunk has the column. Raises `TableFormatError`."""
    decode = msgspec.json.Decoder(dict[str, Any]).decode
    names: dict[str, None] = {}
    lines.first()
    while not lines.waits:
        with suppress(*INVALID_JSON):
            names.update(dict.fromkeys(decode(next(lines))))
        if table.column in names:
            return
    if names:
        place_of(list(names), table)


def read_objects(lines: LineIterator, table: TableOptions) -> Iterator[RowBatch]:
    found = RowCollector(table.keep)
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
                    columns = _columns(read, table)
                    weight = _weight(text)
                shown = url.strip() if isinstance(url, str) else as_text(url)
            except INVALID_JSON as failure:  # the text of a line that is not an object is not a URL, either
                deep = isinstance(failure, RecursionError)
                problem = "the line is " + ("nested too deeply" if deep else "not a JSON object")
                found.add(text[:MAX_LINE], {}, problem=problem)
            else:
                found.add(shown[:MAX_LINE], columns, weight, problem)
        if lines.waits or found.weight > BATCH_BYTES:
            yield found.rows(lines.offset)
            found = RowCollector(table.keep)
    yield found.rows(lines.offset)


def _weight(text: str) -> int:
    """Estimate an object's size in memory from its JSON: an empty `{}` takes a hundred bytes."""
    return memory_size(text) + FIELD * (text.count(",") + text.count("{") + text.count("["))


def _columns(found: dict[str, Any], table: TableOptions) -> Columns:
    """Return the other columns of a line."""
    columns = {field_name(name, table): to_json_value(value) for name, value in found.items()}
    if len(columns) < len(found):  # two names differ only in spaces
        columns = dict(zip(as_fields(list(found), table), map(to_json_value, found.values()), strict=True))
    return columns
