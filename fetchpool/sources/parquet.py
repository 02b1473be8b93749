"""Reads Parquet files in which one column holds the URL (extra `parquet`, which is pyarrow).

In: a path. Out: batches of rows, as `table_rows.py` defines them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pyarrow import parquet  # type: ignore[import-untyped]  # it ships no types

from fetchpool.sources.lines import MAX_LINE
from fetchpool.sources.table_rows import (
    FIELD,
    RowBatch,
    TableFormatError,
    TableOptions,
    as_fields,
    place_of,
    to_json_value,
)

ROWS = 500
"""Maximum number of rows that are read at once."""
ROWS_BYTES = 8 << 20
"""Maximum size of these rows in bytes, estimated from the file's metadata."""


def header(path: str, table: TableOptions) -> list[str]:
    """Return the names of the columns that rows will have. Raises `TableFormatError`."""
    try:
        names = parquet.read_schema(path).names
    except Exception as failure:  # pyarrow raises anything for a damaged file
        raise TableFormatError(f"not a readable Parquet file ({_why(failure)})") from failure
    at = place_of(names, table)
    return [name for place, name in enumerate(as_fields(names, table)) if place != at]


def read(path: str, table: TableOptions) -> Iterator[RowBatch]:
    """Yield the rows. Raises `TableFormatError`."""
    try:
        with parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            place, fields = place_of(names, table), as_fields(names, table)
            total, size, done = file.metadata.num_rows, Path(path).stat().st_size, 0
            for batch in file.iter_batches(
                _batch_size(file.metadata), columns=None if table.keep else [names[place]]
            ):
                done += batch.num_rows
                weight = batch.nbytes
                at = batch.schema.names.index(names[place])
                urls = [_url(value) for value in batch.column(at).to_pylist()]
                columns = None
                if table.keep:
                    kept = [each for each in range(len(fields)) if each != place]
                    values = zip(*(map(_value, batch.column(each).to_pylist()) for each in kept), strict=True)
                    columns = [dict(zip([fields[each] for each in kept], row, strict=True)) for row in values]
                    columns = columns or [{} for _ in urls]
                each = weight // max(1, len(urls)) + FIELD * len(fields)
                reached = size * done // max(1, total)
                yield RowBatch(
                    urls,
                    columns,
                    reached,
                    each * len(urls),
                    [each] * len(urls) if table.keep else [],
                    numbers=list(range(done - len(urls) + 1, done + 1)),
                )
    except TableFormatError:
        raise
    except Exception as failure:  # as above
        raise TableFormatError(f"not a readable Parquet file ({_why(failure)})") from failure


def _batch_size(metadata: Any) -> int:
    size: int = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(ROWS, ROWS_BYTES * rows // max(1, size)))


def _url(value: Any) -> str:
    return value.strip()[:MAX_LINE] if isinstance(value, str) else "" if value is None else str(value)


def _value(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else to_json_value(value)


def _why(failure: Exception) -> str:
    return " ".join(str(failure).split())[:200]
