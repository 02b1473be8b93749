"""Opens an output by its path and format; only the chosen adapter is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetchpool.config.choices import FORMATS, format_of
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.base import ResumableSink
from fetchpool.sinks.file import FileSink, RowFormat

if TYPE_CHECKING:  # only the adapter that was chosen is imported
    from fetchpool.sinks.parquet import ParquetSink


def open_sink(path: str, format: str | None = None, extra_fields: tuple[str, ...] = ()) -> ResumableSink:
    """The sink for `path`; `-` is standard output. Without a `format` the suffix decides.

    `extra_fields` are the names of the added fields that are known beforehand: they have columns from the
    first row on. Raises `UsageError` for an invalid path or format, `OutputError` when the system fails.
    """
    format = format or format_of(path)
    if format == "parquet":
        return open_parquet(path, extra_fields)
    if format != "sqlite":
        return FileSink(path, row_format(format, extra_fields))
    if path == "-":
        raise UsageError("--format sqlite: a database can't go to standard output; name a file with -o")
    from fetchpool.sinks.sqlite import SqliteSink

    return SqliteSink(path, extra_fields)


def open_parquet(path: str, extra_fields: tuple[str, ...] | None = None) -> ParquetSink:
    """The same for Parquet, which can be compacted too; without `extra_fields` only that."""
    if path == "-":
        raise UsageError("--format parquet: a folder can't go to standard output; name one with -o")
    import_parquet(path)
    from fetchpool.sinks.parquet import ParquetSink

    return ParquetSink(path, extra_fields)


def import_parquet(path: str) -> None:
    """Import what reads and writes Parquet. Raises `UsageError` when pyarrow isn't installed."""
    try:
        import fetchpool.sinks.parquet_parts  # noqa: F401  # the adapter of pyarrow
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise UsageError(
            f"{escape_invisible(path)}: Parquet needs pyarrow, which isn't installed: {fix}"
        ) from failure


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
    raise UsageError(f"--format: no format {escape_invisible(format)!r}; there is: {', '.join(FORMATS)}")
