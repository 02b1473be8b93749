"""A folder of Parquet files, as Spark, DuckDB and pandas read it: `part-000000.parquet` and so on.

In: rows, as records or as the lines that they wait in; parts to read back. Out: whole part files, each
made under a hidden name and renamed. The only module of sinks that imports pyarrow.

The columns are the row's fields, in their documented order; those of added fields; and `extra`, the fields
that fit no column, as one JSON object, null when there are none. A part has all columns of the part before,
of the same types or of wider ones, and those of fields that appeared since; a compaction makes one part with
all of them.
Readers pass over names that begin with `_`, or, where they are asked for `*.parquet`, end otherwise:

    _making.unfinished       a file that is not complete
    _lock                    held by the run that writes
    _part-000007.jsonl       rows that wait to be part 7: gone when there is such a part
    _merged-000008.whole     all rows, compacted: complete, and the parts before it are to go
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
from pyarrow import parquet

from fetchpool.model.record import ROW_FIELDS, Record, StoredRow
from fetchpool.model.version import VERSION
from fetchpool.sinks.added_columns import EXTRA, AddedColumns, Type, join_all

ROWS = 20_000
"""Of a row group: what is in memory at once."""
READ_BACK = 5_000
READ_BACK_BYTES = 8 << 20
"""Rows that are read back at once, and bytes in them, about."""
COMPRESSION = "zstd"
OURS = b"fetchpool"
"""A key in the files' metadata: they are ours."""
MAKING = "_making.unfinished"
_PART = re.compile(r"part-(\d{6,})\.parquet")
_PENDING = re.compile(r"_part-(\d{6,})\.jsonl")
_MERGED = re.compile(r"_merged-(\d{6,})\.whole")
_TYPES = {int: pa.int64(), int | None: pa.int64(), float | None: pa.float64()}
_ADDED_TYPES: dict[Type, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "text": pa.string(),
}
FAILURES = (OSError, pa.ArrowException)
"""What pyarrow and the disk raise."""


class PartFiles:
    """The files of one folder. Nothing is locked here. Methods raise `FAILURES`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, number: int) -> Path:
        return self.folder / f"part-{number:06}.parquet"

    def pending(self, number: int) -> Path:
        return self.folder / f"_part-{number:06}.jsonl"

    def merged(self, number: int) -> Path:
        return self.folder / f"_merged-{number:06}.whole"

    def numbers(self) -> list[int]:
        """Of the parts there are, in order."""
        return self._numbered(_PART)

    def waiting(self) -> list[int]:
        """Of the parts that a run left unwritten."""
        return self._numbered(_PENDING)

    def finish_merge(self) -> None:
        """Completes what a compaction has begun to put in place."""
        for number in self._numbered(_MERGED):
            for part in self.numbers():
                if part <= number:
                    self.path(part).unlink()
            self.merged(number).rename(self.path(number))

    def foreign(self) -> str:
        """A file in the folder that is none of ours; empty when there is none."""
        for each in sorted(self.folder.iterdir()):
            if each.name.startswith("_"):
                continue
            if not _PART.fullmatch(each.name):
                return each.name
            try:
                if OURS not in (parquet.read_schema(each).metadata or {}):
                    return each.name
            except FAILURES:
                return each.name
        return ""

    def added_columns(self) -> dict[str, Type]:
        """The columns of added fields that the parts have."""
        return join_all([_added(parquet.read_schema(self.path(number))) for number in self.numbers()])

    def written(self) -> Iterator[list[StoredRow | None]]:
        """Their rows, in order."""
        for number in self.numbers():
            with parquet.ParquetFile(self.path(number)) as part:
                for batch in part.iter_batches(_rows_at_once(part.metadata), columns=["url", "error"]):
                    urls, errors = batch.column(0).to_pylist(), batch.column(1).to_pylist()
                    yield [StoredRow(url, error) for url, error in zip(urls, errors, strict=True)]

    def write(self, number: int, columns: AddedColumns, records: Iterator[list[Record]]) -> None:
        """Write a part, completely or not at all."""
        schema = schema_of(columns.types)
        with self._made(self.path(number), schema) as writer:
            for batch in records:
                writer.write_table(table(schema, columns, batch))

    def merge(self, number: int, stays: dict[int, list[bytes]]) -> None:
        """One part of all. `stays`: of each, by row group, a byte a row, 0 or 1."""
        schema = schema_of(self.added_columns())
        with self._made(self.merged(number), schema) as writer:
            for each, groups in stays.items():
                with parquet.ParquetFile(self.path(each)) as part:
                    for group, kept in enumerate(groups):
                        mask = pa.array(map(bool, kept), pa.bool_())
                        writer.write_table(_aligned(part.read_row_group(group).filter(mask), schema))
        self.finish_merge()

    def urls_backwards(self) -> Iterator[tuple[int, int, list[str]]]:
        """Part, row group and the URLs in it, the last ones first."""
        for number in reversed(self.numbers()):
            with parquet.ParquetFile(self.path(number)) as part:
                for group in reversed(range(part.num_row_groups)):
                    column = part.read_row_group(group, columns=["url"]).column(0)
                    yield number, group, column.to_pylist()

    def _numbered(self, names: re.Pattern[str]) -> list[int]:
        found = (names.fullmatch(each.name) for each in self.folder.iterdir())
        return sorted(int(name[1]) for name in found if name)

    @contextmanager
    def _made(self, path: Path, schema: pa.Schema) -> Iterator[parquet.ParquetWriter]:
        """A writer for a file that has its name when it is complete and the disk has it."""
        making = self.folder / MAKING
        try:
            with parquet.ParquetWriter(making, schema, compression=COMPRESSION) as writer:
                yield writer
            descriptor = os.open(making, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            making.rename(path)
        except BaseException:
            making.unlink(missing_ok=True)
            raise


def rows_of(path: Path, names: Collection[str]) -> Iterator[list[dict[str, Any]]]:
    """The rows of one file, with those of the columns that are there."""
    with parquet.ParquetFile(path) as part:
        columns = [name for name in part.schema_arrow.names if name in names]
        for batch in part.iter_batches(_rows_at_once(part.metadata), columns=columns):
            yield batch.to_pylist()


def _rows_at_once(metadata: Any) -> int:
    size: int = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(READ_BACK, READ_BACK_BYTES * rows // max(1, size)))


def schema_of(added: Mapping[str, Type]) -> pa.Schema:
    """The columns of a part with these added ones."""
    hints = get_type_hints(Record)
    fields = [pa.field(name, _TYPES.get(hints[name], pa.string())) for name in ROW_FIELDS]
    fields += [pa.field(name, _ADDED_TYPES[type]) for name, type in added.items()]
    return pa.schema([*fields, pa.field(EXTRA, pa.string())], metadata={OURS: VERSION.encode()})


def table(schema: pa.Schema, columns: AddedColumns, records: Sequence[Record]) -> pa.Table:
    """Rows as columns."""
    *row, extras = zip(*map(msgspec.structs.astuple, records), strict=True)
    added, rest = zip(*map(columns.values, extras), strict=True)
    cells: list[Sequence[Any]] = [*row, *zip(*added, strict=True), rest]
    return pa.table([pa.array(column, each.type) for column, each in zip(cells, schema, strict=True)], schema)


def _added(schema: pa.Schema) -> dict[str, Type]:
    types = {arrow: type for type, arrow in _ADDED_TYPES.items()}
    return {
        field.name: types.get(field.type, "text")
        for field in schema
        if field.name not in ROW_FIELDS and field.name != EXTRA
    }


def _aligned(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The rows with the columns of the schema: null where they lack one, of wider types where it has such."""
    columns = [
        rows[field.name].cast(field.type, safe=False)
        if field.name in rows.schema.names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema)
