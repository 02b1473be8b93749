"""Every option, declared once: its names, its unit, its words in the help. Here are those that say what is
read, what is written and what is shown; `fetch_options.py` has those that say how it is fetched.

Names and meanings are curl's where curl has it. All values stay text: `config` reads and checks them,
for programs as well, so a refusal has the same words everywhere.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from fetchpool.config.choices import FORMATS
from fetchpool.config.outputs import HASHES
from fetchpool.model.failures import GROUPS, FailureKind
from fetchpool.model.version import version_line

DEFAULT_OUTPUT = "sizes.txt"


def offer(*choices: str) -> Any:
    """Shell completion out of a fixed few."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version_line())
        raise typer.Exit


INPUT_HELP = (
    "Files with one URL a line, '-' for standard input; .gz, .bz2 and .zst are read as such. Blank lines and "
    "those that begin with '#' are skipped; a line without a scheme gets http://. Without INPUT a pipe is "
    "read."
)

Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUT",
        help=INPUT_HELP,
        show_default=False,
        # The commands' names, as the first word may be one; where none fits, shells offer files.
        autocompletion=offer("demo", "compact"),
    ),
]


def option(*names: str, group: str, help: str, metavar: str = "", **more: Any) -> Any:
    """`group` is the heading it stands under."""
    return typer.Option(*names, metavar=metavar or None, help=help, rich_help_panel=group, **more)


INPUT = "Input"
UrlColumn = Annotated[
    str | None,
    option(
        "--url-column",
        metavar="NAME",
        group=INPUT,
        help="INPUT has columns, and NAME holds the URL: CSV, TSV, JSONL or Parquet, as its suffix or its "
        "first line says.",
    ),
]
KeepColumns = Annotated[
    bool,
    option(
        "--keep-columns",
        group=INPUT,
        help="Pass INPUT's other columns through to the row; one whose name is taken gets input_ before it.",
    ),
]

Refresh = Annotated[
    str | None,
    option(
        "--refresh",
        metavar="OLD",
        group=INPUT,
        help="Fetch what the output OLD of an earlier run has only if it has changed since; without INPUT, "
        "all of it. The summary says what changed. Implies --hash.",
    ),
]

OUTPUT = "Output"
Outputs = Annotated[
    list[str] | None,
    option(
        "-o",
        "--output",
        metavar="PATH",
        group=OUTPUT,
        help="Append rows to PATH; '-' is standard output. May be given several times. "
        f"(default: {DEFAULT_OUTPUT})",
    ),
]
DemoOutputs = Annotated[
    list[str] | None,
    option(
        "-o",
        "--output",
        metavar="PATH",
        group=OUTPUT,
        help="Append rows to PATH; '-' is standard output. "
        "(default: a temporary file, which the summary names)",
    ),
]
Format = Annotated[
    str | None,
    option(
        "--format",
        metavar="NAME",
        group=OUTPUT,
        help="text, jsonl, csv, sqlite or parquet, for every output. Without it PATH's suffix says: .jsonl, "
        ".csv, .sqlite or .db, .parquet, else text.",
        autocompletion=offer(*FORMATS),
    ),
]
Parse = Annotated[
    list[str] | None,
    option(
        "--parse",
        metavar="NAME",
        group=OUTPUT,
        help="Add fields to the row: title (of an HTML page), or package.module:function, which gets "
        "the response and returns a mapping. May be given several times.",
    ),
]

ParseTimeout = Annotated[
    str | None,
    option(
        "--parse-timeout",
        metavar="TIME",
        group=OUTPUT,
        help="Give up on a --parse function that takes longer for a page; 0 is no limit. A process is ended "
        "then, a thread can only be left to itself. (default: 30s, or --max-time if that is shorter)",
    ),
]

Hash = Annotated[
    str | None,
    option(
        "--hash",
        metavar="NAME",
        group=OUTPUT,
        help="Add the body's hash to the row: sha256, of the decoded bytes.",
        autocompletion=offer(*HASHES),
    ),
]
Save = Annotated[
    str | None,
    option(
        "--save",
        metavar="DIR",
        group=OUTPUT,
        help="Keep the decoded bodies in DIR, as ab/cd/SHA256.TYPE; equal ones once. The row gets sha256 and "
        "filename_effective.",
    ),
]

Warc = Annotated[
    str | None,
    option(
        "--warc",
        metavar="FILE.warc.gz",
        group=OUTPUT,
        help="Archive all that is sent and received, as it came: WARC 1.1. Appends to FILE.",
    ),
]
WarcMaxSize = Annotated[
    str,
    option(
        "--warc-max-size",
        metavar="SIZE",
        group=OUTPUT,
        help="Past this the archive goes on in FILE-00001.warc.gz and so on; 0 is no limit.",
    ),
]

RESUME = "Resume"
Resume = Annotated[
    bool,
    option(
        "--resume",
        group=RESUME,
        help="Go on where earlier runs ended: what the outputs hold is not fetched again. The summary and "
        "the exit code speak of the whole list.",
    ),
]
RetryFailed = Annotated[
    list[str] | None,
    option(
        "--retry-failed",
        metavar="KIND",
        group=RESUME,
        help="Resume, and fetch again what failed so: all, timeout, http_5xx, http_4xx, or errors such as "
        "dns,http_429. Of a URL's rows the last is the final one. May be given several times.",
        autocompletion=offer(*GROUPS, *FailureKind),
    ),
]
NoDedupe = Annotated[
    bool,
    option(
        "--no-dedupe",
        group=RESUME,
        help="Fetch every line of the input, also the URLs that it had before.",
    ),
]
SeenMemory = Annotated[
    str,
    option(
        "--seen-memory",
        metavar="SIZE",
        group=RESUME,
        help="For knowing which URLs there were, some 15 bytes each; the rest is on disk.",
    ),
]

Compacted = Annotated[
    list[str] | None, typer.Argument(metavar="OUT", help="Outputs of earlier runs.", show_default=False)
]
CompactedFormat = Annotated[
    str | None,
    option(
        "--format",
        metavar="NAME",
        group=OUTPUT,
        help="text, jsonl, csv or sqlite, for every OUT. Without it the suffix says.",
        autocompletion=offer(*FORMATS),
    ),
]

DISPLAY = "Display"
Quiet = Annotated[bool, option("-q", "--quiet", group=DISPLAY, help="Say nothing but errors.")]
Verbose = Annotated[bool, option("-v", "--verbose", group=DISPLAY, help="A line for each failure and retry.")]
NoProgress = Annotated[
    bool, option("--no-progress", group=DISPLAY, help="No progress while it runs; the summary stays.")
]

OTHER = "Other"
Version = Annotated[
    bool,
    option("-V", "--version", group=OTHER, help="Show the version.", is_eager=True, callback=_show_version),
]
