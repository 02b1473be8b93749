"""Writes and reads the files of a Parquet output, a directory that Spark, DuckDB and pandas can read:
`part-000000.parquet` and so on.

In: records; parts to read back. Out: complete part files, each written under a hidden name and renamed. Only
this module of the sinks imports pyarrow.

The columns are the row's fields, in their documented order; those of added fields; and `extra`, the fields
that fit no column, as one JSON object, null when there are none. A part has all columns of the part before,
of the same types or of wider ones, and those of fields that appeared since; a compaction makes one part with
all of them. Other programs ignore names that begin with `_`, or that don't match `*.parquet`:

    _making.unfinished       a file that is not complete
    _lock                    locked by the run that writes
    _part-000007.jsonl       rows that wait to become part 7; removed when that part exists
    _merged-000008.complete  all rows, compacted: replaces the parts up to this number
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

from fetchpool.model.record import ROW_FIELDS, FieldType, Record
from fetchpool.model.version import VERSION
from fetchpool.sinks.added_columns import EXTRA, AddedColumns, join_all

ROWS = 20_000
"""Number of rows in a row group, which are all in memory at once."""
BATCH = 5_000
BATCH_BYTES = 8 << 20
"""Number and approximate size of the rows that are read at once."""
COMPRESSION = "zstd"
OURS = b"fetchpool"
"""The metadata key that marks files written by fetchpool."""
MAKING = "_making.unfinished"
_PART = re.compile(r"part-(\d{6,})\.parquet")
_PENDING = re.compile(r"_part-(\d{6,})\.jsonl")
_MERGED = re.compile(r"_merged-(\d{6,})\.complete")
_TYPES = {int: pa.int64(), int | None: pa.int64(), float | None: pa.float64()}
_ADDED_TYPES: dict[FieldType, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int64(),
    "real": pa.float64(),
    "text": pa.string(),
    "binary": pa.binary(),
    "texts": pa.list_(pa.string()),
    "headers": pa.map_(pa.string(), pa.list_(pa.string())),
    "redirects": pa.list_(pa.struct([("url", pa.string()), ("response_code", pa.int64())])),
}
IO_ERRORS = (OSError, pa.ArrowException)
"""The exceptions of pyarrow and the operating system."""


class PartFiles:
    """The files of one directory. Locks nothing. Methods raise `IO_ERRORS`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, number: int) -> Path:
        return self.directory / f"part-{number:06}.parquet"

    def pending(self, number: int) -> Path:
        return self.directory / f"_part-{number:06}.jsonl"

    def merged(self, number: int) -> Path:
        return self.directory / f"_merged-{number:06}.complete"

    def numbers(self) -> list[int]:
        """Return the numbers of all parts, in order."""
        return self._numbered(_PART)

    def waiting(self) -> list[int]:
        """Return the numbers of the parts whose pending rows a run has left."""
        return self._numbered(_PENDING)

    def finish_merge(self) -> None:
        """Replace the parts by the merged file, also if an earlier replacement was interrupted."""
        for number in self._numbered(_MERGED):
            for part in self.numbers():
                if part <= number:
                    self.path(part).unlink()
            self.merged(number).rename(self.path(number))

    @staticmethod
    def is_ours(path: Path) -> bool:
        """Whether a file was written by fetchpool."""
        try:
            return OURS in (parquet.read_schema(path).metadata or {})
        except IO_ERRORS:
            return False

    def unknown_file(self) -> str:
        """Return the name of a file in the directory that fetchpool did not write; empty if there is none."""
        for each in sorted(self.directory.iterdir()):
            if each.name.startswith("_"):
                continue
            if not _PART.fullmatch(each.name):
                return each.name
            if not self.is_ours(each):
                return each.name
        return ""

    def added_columns(self) -> dict[str, FieldType]:
        """Return the columns of added fields of all parts."""
        return join_all([_added(parquet.read_schema(self.path(number))) for number in self.numbers()])

    def rows(self, names: Collection[str]) -> Iterator[list[dict[str, Any]]]:
        """Yield the rows of all parts, in order, with those of the named columns that a part has."""
        for number in self.numbers():
            yield from file_rows(self.path(number), names)

    def columns(self) -> list[str]:
        """Return the names of the columns of the first part; none if there is no part."""
        numbers = self.numbers()
        return list(parquet.read_schema(self.path(numbers[0])).names) if numbers else []

    def write(
        self,
        number: int,
        columns: AddedColumns,
        records: Iterator[list[Record]],
        fields: Sequence[str] = (),
    ) -> None:
        """Write a part, completely or not at all. `fields`: the only columns, in this order."""
        schema = schema_of(columns.types)
        chosen = chosen_from(schema, fields) if fields else schema
        with self._atomic_writer(self.path(number), chosen) as writer:
            for batch in records:
                rows = table(schema, columns, batch)
                writer.write_table(_aligned(rows, chosen) if fields else rows)

    def merge(self, number: int, stays: dict[int, list[bytes]]) -> None:
        """Merge all parts into one. `stays`: a byte for each row, 0 or 1, by part and row group."""
        schema = schema_of(self.added_columns())
        if (names := self.columns())[: len(ROW_FIELDS)] != list(ROW_FIELDS):  # chosen with --fields
            schema = chosen_from(schema, names)
        with self._atomic_writer(self.merged(number), schema) as writer:
            for each, groups in stays.items():
                with parquet.ParquetFile(self.path(each)) as part:
                    for group, kept in enumerate(groups):
                        rows = part.read_row_group(group)
                        if 0 in kept:
                            rows = rows.filter(pa.array(map(bool, kept), pa.bool_()))
                        writer.write_table(_aligned(rows, schema))
        self.finish_merge()

    def join(self, number: int) -> None:
        """Merge all parts into one, with all rows."""
        stays: dict[int, list[bytes]] = {}
        for each in self.numbers():
            metadata = parquet.read_metadata(self.path(each))
            groups = range(metadata.num_row_groups)
            stays[each] = [b"\1" * metadata.row_group(group).num_rows for group in groups]
        self.merge(number, stays)

    def urls_backwards(self) -> Iterator[tuple[int, int, list[str]]]:
        """Yield each part's number, each row group and its URLs, the last row groups first."""
        for number in reversed(self.numbers()):
            with parquet.ParquetFile(self.path(number)) as part:
                for group in reversed(range(part.num_row_groups)):
                    column = part.read_row_group(group, columns=["url"]).column(0)
                    yield number, group, column.to_pylist()

    def _numbered(self, names: re.Pattern[str]) -> list[int]:
        found = (names.fullmatch(each.name) for each in self.directory.iterdir())
        return sorted(int(name[1]) for name in found if name)

    @contextmanager
    def _atomic_writer(self, path: Path, schema: pa.Schema) -> Iterator[parquet.ParquetWriter]:
        """Write a file under a hidden name, and rename it when it is complete and synced."""
        making = self.directory / MAKING
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


def file_rows(path: Path, names: Collection[str]) -> Iterator[list[dict[str, Any]]]:
    """Yield the rows of one file, with those of the named columns that it has."""
    with parquet.ParquetFile(path) as part:
        columns = [name for name in part.schema_arrow.names if name in names]
        for batch in part.iter_batches(_batch_size(part.metadata), columns=columns):
            yield batch.to_pylist()


def _batch_size(metadata: Any) -> int:
    size: int = sum(metadata.row_group(each).total_byte_size for each in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(BATCH, BATCH_BYTES * rows // max(1, size)))


def schema_of(added: Mapping[str, FieldType]) -> pa.Schema:
    """Return the schema of a part with these added columns."""
    hints = get_type_hints(Record)
    fields = [pa.field(name, _TYPES.get(hints[name], pa.string())) for name in ROW_FIELDS]
    fields += [pa.field(name, _ADDED_TYPES[type]) for name, type in added.items()]
    return pa.schema([*fields, pa.field(EXTRA, pa.string())], metadata={OURS: VERSION.encode()})


def chosen_from(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    """Return the named columns of a schema, in this order. A column that the schema lacks is text without
    values."""
    fields = [schema.field(name) if name in schema.names else pa.field(name, pa.string()) for name in names]
    return pa.schema(fields, metadata=schema.metadata)


def table(schema: pa.Schema, columns: AddedColumns, records: Sequence[Record]) -> pa.Table:
    """Return records as a table of columns."""
    *row, extras = zip(*map(msgspec.structs.astuple, records), strict=True)
    added, rest = zip(*map(columns.values, extras), strict=True)
    cells: list[Sequence[Any]] = [*row, *zip(*added, strict=True), rest]
    return pa.table([_array(column, each.type) for column, each in zip(cells, schema, strict=True)], schema)


def _array(values: Sequence[Any], type: pa.DataType) -> pa.Array:
    if pa.types.is_map(type):
        values = [None if value is None else list(value.items()) for value in values]
    return pa.array(values, type)


def _type_of_column(arrow: pa.DataType) -> FieldType:
    # The names of the fields within a list or map may be different in a file: the types are equal, but not
    # their hashes.
    return next((type for type, known in _ADDED_TYPES.items() if known == arrow), "text")


def _added(schema: pa.Schema) -> dict[str, FieldType]:
    return {
        field.name: _type_of_column(field.type)
        for field in schema
        if field.name not in ROW_FIELDS and field.name != EXTRA
    }


def _aligned(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return rows cast to the columns of the schema; missing columns are null."""
    columns = [
        rows[field.name].cast(field.type, safe=False)
        if field.name in rows.schema.names
        else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema)
