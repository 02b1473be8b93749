"""A session: one run of the command line, with engine, signals, display and summary.

In: a `RunConfig` and display options. Out: rows in the outputs, progress and summary on stderr, and an exit
code. `UsageError` and `OutputError` are handled by `main.py`.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.cli.display import (
    Announcer,
    DisplayOptions,
    is_live,
    json_stderr,
    open_json_progress,
    open_keyboard,
    open_observers,
    stdout_is_visible,
    takes_keys,
)
from fetchpool.cli.ending import Ending
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.signals import SignalHandler, ignore_code, terminable
from fetchpool.config.run_config import RunConfig
from fetchpool.config.web_options import WebOptions
from fetchpool.engine.build import build
from fetchpool.engine.engine import RunResult
from fetchpool.engine.events import Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import OutputClosedError, OutputError, UsageError

if TYPE_CHECKING:  # loaded only with an option
    from fetchpool.history.refresh import PreviousRun
    from fetchpool.progress.log_file import LogFile


NOT_STARTED = (
    "--paused: nothing could start this run; add --web, or run it on a terminal, where the key p starts it"
)
GC_THRESHOLD = 20_000
"""Number of new objects after which the garbage collector looks for cycles."""


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
    observers: Sequence[Observer] = (),
    repeatable: bool = True,
    arguments: Sequence[str] | None = None,
    web: WebOptions | None = None,
    keeps_outputs: bool = True,
) -> SessionResult:
    """Run to the end of the input, or until a signal. `repeatable`: running the same command again would read
    the same list. `arguments`: the arguments of the command, if they can be shown. `web`: the options of the
    web page, if there is one. `keeps_outputs`: the outputs are files of the user, not temporary files, which
    the summary does not mention."""
    log = _open_log(config, display)
    stderr = json_stderr() if display.is_json else None
    shown_config = config if keeps_outputs else replace(config, outputs=())
    ending = Ending(shown_config, display, repeatable=repeatable, arguments=arguments, log=log, stderr=stderr)
    rows_out = any(output.path == "-" for output in config.outputs)
    rows_on_terminal = rows_out and (
        sys.stdout.isatty() if display.progress == "bar" else stdout_is_visible(sys.stdout, sys.stderr)
    )
    hides_cursor = is_live(display, sys.stderr, rows_on_terminal=rows_on_terminal)
    before_exit = ignore_code if stderr is None else stderr.finish_at_once
    try:
        if (hides_cursor and takes_keys(display, config.inputs)) or (web is not None and not web.read_only):
            from fetchpool.config.ceiling import with_ceiling

            config = with_ceiling(config)
        elif config.paused:
            raise UsageError(NOT_STARTED)
        with ExitStack() as stack:
            if stderr is not None:
                shown = open_json_progress(display, config, stderr, stack)
            else:
                shown = open_observers(display, sys.stderr, stack, rows_on_terminal=rows_on_terminal)
            announcer = Announcer(shown, log)
            with terminable():
                if config.executor == "process":  # before Ctrl-C is handled
                    _start_fork_server(config, rows_out)
                ending.old = old = _previous_run(config)
                watching: list[Observer] = [*shown, announcer, *observers]
                if web is not None:
                    from fetchpool.cli.web_page import open_page

                    ending.page = open_page(web, config, shown, stack, arguments)
                    watching.append(ending.page)
                if config.fetch.save:
                    watching.append(ending.bodies)
                if log is not None:
                    watching.append(log)
                engine = build(config, observers=watching, old=old)
            if ending.page is not None:
                ending.page.steered_by(engine.steer)
            show_link = None if ending.page is None else ending.page.show_link
            keyboard = (
                open_keyboard(display, shown, config.inputs, engine, show_link) if hides_cursor else None
            )
            with (
                tuned_gc(config),
                SignalHandler(
                    engine, hides_cursor=hides_cursor, keyboard=keyboard, before_exit=before_exit
                ) as interruptions,
                keyboard or nullcontext(),
            ):
                announcer.interruptions = interruptions
                try:
                    result = engine.run()
                except OutputClosedError:
                    ending.closed(engine.result())
                    return SessionResult(ExitCode.OK, None)
                except OutputError as error:
                    ended = ending.failed(engine.result(), error)
                    raise ended from error
    except BaseException as error:
        ending.raised(error)
        raise
    code = _code(result, interruptions.code)
    ending.completed(result, code)
    failure = f"--cluster: {result.lost}" if code is ExitCode.CLUSTER else result.input_failure
    return SessionResult(code, result.snapshot, failure)


def _open_log(config: RunConfig, display: DisplayOptions) -> LogFile | None:
    """Open the log file. Raises `UsageError`."""
    written = (*(output.path for output in config.outputs), config.warc, config.cookie_jar)
    options = display.log_options(config.inputs, [path for path in written if path])
    if options is None:
        return None
    from fetchpool.progress.event_logger import started_message
    from fetchpool.progress.log_file import LogFile

    return LogFile(options, started_message(config))


def _start_fork_server(config: RunConfig, rows_out: bool) -> None:
    from fetchpool.pools.process.fork_server import process_context
    from fetchpool.sinks.stdout import diverted

    with diverted() if rows_out else nullcontext():  # workers inherit the fork server's stdout
        process_context(config.fetch, is_command=True)


@contextmanager
def tuned_gc(config: RunConfig) -> Iterator[None]:
    """Tune the garbage collector for the run, which saves a twentieth of the CPU time per URL: imported
    objects are frozen, and it runs less often, since a fetch leaves no cycles behind. With a user's parser,
    which may leave some, it runs as often as usual."""
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


def _code(result: RunResult, interrupted: ExitCode | None) -> ExitCode:
    if interrupted is not None:
        return interrupted
    if result.lost:
        return ExitCode.CLUSTER
    if result.input_failure is not None:
        return ExitCode.USAGE
    if result.stopped_by:
        return ExitCode.LIMIT
    if result.steered_by:
        return ExitCode.STOPPED
    failed = result.snapshot.done - result.snapshot.ok
    if result.crawl is not None:
        failed -= result.crawl.disallowed
    return ExitCode.FAILED if failed > 0 else ExitCode.OK
