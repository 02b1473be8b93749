"""`fetchpool [OPTIONS] [INPUT]...`: the `run` command, which is the default.

In: options as typed. Out: an exit code. `config` declares and checks the options, `session` runs the rest.
"""

from __future__ import annotations

import os
import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Any

import typer
from msgspec.structs import replace

from fetchpool.cli.again import showable
from fetchpool.cli.configuration import Configuration, configured, is_typed
from fetchpool.cli.display import DisplayOptions, print_lines
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.help import SHORT_HELP
from fetchpool.cli.options import accepted, argument, flag_name, parameter, takes
from fetchpool.config.choices import DEFAULT_OUTPUT
from fetchpool.config.configure import configure
from fetchpool.config.option import Scope
from fetchpool.config.options.table import OPTIONS, shown_default
from fetchpool.config.other_programs.table import ACCEPTED, always_on
from fetchpool.config.run_config import RunConfig
from fetchpool.config.web_options import WEB_OPTIONS, web_options
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import Line, Span, Style, line

DEFAULT_WORKERS = shown_default(OPTIONS["workers"])
INPUTS = argument(
    "inputs",
    "INPUT",
    "Files with one URL per line, '-' for standard input, and URLs; .gz, .bz2 and .zst are decompressed. "
    "Blank lines and lines that begin with '#' are skipped; a URL without a scheme gets http://. Without "
    "INPUT, standard input is read.",
    "demo",  # the first argument may be a command
    "compact",
    "report",
    "compare",
    "check",
    "broken",
)
RUN_OPTIONS = [option for option in OPTIONS.values() if option.usage and option.name != "number"]


@takes(INPUTS, *map(parameter, RUN_OPTIONS), *map(accepted, ACCEPTED))
def run(ctx: typer.Context, inputs: list[str] | None, **typed: Any) -> int:
    """Fetch every URL of the INPUT and append exactly one row for each to the output.

    TIME is seconds, or 500ms, 10s, 2m, 1h, 1d; SIZE is bytes, or 512k, 10M, 1G (1M is 1048576 bytes).
    """
    configuration = configured(ctx, typed, RUN_OPTIONS)
    if typed["print_config"] and configuration.failure is None:
        from fetchpool.cli.print_config import print_config

        print_config(configuration)
        return ExitCode.OK
    arguments = showable(ctx.find_root().obj or (), typed)
    return configuration.run(partial(_run, ctx, inputs, configuration, arguments))


def _run(
    ctx: typer.Context,
    inputs: list[str] | None,
    configuration: Configuration,
    arguments: tuple[str, ...] | None,
) -> int:
    """Run with the options of `configuration`. `arguments`: the arguments of the command, if they can be
    shown."""
    typed = configuration.values
    has_other_urls = typed["refresh"] is not None or typed["retry_failed"] or typed["sitemap"]
    if not inputs and not has_other_urls:
        if sys.stdin.isatty():
            if ctx.find_root().obj:
                print_error("nothing to read: name a file, pipe a list in, or try: fetchpool demo")
            else:
                typer.echo(SHORT_HELP, err=True)
            return ExitCode.USAGE
        inputs = ["-"]
    settings = settings_of(typed)
    if (
        typed["executor"] == "cluster"
        and not is_typed(ctx, "workers")
        and typed["workers"] == DEFAULT_WORKERS
    ):
        settings["workers"] = None  # depends on the workers that the cluster has
    config = configure(inputs or (), **settings)
    accepted_notices = [always_on(name) for name in ACCEPTED if typed[name.replace("-", "_")]]
    config = replace(config, notices=(*configuration.notices, *config.notices, *accepted_notices))
    if typed["dry_run"]:
        if config.recursive:
            raise UsageError(
                "--dry-run cannot be combined with --recursive: only a crawl itself can tell what it finds"
            )
        from fetchpool.cli.dry_run import dry_run

        return dry_run(config)
    if typed["report"] is not None:
        from fetchpool.cli.report import output_of_run

        output_of_run(typed["report"], config)
    display = DisplayOptions(**{name: typed[name] for name in DisplayOptions.__struct_fields__})
    web = web_options(**{name: typed[name] for name in WEB_OPTIONS}, environment=os.environ)
    from fetchpool.cli.session import run_session

    result = run_session(config, display, arguments=arguments, web=web)
    if result.failure is not None:
        print_error(result.failure)
    if config.links and not (display.quiet or display.is_json or display.summary == "json"):
        print_lines(sys.stderr, [each for each in [_check_line(config)] if each is not None])
    if typed["report"] is not None:
        from fetchpool.cli.report import report_run

        report_run(
            typed["report"], config, quiet=display.quiet or display.is_json or display.summary == "json"
        )
    return result.code


def _check_line(config: RunConfig) -> Line | None:
    """Return the line of the summary that suggests the command for broken links; None without a file of
    rows."""
    from fetchpool.progress.summary import LABEL_WIDTH

    output = next((each.path for each in config.outputs if each.path != "-"), None)
    if output is None:
        return None
    command = shlex.join(["fetchpool", "broken", output, "--links", config.links])
    return line(Span("check".ljust(LABEL_WIDTH), Style.QUIET), escape_invisible(command))


def with_password(user: str) -> str:
    """Return `name:password`, with a password from the terminal if there is none; unchanged without a
    terminal."""
    if ":" in user or not user or not (sys.stdin.isatty() or sys.stderr.isatty()):
        return user
    import getpass

    try:
        with Path("/dev/tty").open():
            return f"{user}:{getpass.getpass(f'Password of {user}: ')}"
    except (OSError, EOFError):
        return user


def settings_of(typed: dict[str, Any]) -> dict[str, Any]:
    """Return the keyword arguments for `configure()`."""
    settings: dict[str, Any] = {}
    for option in RUN_OPTIONS:
        if option.scope is not Scope.FLAG:
            value = typed[flag_name(option)]
            if value is None and option.type.none_is_no_limit and option.type.format is None:
                continue  # its default depends on others
            if isinstance(value, list):  # a program's list may be a value: an array for --json
                value = tuple(value)
            settings[option.name] = not value if option.is_negative else value
    versions = {"--http1.1": "1.1", "--http2": "2", "--http3": "3"}
    typed_versions = [
        flag for flag, name in zip(versions, ("http1", "http2", "http3"), strict=True) if typed[name]
    ]
    if len(typed_versions) > 1:
        raise UsageError(f"{' and '.join(typed_versions)} are mutually exclusive")
    settings["http_version"] = versions[typed_versions[0]] if typed_versions else ""
    if typed["head"]:
        if (typed["method"] or "HEAD").upper() not in ("GET", "HEAD"):
            raise UsageError(f"--head and --method {typed['method']} are mutually exclusive")
        for name in ("data", "json"):
            if typed[name]:
                raise UsageError(f"--head and --{name} are mutually exclusive")
        settings["method"] = "HEAD"
    if typed["user"] is not None and not (typed["netrc"] or typed["netrc_file"]):
        settings["user"] = with_password(typed["user"])
    settings["outputs"] = typed["outputs"] or [DEFAULT_OUTPUT]
    return settings
