"""Opens an output by its path and format; only the chosen adapter is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetchpool.config.choices import FORMATS, format_of
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.base import ResumableSink
from fetchpool.sinks.file import FileSink, RowFormat

if TYPE_CHECKING:  # loaded when it is chosen
    from fetchpool.sinks.parquet import ParquetSink


def open_sink(path: str, format: str | None = None, extra_fields: tuple[str, ...] = ()) -> ResumableSink:
    """Return the sink for `path`; `-` is standard output. Without a `format` the suffix decides.

    `extra_fields`: names of added fields that get columns from the first row on. Raises `UsageError` for an
    invalid path or format, and `OutputError` when the system fails.
    """
    format = format or format_of(path)
    if format == "parquet":
        return open_parquet(path, extra_fields)
    if format != "sqlite":
        return FileSink(path, row_format(format, extra_fields))
    if path == "-":
        raise UsageError("--format sqlite: cannot write a database to standard output; name a file with -o")
    from fetchpool.sinks.sqlite import SqliteSink

    return SqliteSink(path, extra_fields)


def open_parquet(path: str, extra_fields: tuple[str, ...] | None = None) -> ParquetSink:
    """Return the sink for a directory of Parquet files; without `extra_fields` it can only be compacted."""
    if path == "-":
        raise UsageError("--format parquet: cannot write a directory to standard output; name one with -o")
    from fetchpool.sinks.read_back import import_parquet

    import_parquet(path)
    from fetchpool.sinks.parquet import ParquetSink

    return ParquetSink(path, extra_fields)


def row_format(format: str, extra_fields: tuple[str, ...] = ()) -> RowFormat:
    """Return the `RowFormat` of a format with one row per line."""
    if format == "text":
        from fetchpool.sinks.text import TextRows

        return TextRows()
    if format == "jsonl":
        from fetchpool.sinks.jsonl import JsonlRows

        return JsonlRows()
    if format == "csv":
        from fetchpool.sinks.csv import CsvRows

        return CsvRows(extra_fields)
    raise UsageError(f"--format: no format {escape_invisible(format)!r}; there is: {', '.join(FORMATS)}")
