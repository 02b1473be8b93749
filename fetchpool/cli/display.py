"""Progress and summary on stderr: which observers a run has, and how lines are printed.

In: the display options and the standard streams. Out: the observers for them. Rich is imported only for a
terminal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.signals import SignalHandler
from fetchpool.config.choices import PROGRESS, SUMMARIES
from fetchpool.config.options.table import OPTIONS
from fetchpool.config.outputs import refuse_log
from fetchpool.config.run_config import RunConfig
from fetchpool.config.validate import choice
from fetchpool.engine.events import Notice, Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import UsageError
from fetchpool.progress.color import ansi, is_colored
from fetchpool.progress.format import Line, counted
from fetchpool.progress.log import Log

if TYPE_CHECKING:  # loaded only with an option
    from fetchpool.cli.json_stderr import JsonStderr
    from fetchpool.progress.keyboard import Keyboard
    from fetchpool.progress.keys import Steerable
    from fetchpool.progress.log_file import LogFile, LogFileOptions

LOG_OPTIONS = [name for name, option in OPTIONS.items() if option.only_with == ("log_file", "")]


class DisplayOptions(Struct, frozen=True):
    """The display options of the command line."""

    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False
    display: str | None = None
    """The value of `--progress`."""
    no_keys: bool = False
    summary: str | None = None
    """`json`: one object instead of the summary and, without a terminal, nothing else."""
    log_file: str | None = None
    log_level: str | None = None
    log_max_size: str | None = None
    log_keep: str | None = None

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose are mutually exclusive")
        if self.summary is not None:
            choice("--summary", self.summary, SUMMARIES)
        if self.display is not None:
            choice("--progress", self.display, PROGRESS)
            if self.no_progress:
                raise UsageError("--progress and --no-progress are mutually exclusive")
        if self.log_file is None:
            for name in LOG_OPTIONS:
                if getattr(self, name) is not None:
                    raise UsageError(f"{OPTIONS[name].label} needs --log-file")

    @property
    def progress(self) -> str:
        """The form of the progress: one of `PROGRESS`."""
        return "none" if self.no_progress else self.display or "auto"

    @property
    def is_json(self) -> bool:
        """Whether standard error has only lines of JSON."""
        return self.display == "json"

    def log_options(self, inputs: Sequence[str], outputs: Sequence[str]) -> LogFileOptions | None:
        """Return the options of the log file, which is not one of the inputs or outputs; None if there is
        none."""
        if self.log_file is None:
            return None
        from fetchpool.progress.log_entry import Level
        from fetchpool.progress.log_file import LogFileOptions

        given = {name: getattr(self, name) for name in ("log_file", *LOG_OPTIONS)}
        options = [(OPTIONS[name], value) for name, value in given.items() if value is not None]
        checked = {option.name: option.type.check(option.label, value) for option, value in options}
        if "log_level" in checked:
            checked["log_level"] = Level(checked["log_level"])
        log = LogFileOptions(**{name.removeprefix("log_"): value for name, value in checked.items()})
        for number in range(log.keep + 1):
            refuse_log(f"{log.file}.{number}" if number else log.file, inputs, outputs)
        return log


class EventLog(Log):
    """A log without progress lines."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Print nothing."""


def stdout_is_visible(stdout: TextIO, stderr: TextIO) -> bool:
    """Whether rows on standard output may appear on the terminal. The reader of a pipe (`| grep error`)
    usually writes to the terminal, and a live display would erase its output."""
    if stdout.isatty():
        return True
    try:
        kind = os.fstat(stdout.fileno()).st_mode
    except (OSError, AttributeError):  # a StringIO raises io.UnsupportedOperation, an OSError
        return False
    return stderr.isatty() and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def is_live(display: DisplayOptions, stderr: TextIO, *, rows_on_terminal: bool) -> bool:
    """Whether there is a live display, which requires a terminal to which no rows are written."""
    if display.quiet or display.progress in ("plain", "none") or display.is_json or rows_on_terminal:
        return False
    return stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def open_observers(
    display: DisplayOptions, stderr: TextIO, stack: ExitStack, *, rows_on_terminal: bool
) -> list[Observer]:
    """Return the observers for these streams. Leaving `stack` closes them."""
    if display.quiet or (display.summary == "json" and not display.verbose and not stderr.isatty()):
        return []
    if is_live(display, stderr, rows_on_terminal=rows_on_terminal):
        from fetchpool.progress.display import Progress
        from fetchpool.progress.terminal import console

        return [stack.enter_context(Progress(console(stderr), verbose=display.verbose))]
    if display.progress == "none" or (rows_on_terminal and display.progress != "plain"):
        return [stack.enter_context(EventLog(stderr, verbose=display.verbose))]
    return [stack.enter_context(Log(stderr, verbose=display.verbose))]


def open_keyboard(
    display: DisplayOptions,
    observers: Sequence[Observer],
    inputs: Sequence[str],
    engine: Steerable,
    show_link: Callable[..., None] | None = None,
) -> Keyboard | None:
    """Return the keyboard that steers the engine and the live display; None if `--no-keys` is given, or if
    the list is typed on the terminal. Only for a run with a live display. `show_link`: shows a new link to
    the web page, if there is one."""
    if not takes_keys(display, inputs):
        return None
    from fetchpool.progress.display import Progress
    from fetchpool.progress.keyboard import Keyboard, open_terminal
    from fetchpool.progress.keys import Keys

    progress = next((each for each in observers if isinstance(each, Progress)), None)
    terminal = open_terminal() if progress is not None else None
    if progress is None or terminal is None:
        return None
    keys = Keys(engine, progress.view, lambda: progress.latest, progress.redraw, show_link)
    return Keyboard(terminal, keys.press, progress.view)


def takes_keys(display: DisplayOptions, inputs: Sequence[str]) -> bool:
    """Whether a run with a live display can be steered by keys."""
    return not display.no_keys and not _is_typed(inputs)


def _is_typed(inputs: Sequence[str]) -> bool:
    """Whether an input is a terminal, whose lines are the list."""
    for name in inputs:
        if name == "-":
            if os.isatty(0):
                return True
        elif name != os.devnull:
            with suppress(OSError, ValueError):  # a URL, or not a file
                if stat.S_ISCHR(Path(name).stat().st_mode):
                    return True
    return False


def json_stderr() -> JsonStderr | None:
    """Return the standard error of this command as lines of JSON; None if the system has no descriptors or
    threads left for it."""
    from fetchpool.cli import json_stderr

    return json_stderr.current


def open_json_progress(
    display: DisplayOptions, config: RunConfig, stderr: JsonStderr, stack: ExitStack
) -> list[Observer]:
    """Return the observers of `--progress json`. Leaving `stack` closes them."""
    if display.quiet:
        return []
    from fetchpool.progress.json_progress import JsonProgress, start_of

    progress = JsonProgress(stderr.write, start_of(config), verbose=display.verbose)
    return [stack.enter_context(progress)]


class Announcer(Observer):
    """Announces, through the observers on the terminal and in the log, that a signal is stopping the run or
    that the log file can't be written."""

    def __init__(self, observers: Sequence[Observer], log: LogFile | None = None) -> None:
        self._log = log
        self._observers = observers
        self._announced = False
        self.interruptions: SignalHandler | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if self._log is not None and (problem := self._log.take_problem()):
            self._announce(problem)
        code = self.interruptions.code if self.interruptions is not None else None
        if code is None or self._announced or not snapshot.stopping:
            return
        self._announced = True
        again = "a second SIGTERM aborts" if code is ExitCode.TERMINATED else "press Ctrl-C again to abort"
        self._announce(f"finishing {counted(snapshot.in_flight, 'request')}; {again}")

    def _announce(self, text: str) -> None:
        for observer in self._observers if self._log is None else (*self._observers, self._log):
            observer.on_event(Notice(text))


def print_lines(stderr: TextIO, lines: Sequence[Line]) -> None:
    """Print lines to stderr, in colour on a terminal, or as `--color` says."""
    with suppress(OSError):  # stderr is closed; the rows are written
        if stderr.isatty():
            from fetchpool.progress.terminal import console, show

            show(console(stderr), lines)
        else:
            write = ansi if is_colored(stderr) else str
            stderr.write("".join(f"{write(line)}\n" for line in lines))
            stderr.flush()
