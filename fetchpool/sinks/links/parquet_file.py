"""Reads and writes a Parquet file of links (extra `parquet`)."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import parquet

from fetchpool.model.errors import UsageError
from fetchpool.model.link import LINK_COLUMNS, Link
from fetchpool.model.text import escape_invisible

OURS = b"fetchpool.links"
SCHEMA = pa.schema(
    [
        pa.field(name, pa.bool_() if name in ("nofollow", "followed") else pa.string())
        for name in LINK_COLUMNS
    ],
    metadata={OURS: b"1"},
)
ROWS = 100_000
"""Rows of a row group."""
BATCH = 1_000
ERRORS = (OSError, pa.ArrowException, ValueError)


def read(path: str) -> Iterator[list[Link]]:
    """Yield the links of a file. Raises `UsageError` if it can't be read or has no links."""
    name = escape_invisible(path)
    try:
        with parquet.ParquetFile(path) as file:
            if tuple(file.schema_arrow.names) != LINK_COLUMNS:
                raise UsageError(f"{name}: has no links; name an output of --links")
            for batch in file.iter_batches(BATCH):
                yield [Link(*row) for row in zip(*(column.to_pylist() for column in batch), strict=True)]
    except ERRORS as failure:
        why = " ".join(str(failure).split())[:200]
        raise UsageError(f"{name}: is not a readable Parquet output of links ({why})") from failure


def write(place: Path, batches: Iterable[Sequence[Link]]) -> None:
    """Write a file of links, atomically. Raises one of `ERRORS`."""
    writing = place.with_name(f".{place.name}.writing")
    try:
        with parquet.ParquetWriter(writing, SCHEMA, compression="zstd") as writer:
            waiting: list[Link] = []
            for batch in batches:
                waiting += batch
                if len(waiting) >= ROWS:
                    writer.write_table(_table(waiting))
                    waiting = []
            writer.write_table(_table(waiting))
        descriptor = os.open(writing, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        writing.replace(place)
    except BaseException:
        with suppress(OSError):
            writing.unlink()
        raise


def _table(links: Sequence[Link]) -> pa.Table:
    names = Link.__struct_fields__
    columns = [
        pa.array([getattr(link, name) for link in links], field.type)
        for name, field in zip(names, SCHEMA, strict=True)
    ]
    return pa.table(columns, SCHEMA)
