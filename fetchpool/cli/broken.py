"""`fetchpool broken OUT...`: reports the broken links found in the files of a crawl.

In: outputs of a crawl. Out: a report on standard output, and exit code 1 if a link is broken.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

from fetchpool.cli.configuration import configured
from fetchpool.cli.display import print_lines
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, parameter, takes
from fetchpool.config import validate
from fetchpool.config.command_options import BROKEN_LINKS, LINK_FORMAT, LINK_FORMATS
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.outputs import parse_outputs
from fetchpool.model.errors import UsageError
from fetchpool.progress.format import counted, line

if TYPE_CHECKING:
    from fetchpool.report.broken_links.findings import Findings

CONFIGURABLE = ("seen_memory", "quiet", "color")
"""Options that the configuration can set."""
LINES = 200
"""Number of lines that are written at once."""


@takes(
    argument("outputs", "OUT", "Outputs of a crawl; the last row of a URL counts."),
    parameter(BROKEN_LINKS, group="Input"),
    parameter(LINK_FORMAT, default=LINK_FORMATS[0]),
    *(parameter(OPTIONS[name]) for name in (*CONFIGURABLE, "config", "no_config")),
)
def broken(
    ctx: typer.Context, outputs: list[str] | None, links: str | None, format: str, **typed: Any
) -> int:
    """Report the broken links of a crawl from its files, and exit with 1 if there are any.

    A link is broken if its URL has an error, redirects to a URL with an error, or lacks the element that the
    fragment names. Links that may work in a browser (401, 403, 429, 451, 503, 999, robots.txt) are listed as
    unsure and don't affect the exit code.
    """
    if not outputs:
        raise UsageError("missing argument OUT, e.g. fetchpool broken rows.jsonl --links links.jsonl")
    configuration = configured(ctx, typed, [OPTIONS[name] for name in CONFIGURABLE])
    with configuration.naming_origins():
        memory = validate.size("--seen-memory", configuration.values["seen_memory"])
    return report(outputs, links, checked_format(format), memory=memory, quiet=configuration.values["quiet"])


def checked_format(format: str) -> str:
    """Return the format of a report. Raises `UsageError`."""
    return validate.choice(LINK_FORMAT.label, format, LINK_FORMATS)


def report(outputs: list[str], links: str | None, format: str, *, memory: int, quiet: bool) -> int:
    """Print the report of a crawl on standard output; return its exit code."""
    read = parse_outputs(outputs, None)
    if any(each.path == "-" for each in read):
        raise UsageError("OUT: standard input can't be read twice; write the rows to a file first")
    from fetchpool.report.broken_links.gather import gather
    from fetchpool.report.broken_links.verdict import Verdict

    findings = gather(read, links, memory=memory)
    try:
        if format == "text":
            _print_text(findings)
        else:
            for piece in _pieces(findings, format):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        targets, _ = findings.count(Verdict.BROKEN)
    finally:
        findings.close()
    if findings.unreadable and not quiet:
        print_lines(sys.stderr, [line(f"{counted(findings.unreadable, 'unreadable line')} left out")])
    return ExitCode.FAILED if targets else ExitCode.OK


def _print_text(findings: Findings) -> None:
    from fetchpool.report.broken_links.text import lines

    left = lines(findings)
    while batch := list(islice(left, LINES)):
        print_lines(sys.stdout, batch)


def _pieces(findings: Findings, format: str) -> Iterator[bytes]:
    if format == "json":
        from fetchpool.report.broken_links import json_report

        return json_report.pieces(findings)
    if format == "junit":
        from fetchpool.report.broken_links import junit

        return junit.pieces(findings)
    from fetchpool.report.broken_links import markdown

    return markdown.pieces(findings)
