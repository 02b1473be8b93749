"""Determines the columns of user-defined parsers for outputs whose columns are fixed at the start: CSV and
TSV.

In: the run's configuration. Out: names of fields, and notices for the user. SQLite and Parquet don't need
this, as they add a column with the first row that has a value for it."""

from __future__ import annotations

from contextlib import nullcontext

from msgspec import Struct

from fetchpool.config.keep import kept_fields
from fetchpool.config.outputs import BUILT_IN_FIELDS, parsed_name
from fetchpool.config.parsers import name_of
from fetchpool.config.run_config import RunConfig
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks import stdout

FORMATS = ("csv", "tsv")
UNKNOWN = (
    "{output}: the fields of {parser} are JSON in the column extra, because it doesn't declare them; let "
    "it return a TypedDict, or name them with --fields"
)


class ParserColumns(Struct, frozen=True):
    """The known fields of user-defined parsers."""

    names: tuple[str, ...]
    notices: tuple[str, ...] = ()


def parser_columns(config: RunConfig) -> ParserColumns | None:
    """Return the fields of user-defined parsers, if an output needs to know them; None without such a parser.
    Raises `UsageError` for a parser that can't be loaded."""
    own = [parser for parser in config.fetch.parse if parser not in BUILT_IN_FIELDS]
    if not own:
        return None
    outputs = [each.path for each in config.outputs if each.format in FORMATS]
    if not outputs or config.fields:
        return ParserColumns(())
    from fetchpool.http.parsers.declared import declared_fields
    from fetchpool.http.parsers.run import load

    names: list[str] = []
    notices: list[str] = []
    kept = kept_fields(config.fetch.keep)
    for parser in own:
        fields: tuple[str, ...] = ()
        try:
            # The output of a module while it is imported is not a row.
            with stdout.diverted() if "-" in outputs else nullcontext():
                (loaded,) = load((parser,))
            fields = declared_fields(loaded.function)
        except UsageError:
            if config.executor != "cluster":  # whose workers have modules of their own
                raise
        names += [parsed_name(name, kept) for name in fields]
        if not fields:
            output = "standard output" if outputs[0] == "-" else escape_invisible(outputs[0])
            notices.append(UNKNOWN.format(output=output, parser=escape_invisible(name_of(parser))))
    return ParserColumns(tuple(dict.fromkeys(names)), tuple(notices))
