"""`fetchpool compact OUT...`: only the final row of every URL is left.

In: outputs of earlier runs. Out: one line on stderr for each, and the exit code.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fetchpool.cli.display import print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, parameter, takes
from fetchpool.config import validate
from fetchpool.config.choices import FORMATS
from fetchpool.config.options import OPTIONS
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import Line, counted, line

if TYPE_CHECKING:
    from fetchpool.history import compact as room


@takes(
    argument("outputs", "OUT", "Outputs of earlier runs."),
    parameter(
        OPTIONS["format"],
        help="Format of every OUT: text, jsonl, csv or sqlite. By default the suffix decides.",
    ),
    parameter(OPTIONS["seen_memory"]),
    parameter(OPTIONS["quiet"]),
)
def compact(outputs: list[str] | None, format: str | None, seen_memory: str, quiet: bool) -> int:
    """Keep only the final row of every URL in outputs, after --retry-failed.

    Each OUT is replaced as a whole or stays as it was; a run may be appending to it meanwhile.
    """
    if not outputs:
        raise UsageError("missing argument OUT, e.g. fetchpool compact results.jsonl")
    from fetchpool.history import compact as room

    chosen = None if format is None else validate.choice("--format", format, FORMATS)
    memory = validate.size("--seen-memory", seen_memory)
    for path in outputs:
        done = room.compact(path, chosen, memory=memory)
        if not quiet:
            print_lines(sys.stderr, [_said(path, done)])
    return ExitCode.OK


def _said(path: str, done: room.CompactResult) -> Line:
    parts = [f"{escape_invisible(path)}: {counted(done.kept, 'row')}"]
    if done.superseded:
        parts.append(f"{counted(done.superseded, 'superseded row')} removed")
    if done.damaged:
        parts.append(f"{counted(done.damaged, 'damaged line')} removed")
    return line(", ".join(parts) if len(parts) > 1 else f"{parts[0]}, already compact")
