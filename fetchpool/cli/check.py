"""`fetchpool check URL...`: crawls sites, and reports their broken links.

In: start URLs, and the options of `run`. Out: a report on standard output, and exit code 1 if a link is
broken. The rows and links of the crawl are in temporary files unless the user names them.
"""

from __future__ import annotations

import os
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import typer
from msgspec.structs import replace

from fetchpool.cli.again import showable
from fetchpool.cli.broken import checked_format, report
from fetchpool.cli.configuration import Configuration, configured
from fetchpool.cli.display import DisplayOptions
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import argument, flag_name, parameter, takes
from fetchpool.cli.run import RUN_OPTIONS, settings_of
from fetchpool.config.command_options import LINK_FORMAT, LINK_FORMATS, NO_EXTERNAL, NO_FRAGMENTS
from fetchpool.config.configure import configure
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.web_options import WEB_OPTIONS, web_options
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible

IMPLIED = {"recursive": True, "check_external": True, "check_fragments": True, "ignore_nofollow": True}
"""Options of `run` that a check implies."""
WITHOUT = {
    *IMPLIED,
    *("format", "fields", "write_out", "summary", "report"),
    *("refresh", "keep_columns", "url_column", "delimiter", "limit"),
    *("dry_run", "print_config", "dedupe", "method", "head", "data", "json"),
}
"""Options of `run` that a check lacks, since it needs complete rows, and standard output for the report."""
PASSED = [option for option in RUN_OPTIONS if option.name not in WITHOUT]
TYPED = (
    *("outputs", "overwrite", "links", "frontier", "resume", "retry_failed"),
    *("save", "save_as", "warc", "cookie_jar"),
)
"""Options that the configuration can't set for a check: they name files for the runs of a project."""
CONFIGURABLE = [option for option in PASSED if option.name not in TYPED]
OUTPUT_HELP = (
    "Keep the rows in PATH (.jsonl, .csv, .tsv, .sqlite or .parquet), and the links next to it. Needed for "
    "--resume. (default: temporary files)"
)
LINKS_SUFFIX = ".links.jsonl"
"""Suffix of the file of links, appended to the name of the rows."""


@takes(
    argument("inputs", "URL", "The start pages. Links are followed within their hosts."),
    parameter(LINK_FORMAT, default=LINK_FORMATS[0]),
    parameter(NO_EXTERNAL),
    parameter(NO_FRAGMENTS),
    *(
        parameter(option, help=OUTPUT_HELP) if option.name == "outputs" else parameter(option)
        for option in PASSED
    ),
)
def check(
    ctx: typer.Context,
    inputs: list[str] | None,
    format: str,
    no_external: bool,
    no_fragments: bool,
    **typed: Any,
) -> int:
    """Crawl sites and report their broken links; exit with 1 if there are any.

    Links to other hosts are requested once, but not followed. Links marked nofollow are checked, too;
    robots.txt is obeyed. fetchpool broken makes the same report from files.
    """
    if not inputs:
        raise UsageError("missing argument URL, e.g. fetchpool check https://docs.example.org/")
    checked = checked_format(format)
    # A check is recursive without an option: a file's options for crawls apply.
    recursive = OPTIONS["recursive"]
    configuration = configured(ctx, {**typed, recursive.name: True}, [*CONFIGURABLE, recursive])
    implied = IMPLIED | {"check_external": not no_external, "check_fragments": not no_fragments}
    arguments = showable(ctx.find_root().obj or (), typed)
    return configuration.run(partial(_check, inputs, checked, configuration, implied, arguments))


def _check(
    inputs: list[str],
    format: str,
    configuration: Configuration,
    implied: dict[str, bool],
    arguments: tuple[str, ...] | None,
) -> int:
    with tempfile.TemporaryDirectory(prefix="fetchpool-check-") as directory:
        typed = {flag_name(option): None for option in RUN_OPTIONS} | configuration.values | implied
        outputs = typed["outputs"] or [str(Path(directory, "rows.jsonl"))]
        links = typed["links"] or f"{outputs[0]}{LINKS_SUFFIX}"
        settings = settings_of(typed | {"outputs": outputs, "links": links})
        config = configure(inputs, **settings)
        if any(output.path == "-" or output.format == "text" for output in config.outputs):
            name = escape_invisible(next(each.path for each in config.outputs if each.format == "text"))
            raise UsageError(f"--output: {name}: name a .jsonl, .csv, .tsv, .sqlite or .parquet file")
        config = replace(config, notices=(*configuration.notices, *config.notices))
        names = (name for name in DisplayOptions.__struct_fields__ if name in configuration.values)
        display = DisplayOptions(**{name: typed[name] for name in names})
        web = web_options(**{name: typed[name] for name in WEB_OPTIONS}, environment=os.environ)
        from fetchpool.cli.session import run_session

        is_kept = bool(configuration.values["outputs"])
        result = run_session(
            config, display, repeatable=is_kept, arguments=arguments, web=web, keeps_outputs=is_kept
        )
        if result.failure is not None:
            print_error(result.failure)
        sys.stderr.flush()
        code = report([outputs[0]], links, format, memory=config.seen_memory, quiet=display.quiet)
    return code if result.code in (ExitCode.OK, ExitCode.FAILED) else result.code
