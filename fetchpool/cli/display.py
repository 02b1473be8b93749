"""Progress and summary on stderr: which observers a run has, and how lines are printed.

In: the display options and the standard streams. Out: the observers for them. Rich is imported only for a
terminal.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import TextIO

from msgspec import Struct

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.cli.signals import SignalHandler
from fetchpool.config.choices import SUMMARIES
from fetchpool.config.validate import choice
from fetchpool.engine.events import Notice, Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import UsageError
from fetchpool.progress.color import ansi, is_colored
from fetchpool.progress.format import Line, counted
from fetchpool.progress.log import Log


class DisplayOptions(Struct, frozen=True):
    """The display options of the command line."""

    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False
    summary: str | None = None
    """`json`: one object in place of the summary, and nothing else where no terminal is."""

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose are mutually exclusive")
        if self.summary is not None:
            choice("--summary", self.summary, SUMMARIES)


class EventLog(Log):
    """A log without progress lines."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Print nothing."""


def stdout_is_visible(stdout: TextIO, stderr: TextIO) -> bool:
    """Whether rows on standard output may appear on the terminal. The reader of a pipe (`| grep error`)
    mostly writes to it, and a live display would erase its output."""
    if stdout.isatty():
        return True
    try:
        kind = os.fstat(stdout.fileno()).st_mode
    except (OSError, AttributeError):  # a StringIO raises io.UnsupportedOperation, an OSError
        return False
    return stderr.isatty() and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def is_live(display: DisplayOptions, stderr: TextIO, *, rows_on_terminal: bool) -> bool:
    """Whether there is a live display: on a terminal to which no rows are written."""
    if display.quiet or display.no_progress or rows_on_terminal:
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
    if display.no_progress or rows_on_terminal:
        return [stack.enter_context(EventLog(stderr, verbose=display.verbose))]
    return [stack.enter_context(Log(stderr, verbose=display.verbose))]


class StopAnnouncer(Observer):
    """Announces that a signal is stopping the run, through the observers that write to the terminal."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._announced = False
        self.interruptions: SignalHandler | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        code = self.interruptions.code if self.interruptions is not None else None
        if code is None or self._announced or not snapshot.stopping:
            return
        self._announced = True
        again = "a second SIGTERM aborts" if code is ExitCode.TERMINATED else "press Ctrl-C again to abort"
        notice = Notice(f"finishing {counted(snapshot.in_flight, 'request')}; {again}")
        for observer in self._observers:
            observer.on_event(notice)


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
