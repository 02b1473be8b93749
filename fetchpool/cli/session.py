"""A session: one run of the command line, with engine, signals, display and summary.

In: a `RunConfig` and display options. Out: rows in the outputs, progress and summary on stderr, and an exit
code. `UsageError` and `OutputError` are handled by `main.py`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import asdict

from fetchpool.cli.again import resume_hint, retry_hint
from fetchpool.cli.display import (
    DisplayOptions,
    StopAnnouncer,
    is_live,
    open_observers,
    print_lines,
    stdout_is_visible,
)
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.signals import SignalHandler, terminable
from fetchpool.config.run_config import RunConfig
from fetchpool.config.web_options import WebOptions
from fetchpool.engine.build import build
from fetchpool.engine.engine import RunResult
from fetchpool.engine.events import Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import OutputClosedError, OutputError
from fetchpool.model.record import Record
from fetchpool.progress.format import Line
from fetchpool.progress.summary import summary
from fetchpool.progress.summary_json import summary_object
from fetchpool.sources.base import Source

if TYPE_CHECKING:  # loaded only with --refresh and --web
    from fetchpool.history.refresh import PreviousRun
    from fetchpool.web.launch import WebPage


GC_THRESHOLD = 20_000
"""New objects after which the garbage collector looks for cycles."""


class SessionResult(Struct, frozen=True):
    """How a session ended."""

    code: ExitCode
    snapshot: Snapshot | None
    """The run's last snapshot; None if the reader of standard output closed it."""
    failure: str | None = None
    """An error to print after the summary: an input that could not be read to its end."""


def run_session(
    config: RunConfig,
    display: DisplayOptions,
    *,
    source: Source | None = None,
    observers: Sequence[Observer] = (),
    repeatable: bool = True,
    arguments: Sequence[str] | None = None,
    web: WebOptions | None = None,
) -> SessionResult:
    """Run to the end of the input, or until a signal. `repeatable`: running the same command again would read
    the same list. `arguments`: those of the command, if they can be shown. `web`: the web page's options, if
    there is one."""
    page: WebPage | None = None
    rows_out = any(output.path == "-" for output in config.outputs)
    rows_on_terminal = rows_out and stdout_is_visible(sys.stdout, sys.stderr)
    hides_cursor = is_live(display, sys.stderr, rows_on_terminal=rows_on_terminal)
    with ExitStack() as stack:
        shown = open_observers(display, sys.stderr, stack, rows_on_terminal=rows_on_terminal)
        stop_notice = StopAnnouncer(shown)
        with terminable():
            if config.executor == "process":  # before Ctrl-C is handled
                from fetchpool.pools.process.fork_server import process_context
                from fetchpool.sinks.stdout import diverted

                with diverted() if rows_out else nullcontext():  # workers inherit the fork server's stdout
                    process_context(config.fetch, is_command=True)
            old = _previous_run(config)
            if web is not None:
                from fetchpool.cli.web_page import open_page

                page = open_page(web, config, shown, stack, arguments)
                observers = [*observers, page]
            bodies = SavedBodyCounter()
            watching = [*observers, bodies] if config.fetch.save else observers
            engine = build(config, observers=[*shown, stop_notice, *watching], source=source, old=old)
        if page is not None:
            page.steered_by(engine.steer)
        with tuned_gc(config), SignalHandler(engine, hides_cursor=hides_cursor) as interruptions:
            stop_notice.interruptions = interruptions
            try:
                result = engine.run()
            except OutputClosedError:
                if page is not None:
                    page.end(ExitCode.OK)
                return SessionResult(ExitCode.OK, None)
            except OutputError as failure:
                if page is not None:
                    page.end(ExitCode.OUTPUT, [str(failure)])
                if display.summary == "json":
                    _print_json(summary_object(engine.result(), config, ExitCode.OUTPUT, saved=bodies.saved))
                raise
    changes = None if old is None else asdict(old.changes)
    code = _code(result, interruptions.code)
    lines: list[Line] = []
    if page is not None or (display.summary != "json" and not display.quiet):
        lines = summary(
            result,
            config,
            resume=resume_hint(config) if repeatable else "",
            again=retry_hint(config, arguments) if repeatable else "",
            saved=bodies.saved,
            changes=changes,
        )
    if display.summary == "json":
        _print_json(summary_object(result, config, code, saved=bodies.saved, changes=changes))
    elif not display.quiet:
        print_lines(sys.stderr, lines)
    if page is not None:
        page.end(code, [str(each) for each in lines])
    return SessionResult(code, result.snapshot, result.input_failure)


def _print_json(summary: dict[str, Any]) -> None:
    """Print the summary as one line of JSON on standard error."""
    with suppress(OSError):  # stderr is closed; the rows are written
        sys.stderr.write(f"{msgspec.json.encode(summary).decode()}\n")
        sys.stderr.flush()


@contextmanager
def tuned_gc(config: RunConfig) -> Iterator[None]:
    """Tune the garbage collector for the run, which saves a twentieth of the CPU time per URL: imported
    objects are frozen, and it runs less often, since a fetch leaves no cycles behind. A user's parser may,
    and then it runs as often as usual."""
    before = gc.get_threshold()
    gc.freeze()
    if not config.fetch.parse:
        gc.set_threshold(GC_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _previous_run(config: RunConfig) -> PreviousRun | None:
    if not config.refresh:
        return None
    from fetchpool.history.refresh import PreviousRun

    return PreviousRun(config.refresh)


class SavedBodyCounter(Observer):
    """Counts the rows whose body was saved."""

    def __init__(self) -> None:
        self.saved = 0

    def on_records(self, records: list[Record]) -> None:
        self.saved += sum(1 for record in records if "filename_effective" in record.extra)


def _code(result: RunResult, interrupted: ExitCode | None) -> ExitCode:
    if interrupted is not None:
        return interrupted
    if result.input_failure is not None:
        return ExitCode.USAGE
    if result.stopped_by:
        return ExitCode.LIMIT
    if result.steered_by:
        return ExitCode.STOPPED
    return ExitCode.FAILED if result.snapshot.done > result.snapshot.ok else ExitCode.OK
