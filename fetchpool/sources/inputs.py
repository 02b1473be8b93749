"""Reads inputs of every kind (lists with one URL per line, tables and single URLs) as batches of URLs.

In: an INPUT argument (`-` is standard input), and its options. Out: batches of URLs, each with the offset in
the input that it reaches. Whatever can be checked before the run raises `InputError` when an input is opened;
problems that appear during reading raise `InputReadError`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.model.errors import InputError
from fetchpool.sources import json_array, tables
from fetchpool.sources.arguments import ArgumentInput, is_url
from fetchpool.sources.batch import Input, UrlBatch, with_lines
from fetchpool.sources.decompress import Chunks, by_name, chain_chunks
from fetchpool.sources.file_types import PARQUET
from fetchpool.sources.input_file import InputFile, InputReadError
from fetchpool.sources.lines import LineSplitter
from fetchpool.sources.table_lines import FALLBACK, LineIterator
from fetchpool.sources.table_rows import RowBatch, TableFormatError, TableOptions


class InputOptions(Struct, frozen=True):
    """The options of all inputs."""

    table: TableOptions | None = None
    """The options for tables; without it every line is a URL."""
    encoding: str = ""
    """The encoding of the inputs; empty to detect it for each."""
    with_line: bool = False
    """Whether each URL gets a column with its position."""


class LineInput:
    """An input with one URL per line, or a JSON array of URLs."""

    def __init__(self, path: str, options: InputOptions) -> None:
        """Open the input. Raises `InputError`."""
        self.input = InputFile(path, encoding=options.encoding)
        self.size = self.input.size
        self.columns: list[str] = []
        self.notice = ""
        self._with_line = options.with_line
        format = tables.FORMATS.get(_suffix(path))
        if (
            format is not None
            and self.size is not None
            and (problem := _table_problem(path, options, format))
        ):
            self.close()
            raise InputError(f"{self.input.name}: {problem}")

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs, with offsets in this input. Raises `InputReadError`; an incomplete line at the end
        of the readable part is then left out."""
        return _noting_encoding(self._batches(), self.input)

    def _batches(self) -> Iterator[UrlBatch]:
        chunks = self.input.chunks()
        first = next(chunks, (b"", 0))
        chunks = chain_chunks(first, chunks)
        if json_array.element_kind(first[0]):
            yield from self._elements(chunks)
            return
        lines = LineSplitter(numbered=self._with_line)
        reached = 0
        for chunk, reached in chunks:
            yield self._batch(lines.feed(chunk), reached, len(chunk), lines.numbers)
        yield self._batch(lines.finish(), reached, 0, lines.numbers)

    def abort(self) -> None:
        """Do nothing: a read can't be interrupted."""

    def close(self) -> None:
        self.input.close()

    def _batch(self, found: list[str], reached: int, weight: int, numbers: list[int]) -> UrlBatch:
        batch = UrlBatch(found, reached, weight)
        return with_lines(batch, self.input.name, numbers) if self._with_line else batch

    def _elements(self, chunks: Chunks) -> Iterator[UrlBatch]:
        lines = LineIterator(json_array.element_lines(chunks), guess=False)
        try:
            for rows in json_array.read_texts(lines):
                yield _url_batch(rows, self.input.name, with_line=self._with_line)
        except TableFormatError as failure:
            raise InputReadError(f"{self.input.name}: {failure}") from failure


class TableInput:
    """An input with columns."""

    def __init__(self, path: str, table: TableOptions, options: InputOptions) -> None:
        """Open the input; check a file's columns. Raises `InputError`."""
        self._table = table
        self._encoding = options.encoding
        self._with_line = options.with_line
        self._format = tables.FORMATS.get(_suffix(path))
        is_parquet = Path(path).suffix.lower() == ".parquet"
        self.input = self._open(path, expected=PARQUET if is_parquet else b"")
        self.size = self.input.size
        self._parquet = path if is_parquet else ""
        self.notice = ""
        self.columns: list[str] = []
        try:
            self.columns = self._check_columns(path)
        except TableFormatError as failure:
            self.close()
            raise InputError(f"{self.input.name}: {failure}") from failure
        except InputReadError:  # reported again during reading; the readable part is fetched
            self.columns = []

    def _open(self, path: str, expected: bytes = b"") -> InputFile:
        return InputFile(path, expected=expected, encoding=self._encoding, has_columns=True)

    def _check_columns(self, path: str) -> list[str]:
        if self._parquet:
            columns: list[str] = _parquet_module().header(path, self._table)
            return columns
        if self.size is None or path == "-":
            return []
        chunks = self._open(path).chunks()
        try:
            return tables.header(chunks, self._format, self._table)
        finally:
            chunks.close()

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs, with offsets in this input. Raises `InputReadError`."""
        return _noting_encoding(self._batches(), self.input)

    def _batches(self) -> Iterator[UrlBatch]:
        if self._parquet:
            found = _parquet_module().read(self._parquet, self._table)
        else:
            found = tables.read(self.input.chunks(), self._format, self._table)
        try:
            for rows in found:
                yield _url_batch(rows, self.input.name, with_line=self._with_line)
        except TableFormatError as failure:
            raise InputReadError(f"{self.input.name}: {failure}") from failure

    def abort(self) -> None:
        """Do nothing: a read can't be interrupted."""

    def close(self) -> None:
        self.input.close()


def _noting_encoding(batches: Iterator[UrlBatch], input: InputFile) -> Iterator[UrlBatch]:
    """Yield the batches; if an encoding was detected, the first batch has a notice about it."""
    for batch in batches:
        if input.recognized and not batch.notice:
            text = f"{input.name}: read as {input.recognized.upper()}; --encoding sets another"
            batch, input.recognized = replace(batch, notice=text), ""
        yield batch


def _url_batch(rows: RowBatch, name: str, *, with_line: bool) -> UrlBatch:
    """Return the rows of the input `name` as a batch."""
    notice = ""
    if rows.guessed:
        notice = (
            f"{name}: line {rows.guessed} is not UTF-8; reading such lines as Windows-1252 ({FALLBACK}); "
            "--encoding sets another"
        )
    batch = UrlBatch(rows.urls, rows.offset, rows.weight, rows.columns, rows.weights, rows.problems, notice)
    return with_lines(batch, name, rows.numbers) if with_line else batch


def _suffix(path: str) -> str:
    named = by_name(path)
    return Path(path.removesuffix(named.suffix) if named else path).suffix.lower()


def _table_problem(path: str, options: InputOptions, format: str) -> str:
    """Return why a file can't be read as a list of lines; empty if it can."""
    chunks = InputFile(path, encoding=options.encoding).chunks()
    try:
        return tables.needed_column(chunks, format)
    except InputReadError:  # reported again during reading
        return ""
    finally:
        chunks.close()


def _parquet_module() -> ModuleType:
    try:
        from fetchpool.sources import parquet
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise TableFormatError(f"Parquet needs pyarrow, which isn't installed: {fix}") from failure
    return parquet


def open_input(argument: str, number: int, options: InputOptions) -> Input:
    """Open the input that an argument names; `number` is the position of the argument, from 1. Raises
    `InputError`."""
    if argument != "-" and is_url(argument):
        return ArgumentInput(argument, number, with_line=options.with_line)
    if options.table is not None:
        return TableInput(argument, options.table, options)
    return LineInput(argument, options)


def open_inputs(arguments: Sequence[str], options: InputOptions) -> list[Input]:
    """Open all inputs. Raises `InputError` for the first that can't be read, after closing the others."""
    inputs: list[Input] = []
    try:
        for number, argument in enumerate(arguments, 1):
            inputs.append(open_input(argument, number, options))
    except BaseException:
        for opened in inputs:
            opened.close()
        raise
    return inputs
