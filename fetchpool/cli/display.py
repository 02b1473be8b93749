"""What a person sees while a run goes on and when it is over, all of it on stderr.

In: the display's flags and what the streams are. Out: the observers that suit them, and the summary's
lines written. Rich is imported only for a terminal.
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
from fetchpool.engine.events import Notice, Snapshot
from fetchpool.engine.observers import Observer
from fetchpool.model.errors import UsageError
from fetchpool.progress.format import Line
from fetchpool.progress.log import Log


class DisplayOptions(Struct, frozen=True):
    """How much is shown, as asked for."""

    quiet: bool = False
    verbose: bool = False
    no_progress: bool = False

    def __post_init__(self) -> None:
        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose contradict each other; leave one out")


class EventLog(Log):
    """A log without the line every few seconds."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """Progress isn't wanted."""


def stdout_is_visible(stdout: TextIO, stderr: TextIO) -> bool:
    """Whether rows on standard output come up on stderr's terminal, or may: what reads a pipe (`| cat`,
    `| grep error:`) mostly writes to the same one, and a display that redraws itself would erase that."""
    if stdout.isatty():
        return True
    try:
        kind = os.fstat(stdout.fileno()).st_mode
    except (OSError, AttributeError):  # a StringIO: io.UnsupportedOperation is an OSError
        return False
    return stderr.isatty() and (stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind))


def is_live(display: DisplayOptions, stderr: TextIO, *, rows_on_terminal: bool) -> bool:
    """Whether the display redraws itself: on a terminal that no rows run through."""
    if display.quiet or display.no_progress or rows_on_terminal:
        return False
    return stderr.isatty() and os.environ.get("TERM") not in ("dumb", "unknown")


def open_observers(
    display: DisplayOptions, stderr: TextIO, stack: ExitStack, *, rows_on_terminal: bool
) -> list[Observer]:
    """The observers, which end with `stack` however the run does."""
    if display.quiet:
        return []
    if is_live(display, stderr, rows_on_terminal=rows_on_terminal):
        from fetchpool.progress.display import Progress
        from fetchpool.progress.terminal import console

        return [stack.enter_context(Progress(console(stderr), verbose=display.verbose))]
    if display.no_progress or rows_on_terminal:
        return [stack.enter_context(EventLog(stderr, verbose=display.verbose))]
    return [stack.enter_context(Log(stderr, verbose=display.verbose))]


class StopAnnouncer(Observer):
    """Says that a signal was heard, by way of the observers that own the screen."""

    def __init__(self, observers: Sequence[Observer]) -> None:
        self._observers = observers
        self._said = False
        self.interruptions: SignalHandler | None = None

    def on_snapshot(self, snapshot: Snapshot) -> None:
        code = self.interruptions.code if self.interruptions is not None else None
        if code is None or self._said or not snapshot.stopping:
            return
        self._said = True
        again = "a second SIGTERM stops" if code is ExitCode.TERMINATED else "press Ctrl-C again to stop"
        notice = Notice(f"stopping: {snapshot.in_flight:,} in flight; {again} at once")
        for observer in self._observers:
            observer.on_event(notice)


def print_lines(stderr: TextIO, lines: Sequence[Line]) -> None:
    """The summary, with colours where there is a terminal for them."""
    with suppress(OSError):  # nobody is there to read it; the rows are safe
        if stderr.isatty():
            from fetchpool.progress.terminal import console, show

            show(console(stderr), lines)
        else:
            stderr.write("".join(f"{line}\n" for line in lines))
            stderr.flush()
