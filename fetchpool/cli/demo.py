"""`fetchpool demo`: a run against a small server on this machine.

In: the number of URLs and some of the options of `run`. Out: a run against the demo server on loopback; exit
code 0 if only the missing pages of the demo failed.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import typer
from msgspec.structs import replace

from fetchpool.cli.configuration import configured
from fetchpool.cli.display import DisplayOptions, print_lines
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import parameter, takes
from fetchpool.config import validate
from fetchpool.config.choices import DEFAULT_OUTPUT
from fetchpool.config.configure import configure
from fetchpool.config.options.table import OPTIONS
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.format import Line, Span, Style, counted, line

RETRY_DELAY = 0.2
"""Seconds: the server's flaky pages need one or two retries, and a demo should not wait for a backoff."""
CONFIGURABLE = ("workers", "executor", "transport", "quiet", "verbose", "display", "no_progress", "color")
"""Options that the configuration can set. The rows of a demo don't belong in the outputs of a project."""
OUTPUT_HELP = "Append rows to PATH; '-' is standard output. (default: a temporary file, named in the summary)"


@takes(
    parameter(OPTIONS["number"], default="500"),
    *(parameter(OPTIONS[name]) for name in ("workers", "executor", "transport")),
    parameter(OPTIONS["outputs"], help=OUTPUT_HELP),
    *(parameter(OPTIONS[name]) for name in ("format", "quiet", "verbose", "display", "no_progress", "color")),
    *(parameter(OPTIONS[name]) for name in ("config", "no_config")),
)
def demo(ctx: typer.Context, number: str, outputs: list[str] | None, format: str | None, **typed: Any) -> int:
    """Try fetchpool without a network, on a small server on this machine."""
    configuration = configured(ctx, typed, [OPTIONS[name] for name in CONFIGURABLE])
    values = {name: configuration.values[name] for name in CONFIGURABLE}
    return configuration.run(partial(_demo, number, outputs, format, configuration.notices, **values))


def _demo(
    number: str,
    outputs: list[str] | None,
    format: str | None,
    notices: tuple[str, ...],
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    display: str | None,
    color: str | None,
    **settings: Any,
) -> int:
    del color  # it is set
    wanted = validate.integer("--number", number, 1)
    shown = DisplayOptions(quiet=quiet, verbose=verbose, no_progress=no_progress, display=display)
    from fetchpool.cli.demo_server.server import DemoServer
    from fetchpool.cli.demo_server.urls import demo_urls
    from fetchpool.cli.session import run_session

    with tempfile.TemporaryDirectory(prefix="fetchpool-demo-") as directory, DemoServer() as server:
        listed = Path(directory, "urls.txt")
        with listed.open("w") as urls:
            urls.writelines(f"{url}\n" for url in demo_urls(server.url("").rstrip("/"), wanted))
        config = configure(
            [str(listed)],
            outputs=outputs or [_temporary_output()],
            retry_delay=RETRY_DELAY,
            per_host=0,  # the demo has one host only
            format=format,
            **settings,
        )
        config = replace(config, notices=(*notices, *config.notices))
        checker = DemoChecker()
        result = run_session(config, shown, observers=[checker], repeatable=False)
    if result.snapshot is None or result.code not in (ExitCode.OK, ExitCode.FAILED):
        return result.code
    if checker.first is not None:
        print_error(f"demo failed: {checker.first}")
        return ExitCode.FAILED
    if not quiet:
        lines = [_verdict(checker.expected)]
        if not outputs:
            lines.append(line("the output file is kept; delete it when you are done"))
        print_lines(sys.stderr, lines)
    return ExitCode.OK


def _verdict(expected: int) -> Line:
    what = (
        f"only the {counted(expected, 'missing page')} of the demo failed" if expected else "nothing failed"
    )
    return line(Span("OK", Style.GOOD), f": {what}")


def _temporary_output() -> str:
    """Return a path in a new temporary directory, which is not removed: the user may read the rows."""
    return str(Path(tempfile.mkdtemp(prefix="fetchpool-demo-"), DEFAULT_OUTPUT))


class DemoChecker(Observer):
    """Compares each row with the expected result of its URL."""

    def __init__(self) -> None:
        self.expected = 0
        """Number of rows that failed as expected."""
        self.first: str | None = None
        """Message about the first unexpected row."""

    def on_records(self, records: list[Record]) -> None:
        from fetchpool.cli.demo_server.urls import expected_error

        for record in records:
            expected = expected_error(record.url)
            if record.error != expected:
                self.first = (
                    self.first
                    or f"{record.url} expected {expected or 'no error'}, got {record.error or 'no error'}"
                )
            elif record.error is not None:
                self.expected += 1
