"""Tables in JSON Lines: one object a line.

In: lines. Out: batches of rows. Nothing is opened here. A line that is no object, or has no URL, is a row
all the same, which says why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import msgspec

from fetchpool.model.text import escape_invisible, memory_size
from fetchpool.sources.lines import KEPT
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import (
    BATCH_BYTES,
    FIELD,
    NO_OBJECT,
    Columns,
    RowBatch,
    RowCollector,
    TableOptions,
    as_fields,
    as_text,
    field_name,
    fit,
    place_of,
)


def look_for_column(lines: LineIterator, table: TableOptions) -> None:
    """Check that one of the first lines, as many as come at once, has the column: a few may lack it, not all.
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
            found = RowCollector(table.keep)
    yield found.rows(lines.offset)


def _weight(text: str) -> int:
    """Bytes that an object takes, about, by its JSON: `{}` is two characters there, and a hundred bytes."""
    return memory_size(text) + FIELD * (text.count(",") + text.count("{") + text.count("["))


def _kept(found: dict[str, Any], table: TableOptions) -> Columns:
    """What a line has beside its URL."""
    kept = {field_name(name, table): fit(value) for name, value in found.items()}
    if len(kept) < len(found):  # two names that differ in nothing but blanks
        kept = dict(zip(as_fields(list(found), table), map(fit, found.values()), strict=True))
    return kept
