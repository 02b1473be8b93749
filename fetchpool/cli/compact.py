"""`fetchpool compact OUT...`: keeps only the final row of every URL.

In: outputs of earlier runs. Out: one line on stderr per output, and the exit code.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from fetchpool.cli.configuration import configured
from fetchpool.cli.display import print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, parameter, takes
from fetchpool.config import validate
from fetchpool.config.choices import FORMATS
from fetchpool.config.options.table import OPTIONS
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import Line, counted, line

if TYPE_CHECKING:
    from fetchpool.history import compact as history

CONFIGURABLE = ("seen_memory", "quiet", "color")
"""Options that the configuration can set."""


@takes(
    argument("outputs", "OUT", "Outputs of earlier runs."),
    parameter(
        OPTIONS["format"],
        help="Format of every OUT: text, jsonl, csv, tsv, sqlite or parquet. By default the suffix decides.",
        group="Input",
    ),
    *(parameter(OPTIONS[name]) for name in (*CONFIGURABLE, "config", "no_config")),
)
def compact(ctx: typer.Context, outputs: list[str] | None, format: str | None, **typed: Any) -> int:
    """Remove all but the final row of every URL from outputs.

    --retry-failed and --refresh append a second row for a URL. Each OUT is replaced atomically, even while a
    run appends to it.
    """
    if not outputs:
        raise UsageError("missing argument OUT, e.g. fetchpool compact results.jsonl")
    from fetchpool.history import compact as history

    configuration = configured(ctx, typed, [OPTIONS[name] for name in CONFIGURABLE])
    chosen = None if format is None else validate.choice("--format", format, FORMATS)
    with configuration.naming_origins():
        memory = validate.size("--seen-memory", configuration.values["seen_memory"])
    for path in outputs:
        result = history.compact(path, chosen, memory=memory)
        if not configuration.values["quiet"]:
            print_lines(sys.stderr, [_report(path, result)])
    return ExitCode.OK


def _report(path: str, result: history.CompactResult) -> Line:
    parts = [f"{escape_invisible(path)}: {counted(result.kept, 'row')}"]
    if result.superseded:
        parts.append(f"{counted(result.superseded, 'superseded row')} removed")
    if result.damaged:
        parts.append(f"{counted(result.damaged, 'unreadable line')} removed")
    return line(", ".join(parts) if len(parts) > 1 else f"{parts[0]}, already compact")
