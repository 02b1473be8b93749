"""Opens an output by its path and format. Imports only the adapter of the chosen format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.config.choices import FORMATS, compression_of, format_of
from fetchpool.model.errors import UsageError
from fetchpool.model.record import FieldType
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.base import ResumableSink
from fetchpool.sinks.file import FileSink, RowFormat

if TYPE_CHECKING:  # loaded when it is chosen
    from fetchpool.sinks.compression import Compression
    from fetchpool.sinks.parquet import ParquetSink


class RowOptions(Struct, frozen=True):
    """The content of rows."""

    extra_fields: tuple[str, ...] = ()
    """Names of added fields that get columns from the first row on."""
    types: Mapping[str, FieldType] = {}
    """Types of added fields that don't depend on their values."""
    parser_fields: tuple[str, ...] | None = None
    """Names of the fields of user-defined parsers, as far as they are known, which get columns where columns
    are fixed from the start; None without such a parser."""
    fields: tuple[str, ...] = ()
    """The only fields, in this order (`--fields`); empty for all of them."""
    single_files: bool = False
    """Whether a new Parquet output becomes one file at the end."""
    template: str = ""
    """The template of text rows (`--write-out`); empty for the usual ones."""


def open_sink(path: str, format: str | None = None, *, rows: RowOptions | None = None) -> ResumableSink:
    """Return the sink for `path`; `-` is standard output. Without a `format` the suffix decides. Raises
    `UsageError` for an invalid path or format, and `OutputError` if the system fails.
    """
    format = format or format_of(path)
    rows = rows or RowOptions()
    if format in ("parquet", "sqlite") and compression_of(path):
        raise UsageError(
            f"{escape_invisible(path)}: outputs of format {format} can't be compressed; use a name without "
            f"{compression_of(path)}"
        )
    if format == "parquet":
        return open_parquet(path, rows)
    if format != "sqlite":
        return FileSink(path, row_format(format, rows), compression=open_compression(path))
    if path == "-":
        raise UsageError("--format sqlite: cannot write a database to standard output; name a file with -o")
    from fetchpool.sinks.sqlite import SqliteSink

    return SqliteSink(path, rows.extra_fields, types=rows.types, fields=rows.fields)


def open_parquet(path: str, rows: RowOptions | None = None) -> ParquetSink:
    """Return the sink for a directory of Parquet files; without `rows` it can only be compacted."""
    if path == "-":
        raise UsageError("--format parquet: cannot write a directory to standard output; name one with -o")
    from fetchpool.sinks.read_back import import_parquet

    import_parquet(path)
    from fetchpool.sinks.parquet import ParquetSink

    if rows is None:
        return ParquetSink(path, None)
    return ParquetSink(
        path, rows.extra_fields, types=rows.types, fields=rows.fields, single=rows.single_files
    )


def row_format(format: str, rows: RowOptions | None = None) -> RowFormat:
    """Return the `RowFormat` of a format with one row per line."""
    rows = rows or RowOptions()
    if format == "text" and rows.template:
        from fetchpool.sinks.write_out import WriteOutRows

        return WriteOutRows(rows.template)
    if format == "text":
        from fetchpool.sinks.text import TextRows

        return TextRows()
    if format == "jsonl":
        from fetchpool.sinks.jsonl import JsonlRows

        return JsonlRows(rows.types, rows.fields)
    if format in ("csv", "tsv"):
        from fetchpool.sinks.csv import CsvRows

        return CsvRows(
            rows.extra_fields, rows.types, rows.fields, format=format, parser_fields=rows.parser_fields
        )
    known = ", ".join(FORMATS)
    raise UsageError(f"--format: no format {escape_invisible(format)!r}; expected one of {known}")


def open_compression(path: str) -> Compression | None:
    """Return the compression that a path's suffix names; None for an output that is not compressed."""
    suffix = compression_of(path)
    if not suffix:
        return None
    from fetchpool.sinks.compression import COMPRESSIONS

    return COMPRESSIONS[suffix]
