"""`fetchpool demo`: the whole thing on this machine alone, with nothing to prepare.

In: how many URLs, and the flags worth playing with. Out: a live run against a small server of our own
on loopback, and exit code 0 when what failed is what was meant to fail.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from fetchpool.cli.display import DisplayOptions, print_lines
from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.options import parameter, takes
from fetchpool.config import validate
from fetchpool.config.configure import configure
from fetchpool.config.options import DEFAULT_OUTPUT, OPTIONS
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.format import Line, Span, Style, counted, line

RETRY_DELAY = 0.2
"""Seconds: the server's flaky pages come right at once, and nobody wants to watch a backoff."""


OUTPUT_HELP = "Append rows to PATH; '-' is standard output. (default: a temporary file, named in the summary)"


@takes(
    parameter(OPTIONS["number"], default="500"),
    *(parameter(OPTIONS[name]) for name in ("workers", "executor", "transport")),
    parameter(OPTIONS["outputs"], help=OUTPUT_HELP),
    *(parameter(OPTIONS[name]) for name in ("format", "quiet", "verbose", "no_progress")),
)
def demo(
    number: str,
    outputs: list[str] | None,
    quiet: bool,
    verbose: bool,
    no_progress: bool,
    **settings: Any,
) -> int:
    """Try it: fetch from a small server on this machine, no network needed."""
    wanted = validate.whole("--number", number, 1)
    display = DisplayOptions(quiet=quiet, verbose=verbose, no_progress=no_progress)
    from fetchpool.cli.demo_server.server import DemoServer
    from fetchpool.cli.demo_server.urls import demo_urls
    from fetchpool.cli.session import hold

    with tempfile.TemporaryDirectory(prefix="fetchpool-demo-") as folder, DemoServer() as server:
        listed = Path(folder, "urls.txt")
        with listed.open("w") as urls:
            urls.writelines(f"{url}\n" for url in demo_urls(server.url("").rstrip("/"), wanted))
        config = configure(
            [str(listed)],
            outputs=outputs or [_kept_output()],
            retry_delay=RETRY_DELAY,
            per_host=0,  # there is only one host, and it is ours
            **settings,
        )
        surprises = DemoChecker()
        ended = hold(config, display, observers=[surprises], repeatable=False)
    if ended.snapshot is None or ended.code not in (ExitCode.OK, ExitCode.FAILED):
        return ended.code
    if surprises.first is not None:
        print_error(f"demo failed: {surprises.first}")
        return ExitCode.FAILED
    if not quiet:
        said = [_verdict(surprises.expected)]
        if not outputs:
            said.append(line("the output file is kept; delete it when you are done"))
        print_lines(sys.stderr, said)
    return ExitCode.OK


def _verdict(expected: int) -> Line:
    what = (
        f"only the {counted(expected, 'missing page')} of the demo failed" if expected else "nothing failed"
    )
    return line(Span("OK", Style.GOOD), f": {what}")


def _kept_output() -> str:
    """A file that stays, for the person to look into."""
    return str(Path(tempfile.mkdtemp(prefix="fetchpool-demo-"), DEFAULT_OUTPUT))


class DemoChecker(Observer):
    """Compares each row with what the server was meant to answer."""

    def __init__(self) -> None:
        self.expected = 0
        """Rows that failed and were meant to."""
        self.first: str | None = None
        """What was wrong with the first row that is not as it should be."""

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
