"""Holds the pending rows of a Parquet output, which will become its next part, in a file of JSON lines that
survives a crash. In: rows as lines of JSON. Out: a part made of them. The first line has the names of the
added fields that are known when the output is opened. One file at a time is written, `_part-000007.jsonl` for
part 7.
"""

from __future__ import annotations

import os
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from time import monotonic
from typing import Any, BinaryIO, TypeVar

import msgspec
from msgspec import Struct

from fetchpool.model.errors import UsageError
from fetchpool.model.record import FieldType, Record
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.added_columns import AddedColumns
from fetchpool.sinks.file_ops import FileOps, write_all
from fetchpool.sinks.lines import blocks
from fetchpool.sinks.parquet_parts import ROWS, PartFiles

T = TypeVar("T", bound="_AddedFields | Record")

PART_INTERVAL = 60.0
"""Seconds after which the pending rows become a part, so that a night's run makes a few hundred files, not a
million."""
MAX_WAITING = 50_000
MAX_WAITING_BYTES = 128 << 20
"""Number and total size of pending rows from which they become a part at once, which takes less than half a
second."""
GROUP_BYTES = 32 << 20
"""Approximate size of the lines of a row group in bytes."""


class _AddedFields(Struct):
    """The fields of a row that determine its columns."""

    extra: dict[str, Any] = {}


class PendingRows:
    """The pending rows. Methods raise `IO_ERRORS`."""

    def __init__(
        self,
        parts: PartFiles,
        extra_fields: tuple[str, ...],
        disk: FileOps,
        clock: Callable[[], float] = monotonic,
        types: Mapping[str, FieldType] | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        """`types`: types of added fields that don't depend on their values; `fields`: the only columns."""
        self._fields = fields
        self._types = dict(types or {})
        self._parts = parts
        self._extra_fields = extra_fields
        self._disk = disk
        self._clock = clock
        self._columns = AddedColumns()
        self._encoder = msgspec.json.Encoder()
        self._descriptor = -1
        self._rows = self._bytes = 0
        self._next_part = 0.0
        self.number = 0
        """The number of the next part."""

    def recover(self) -> None:
        """Make parts of the pending rows that interrupted runs have left, unless the part exists already."""
        self._columns = AddedColumns(self._parts.added_columns())
        existing = self._parts.numbers()
        for number in self._parts.waiting():
            if number not in existing:
                self._convert(number)
            self._parts.pending(number).unlink(missing_ok=True)
        self.number = max(self._parts.numbers(), default=-1) + 1
        self._next_part = self._clock() + PART_INTERVAL

    def append(self, lines: bytes, rows: int) -> None:
        """Add rows to the file."""
        self._rows += rows
        self._bytes += len(lines)
        if self._descriptor < 0:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | getattr(os, "O_BINARY", 0)
            self._descriptor = os.open(self._parts.pending(self.number), flags, 0o666)
            first: list[object] = [*self._extra_fields]
            first += [self._types] if self._types else []
            first += [self._fields] if self._fields else []
            write_all(self._descriptor, self._encoder.encode(first) + b"\n", self._disk)
        write_all(self._descriptor, lines, self._disk)

    @property
    def are_due(self) -> bool:
        """Whether it is time to make a part of the rows."""
        if self._rows >= MAX_WAITING or self._bytes >= MAX_WAITING_BYTES:
            return True
        return self._rows > 0 and self._clock() >= self._next_part

    def make_part(self) -> None:
        """Make a part of all rows, if there are any."""
        if not self._rows:
            return
        self._convert(self.number)
        os.close(self._descriptor)
        self._descriptor = -1
        self._parts.pending(self.number).unlink()
        self.number += 1
        self._rows = self._bytes = 0
        self._next_part = self._clock() + PART_INTERVAL

    def close(self) -> None:
        """Close the file without deleting it. Idempotent."""
        if self._descriptor >= 0:
            descriptor, self._descriptor = self._descriptor, -1
            os.close(descriptor)

    def _convert(self, number: int) -> None:
        """Make a part of a file's lines, if there are any. A truncated last line is left out.

        The lines are read twice: a part needs its columns, and their types, before its rows."""
        with self._parts.pending(number).open("rb") as waiting:
            fields = waiting.readline()
            if not fields.endswith(b"\n"):
                return
            names, types, chosen = self._first_line(number, fields)
            self._columns.add_types(types)
            binary = [name for name, type in types.items() if type == "binary"]
            for added in _batches(waiting, len(fields), _AddedFields, binary):
                self._columns.add(names, [row.extra for row in added if row.extra], widen=True)
            records = _batches(waiting, len(fields), Record, binary)
            if (first := next(records, None)) is not None:
                self._parts.write(number, self._columns, chain([first], records), chosen)

    def _first_line(self, number: int, line: bytes) -> tuple[list[str], dict[str, FieldType], list[str]]:
        """Return the content of a file's first line: the names of added fields, the types of some of them,
        and the only columns of the part (empty for all columns)."""
        try:
            found = msgspec.json.decode(line, type=list[str | dict[str, FieldType] | list[str]])
            names = [each for each in found if isinstance(each, str)]
            types = next((each for each in found if isinstance(each, dict)), {})
            return names, types, next((each for each in found if isinstance(each, list)), [])
        except (ValueError, RecursionError) as failure:
            path = escape_invisible(str(self._parts.pending(number)))
            raise UsageError(f"{path}: not waiting rows of fetchpool; move the file elsewhere") from failure


def _batches(waiting: BinaryIO, start: int, type: type[T], binary: Sequence[str]) -> Iterator[list[T]]:
    """Yield the rows of a file, a row group at a time. The `binary` fields are in base64."""
    decoder = msgspec.json.Decoder(type)
    size = waiting.seek(0, os.SEEK_END)
    batch: list[T] = []
    weight = 0
    for block in blocks(partial(_read, waiting), start, size):
        rows = _decoded(decoder, block)
        if binary:
            _decode_binary(rows, binary)
        batch += rows
        weight += len(block)
        if len(batch) >= ROWS or weight >= GROUP_BYTES:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch


def _decode_binary(rows: Sequence[Any], names: Sequence[str]) -> None:
    for row in rows:
        for name in names:
            if isinstance(value := row.extra.get(name), str):
                with suppress(ValueError):
                    row.extra[name] = b64decode(value, validate=True)


def _read(waiting: BinaryIO, offset: int, size: int) -> bytes:
    waiting.seek(offset)
    return waiting.read(size)


def _decoded(decoder: msgspec.json.Decoder[T], lines: bytes) -> list[T]:
    """Return the rows of complete lines. Lines that a power failure damaged are left out."""
    with suppress(ValueError, RecursionError):
        return decoder.decode_lines(lines)
    found = []
    for line in lines.splitlines():
        with suppress(ValueError, RecursionError):
            found.append(decoder.decode(line))
    return found
