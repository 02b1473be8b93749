"""Writes links as lines of JSON or CSV, through the same file sink as rows.

In: links, or the ids of pages. Out: a file that ends in a complete line after every `flush()`; on resuming,
without the links of pages that will be fetched again.

The links of a page are written before its row. If the process is killed between the two, the page has links
but no row: it is fetched again, and its links are written again. So the links of such pages are removed
first.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from fetchpool.model.csv_cells import DELIMITERS, escape_cell
from fetchpool.model.link import LINK_COLUMNS, Link, PageIds
from fetchpool.sinks.file import FileSink
from fetchpool.sinks.file_ops import write_all
from fetchpool.sinks.links.base import IsDone
from fetchpool.sinks.open import open_compression

T = TypeVar("T", Link, PageIds)


class LineFormat(Protocol):
    """Formats links; a `RowFormat` for a `FileSink`."""

    name: str
    header: bytes

    def encode(self, records: Sequence[Any]) -> bytes:
        """Return one line for each, with its line end."""

    def check_header(self, start: bytes) -> str:
        """Return why a file with this first line is not such an output; empty if it is one."""

    def parse_header(self, start: bytes) -> bytes | None:
        """Return the header of a file with this first line; None if the file is not such an output."""


class JsonLines:
    """One JSON object per line."""

    name = "jsonl"
    header = b""

    def __init__(self, first: str = "from", what: str = "JSONL output of links") -> None:
        """`first`: the name of the first field. `what`: what messages call the file."""
        self._begin = f'{{"{first}":'.encode()
        self._what = what
        self._encoder = msgspec.json.Encoder()

    def encode(self, records: Sequence[Any]) -> bytes:
        return self._encoder.encode_lines(records)

    def check_header(self, start: bytes) -> str:
        if start.startswith(self._begin) or (not start.endswith(b"\n") and self._begin.startswith(start)):
            return ""
        return f"is not a {self._what}"

    def parse_header(self, start: bytes) -> bytes | None:
        return None if start and self.check_header(start) else b""


class CsvLines:
    """CSV or TSV, with a header. An empty cell is null; true and false are as in JSON."""

    def __init__(self, format: str) -> None:
        self.name = format
        self._lines = io.StringIO()
        self._writer = csv.writer(self._lines, delimiter=DELIMITERS[format], lineterminator="\n")
        self._writer.writerow(LINK_COLUMNS)
        self.header = self._written()

    def encode(self, records: Sequence[Link]) -> bytes:
        self._writer.writerows([_cells(link) for link in records])
        return self._written()

    def check_header(self, start: bytes) -> str:
        if start == self.header or (not start.endswith(b"\n") and self.header.startswith(start)):
            return ""
        return f"is not a {self.name.upper()} output of links"

    def parse_header(self, start: bytes) -> bytes | None:
        return None if start and self.check_header(start) else self.header

    def _written(self) -> bytes:
        lines = self._lines.getvalue()
        self._lines.seek(0)
        self._lines.truncate()
        return lines.encode("utf-8", "surrogatepass")


def _cells(link: Link) -> list[str]:
    texts = (link.from_, link.to, link.tag, link.attribute)
    # An empty fragment differs from a missing one.
    fragment = "" if link.fragment is None else f"#{link.fragment}"
    flags = ("true" if each else "false" for each in (link.nofollow, link.followed))
    return [*map(escape_cell, texts), escape_cell(fragment), *flags, link.reason or ""]


class LineSink(Generic[T]):
    """A `LinkSink` for a file of lines, compressed or not. Also holds the ids of pages."""

    def __init__(self, path: str, format: LineFormat) -> None:
        """Open the file, create it if it is missing, and repair its end. Raises as `FileSink` does."""
        self._format = format
        self._file = FileSink(path, format, compression=open_compression(path))
        self.name = self._file.name

    def write(self, links: Sequence[T]) -> None:
        self._file.append_lines(self._format.encode(links))

    def flush(self) -> None:
        self._file.flush()

    def sync(self) -> None:
        self._file.flush()
        self._file.sync()

    def close(self) -> None:
        self._file.close()


def keep_lines(
    path: str,
    format: LineFormat,
    batches: Callable[[], Iterator[list[T]]],
    url_of: Callable[[T], str],
    is_done: IsDone,
) -> None:
    """Remove from a file all lines of pages without a row. `batches`: reads the file from its start. A file
    without such lines is not written; otherwise it is replaced atomically. Raises `OSError`."""
    if not any(not is_done(page) for page in _pages(batches(), url_of)):
        return
    place = Path(path).resolve()
    kept = ([each for each in batch if is_done(url_of(each))] for batch in batches())
    replace_lines(place, format, kept)


def replace_lines(place: Path, format: LineFormat, batches: Iterable[Sequence[Any]]) -> None:
    """Write a new file in place of one, atomically. Raises `OSError`."""
    compression = open_compression(str(place))
    writing = place.with_name(f".{place.name}.writing")
    descriptor = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666)
    try:
        try:
            lines = format.header
            for batch in batches:
                lines += format.encode(batch)
                write_all(descriptor, lines if compression is None else compression.pack(lines))
                lines = b""
            write_all(descriptor, lines if compression is None else compression.pack(lines))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        writing.replace(place)
    except BaseException:
        with suppress(OSError):
            writing.unlink()
        raise


def _pages(batches: Iterator[list[T]], url_of: Callable[[T], str]) -> Iterator[str]:
    """Yield the page of each line, once for lines that follow each other."""
    last = None
    for batch in batches:
        for each in batch:
            if (url := url_of(each)) != last:
                last = url
                yield url
