"""The kinds of inputs, lists with a URL a line and tables, as batches of URLs.

In: a path (`-` is standard input), and for a table its options. Out: batches of URLs, each with the offset in
the input that it reaches. Whatever can be checked before the run raises `InputError` when an input is opened;
problems that appear during reading raise `InputReadError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from msgspec import Struct

from fetchpool.model.errors import InputError
from fetchpool.sources import tables
from fetchpool.sources.decompress import by_name
from fetchpool.sources.file_types import PARQUET
from fetchpool.sources.input_file import InputFile, InputReadError
from fetchpool.sources.lines import LineSplitter
from fetchpool.sources.table_rows import Columns, TableFormatError, TableOptions


class UrlBatch(Struct, frozen=True):
    """The URLs of one chunk, and the offset of its end in the input, or in all inputs together."""

    lines: list[str]
    offset: int
    weight: int = 0
    """Its size in memory, roughly, in bytes."""
    columns: list[Columns] | None = None
    """The other columns of each URL, if they are passed through."""
    weights: list[int] = []
    """The size of each URL's columns."""
    problems: dict[int, str] = {}
    """By index in `lines`, why the line is not a URL."""


class LineInput:
    """An input with one URL per line."""

    def __init__(self, path: str) -> None:
        """Open the input. Raises `InputError`."""
        self.input = InputFile(path)
        self.size = self.input.size
        self.columns: list[str] = []
        self.notice = ""
        """A line for the user; may be empty."""
        is_named_so = _suffix(path) in tables.FORMATS and self.size is not None
        if is_named_so and tables.begins_table(_first_line(path)):
            self.notice = f"{self.input.name} looks like a table: --url-column NAME reads its URLs"

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs, with offsets in this input. Raises `InputReadError`; then the incomplete line at
        the end of what could be read is left out."""
        lines = LineSplitter()
        reached = 0
        for chunk, reached in self.input.chunks():
            yield UrlBatch(lines.feed(chunk), reached, len(chunk))
        yield UrlBatch(lines.finish(), reached)

    def close(self) -> None:
        self.input.close()


class TableInput:
    """An input with columns."""

    def __init__(self, path: str, table: TableOptions) -> None:
        """Open the input; check a file's columns. Raises `InputError`."""
        self._table = table
        self._format = tables.FORMATS.get(_suffix(path))
        is_parquet = Path(path).suffix.lower() == ".parquet"
        self.input = InputFile(path, but=PARQUET if is_parquet else b"")
        self.size = self.input.size
        self._parquet = path if is_parquet else ""
        self.notice = ""
        self.columns: list[str] = []
        """The names of the columns that rows will have in addition, as far as they are known now."""
        try:
            self.columns = self._check_columns(path)
        except TableFormatError as failure:
            self.close()
            raise InputError(f"{self.input.name}: {failure}") from failure
        except InputReadError:  # reported again during reading; the readable part is fetched
            self.columns = []

    def _check_columns(self, path: str) -> list[str]:
        if self._parquet:
            columns: list[str] = _parquet_module().header(path, self._table)
            return columns
        if self.size is None or path == "-":
            return []
        chunks = InputFile(path).chunks()
        try:
            return tables.header(chunks, self._format, self._table)
        finally:
            chunks.close()

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs, with offsets in this input. Raises `InputReadError`."""
        if self._parquet:
            rows = _parquet_module().read(self._parquet, self._table)
        else:
            rows = tables.read(self.input.chunks(), self._format, self._table)
        try:
            for found in rows:
                yield UrlBatch(
                    found.urls, found.offset, found.weight, found.columns, found.weights, found.problems
                )
        except TableFormatError as failure:
            raise InputReadError(f"{self.input.name}: {failure}") from failure

    def close(self) -> None:
        self.input.close()


def _suffix(path: str) -> str:
    named = by_name(path)
    return Path(path.removesuffix(named.suffix) if named else path).suffix.lower()


def _first_line(path: str) -> str:
    """Return the first line of a list; empty when its first chunk has none."""
    lines = LineSplitter()
    chunks = InputFile(path).chunks()
    try:
        chunk, _ = next(chunks, (b"", 0))
    except InputReadError:  # reported again during reading
        return ""
    finally:
        chunks.close()
    return next(iter(lines.feed(chunk) + lines.finish()), "")


def _parquet_module() -> ModuleType:
    try:
        from fetchpool.sources import parquet
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise TableFormatError(f"Parquet needs pyarrow, which isn't installed: {fix}") from failure
    return parquet


def open_inputs(paths: Sequence[str], table: TableOptions | None) -> list[LineInput | TableInput]:
    """Open all inputs. Raises `InputError` for the first that can't be read, after closing the others."""
    inputs: list[LineInput | TableInput] = []
    try:
        for path in paths:
            inputs.append(LineInput(path) if table is None else TableInput(path, table))
    except BaseException:
        for opened in inputs:
            opened.close()
        raise
    return inputs
