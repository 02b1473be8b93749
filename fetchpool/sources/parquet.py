"""Parquet files as inputs, one of whose columns holds the URL (extra `parquet`, which is pyarrow).

In: a path. Out: rows as `tables.py` has them, some thousand at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import ArrowException, parquet  # type: ignore[import-untyped]  # it ships no types

from fetchpool.sources.lines import KEPT
from fetchpool.sources.tables import BadTableError, Rows, Table, as_fields, fit, place_of

ROWS = 2_000
"""That are read at once."""
FAILURES = (OSError, ArrowException)


def header(path: str, table: Table) -> list[str]:
    """The names of the columns that rows will have. Raises `BadTableError`."""
    try:
        names = parquet.read_schema(path).names
    except FAILURES as failure:
        raise BadTableError(f"is no Parquet that can be read ({_why(failure)})") from failure
    return [name for place, name in enumerate(as_fields(names, table)) if place != place_of(names, table)]


def read(path: str, table: Table) -> Iterator[Rows]:
    """The rows. Raises `BadTableError`."""
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            place, fields = place_of(names, table), as_fields(names, table)
            total, size, done = file.metadata.num_rows, Path(path).stat().st_size, 0
            for batch in file.iter_batches(ROWS, columns=None if table.keep else [table.column]):
                done += batch.num_rows
                at = batch.schema.names.index(table.column)
                urls = [_url(value) for value in batch.column(at).to_pylist()]
                columns = None
                if table.keep:
                    kept = [each for each in range(len(fields)) if each != place]
                    values = zip(*(map(_fit, batch.column(each).to_pylist()) for each in kept), strict=True)
                    columns = [dict(zip([fields[each] for each in kept], row, strict=True)) for row in values]
                    columns = columns or [{} for _ in urls]
                yield Rows(urls, columns, size * done // max(1, total))
    except FAILURES as failure:
        raise BadTableError(f"is no Parquet that can be read ({_why(failure)})") from failure


def _url(value: Any) -> str:
    return value.strip()[:KEPT] if isinstance(value, str) else "" if value is None else str(value)


def _fit(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else fit(value)


def _why(failure: Exception) -> str:
    return " ".join(str(failure).split())[:200]
