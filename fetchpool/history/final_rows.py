"""Reads the final rows of outputs: the last row of each URL, over all outputs in order. In: paths and formats
of outputs. Out: batches of rows, up to the end of the outputs when reading began. Needs the memory of
`seen.py` for the URLs. An output may be compressed and can then only be read forwards, so it is read twice:
first to count the rows of each URL, then to take the last of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.config.outputs import Output
from fetchpool.history.seen import SeenSet
from fetchpool.model.errors import NO_FILE, UsageError
from fetchpool.model.fingerprint import from_record_url
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.read_back import typed_rows

LOW, HIGH = 0, 1
"""The marks of a URL: the number of its rows that are still to be read, in two bytes."""


class Url(Struct, gc=False):
    """The part of a row that identifies it; other types of rows have more fields."""

    url: str


R = TypeVar("R", bound=Url)


class FinalRows(Generic[R]):
    """The final rows of outputs, with the fields of a type."""

    def __init__(self, outputs: Sequence[Output], type: type[R], *, memory: int = DEFAULT_MEMORY) -> None:
        """Raises `UsageError` if an output is missing or not a file."""
        self._type = type
        self.superseded = 0
        """Number of rows of URLs that have a later row."""
        self.unreadable = 0
        """Number of lines that could not be read as rows."""
        self._outputs = outputs
        self._memory = memory
        for output in outputs:
            check_output(output)

    def batches(self) -> Iterator[list[R]]:
        """Yield the rows, a few hundred at a time. Raises `UsageError` for a file that is not an output, and
        `OutputError` if there is no space for a temporary file."""
        left = self._repeated()
        for output in self._outputs:
            found = unreadable = 0
            for batch in typed_rows(output.path, output.format, self._type):
                rows = [row for row in batch if row is not None]
                unreadable += len(batch) - len(rows)
                found += len(rows)
                if left is not None:
                    final = [row for row in rows if not row.url or _is_last(left, row.url)]
                    self.superseded += len(rows) - len(final)
                    rows = final
                yield rows
            if unreadable and not found:
                raise UsageError(
                    f"{escape_invisible(output.path)}: has no rows in the format {output.format}; "
                    "name its format with --format"
                )
            self.unreadable += unreadable

    def _repeated(self) -> SeenSet | None:
        """Return the number of rows of each URL; None if no URL has more than one."""
        if len(self._outputs) == 1 and self._outputs[0].format == "sqlite":
            return None  # a later row has replaced the earlier one already
        seen = SeenSet(2, memory=self._memory)
        repeated = False
        for output in self._outputs:
            for rows in typed_rows(output.path, output.format, Url):
                for row in rows:
                    if row is None or not row.url:
                        continue
                    fingerprint = from_record_url(row.url)
                    before = seen.set_mark(fingerprint, LOW, 1)
                    if any(before):
                        repeated = True
                        _set_count(seen, fingerprint, before, _count(before) + 1)
        return seen if repeated else None


def _is_last(left: SeenSet, url: str) -> bool:
    """Whether a row is its URL's last one; count it as read."""
    fingerprint = from_record_url(url)
    before = left.set_mark(fingerprint, LOW, 0)
    rows = _count(before)
    if rows > 1:
        _set_count(left, fingerprint, before, rows - 1)
    return rows == 1  # 0: a run has written it meanwhile


def _count(marks: bytes) -> int:
    return marks[LOW] | marks[HIGH] << 8


def _set_count(seen: SeenSet, fingerprint: bytes, before: bytes, count: int) -> None:
    count = min(count, 0xFFFF)
    seen.set_mark(fingerprint, LOW, count & 0xFF)
    if count >> 8 != before[HIGH]:
        seen.set_mark(fingerprint, HIGH, count >> 8)


def check_output(output: Output) -> None:
    """Raise `UsageError` if there is no such output."""
    name, place = escape_invisible(output.path), Path(output.path)
    try:
        if not place.exists():
            raise UsageError(f"{name}: {NO_FILE}")
        if place.is_dir() and output.format != "parquet":
            raise UsageError(f"{name}: is a directory; name an output of a run")
        if not place.is_dir() and not place.is_file():
            raise UsageError(f"{name}: not a regular file; write the rows to a file first")
    except ValueError as failure:  # a NUL in the path
        raise UsageError(f"{name}: {failure}") from failure
