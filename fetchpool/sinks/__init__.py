"""Where rows go: one door to every output, and only the adapter that was chosen is imported.

In: a path, and a format or the suffix that tells it. Out: a `Sink`, open and repaired.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fetchpool.model.errors import UsageError
from fetchpool.model.text import visible
from fetchpool.sinks.base import Journal
from fetchpool.sinks.file import FileSink, RowFormat

if TYPE_CHECKING:  # only the adapter that was chosen is imported
    from fetchpool.sinks.parquet import ParquetSink

FORMATS = ("text", "jsonl", "csv", "sqlite", "parquet")
SUFFIXES = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db": "sqlite",
    ".parquet": "parquet",
}
"""Which format an output's name asks for; any other name is text."""


def open_sink(path: str, format: str | None = None, extra_fields: tuple[str, ...] = ()) -> Journal:
    """The sink for `path`; `-` is standard output. Without a `format` the suffix decides.

    `extra_fields` are the names of parsers' fields, where a format wants to know them beforehand (CSV
    columns). Raises `UsageError` for a path or format that can't be meant, `OutputError` when the
    machine fails.
    """
    format = format or format_of(path)
    if format == "parquet":
        return open_parquet(path, extra_fields)
    if format != "sqlite":
        return FileSink(path, row_format(format, extra_fields))
    if path == "-":
        raise UsageError("--format sqlite: a database can't go to standard output; name a file with -o")
    from fetchpool.sinks.sqlite import SqliteSink

    return SqliteSink(path)


def open_parquet(path: str, extra_fields: tuple[str, ...] | None = None) -> ParquetSink:
    """The same for Parquet, which can be compacted too; without `extra_fields` only that."""
    if path == "-":
        raise UsageError("--format parquet: a folder can't go to standard output; name one with -o")
    try:
        from fetchpool.sinks.parquet import ParquetSink
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise UsageError(f"{visible(path)}: Parquet needs pyarrow, which isn't installed: {fix}") from failure
    return ParquetSink(path, extra_fields)


def format_of(path: str) -> str:
    """The format that an output's name asks for."""
    return SUFFIXES.get(Path(path).suffix.lower(), "text")


def refuse_same_file(inputs: Sequence[str], outputs: Sequence[str]) -> None:
    """Raises `UsageError` when a file is read and written: the run would be fed its own rows, for ever.
    `-` is standard input among the inputs and standard output among the outputs, `<a >>a` included."""
    read = {_identity(path, 0): path for path in inputs}
    read.pop(None, None)
    for path in outputs:
        if (identity := _identity(path, 1)) in read:
            name = "standard output" if path == "-" else visible(path)
            raise UsageError(
                f"{name}: is the input {visible(read[identity])} as well; name another file with -o"
            )


def _identity(path: str, standard: int) -> tuple[int, int] | None:
    """What makes a file the same by whatever name; None for what is not there or no regular file."""
    try:
        status = os.fstat(standard) if path == "-" else Path(path).stat()
    except (OSError, ValueError):  # opening it will say what is wrong
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def row_format(format: str, extra_fields: tuple[str, ...] = ()) -> RowFormat:
    """How rows are spelled in a format of lines."""
    if format == "text":
        from fetchpool.sinks.text import TextRows

        return TextRows()
    if format == "jsonl":
        from fetchpool.sinks.jsonl import JsonlRows

        return JsonlRows()
    if format == "csv":
        from fetchpool.sinks.csv import CsvRows

        return CsvRows(extra_fields)
    raise UsageError(f"--format: no format {visible(format)!r}; there is: {', '.join(FORMATS)}")
