"""Handles Ctrl-C and SIGTERM during a run: the first stops it, the second aborts it, the third exits.

    first                              start no new requests, finish those in flight      engine.stop()
    second                             cancel requests in flight; they have no rows       engine.abort()
    third, or 2 s after the second     exit at once

Ctrl-Z (SIGTSTP) suspends the process as usual, and the shell gets the terminal back as it was, with a cursor.
The same applies when SIGHUP or SIGQUIT ends the process.

A signal handler runs between any two instructions of the engine's thread. So it takes no lock, writes to no
stream and starts no thread, but only puts messages into reentrant queues.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.model.errors import NoThreadError
from fetchpool.runtime import threads

if TYPE_CHECKING:  # loaded only for a live display
    from fetchpool.progress.keyboard import Keyboard

ABORT_TIMEOUT = 2.0
"""Seconds from the second signal until the process exits."""
EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
SUSPENDING = (signal.SIGTSTP, signal.SIGHUP, signal.SIGQUIT)
"""Signals that suspend or end the process, after the terminal has been restored."""
SHOW_CURSOR = b"\x1b[?25h"
HIDE_CURSOR = b"\x1b[?25l"


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the process like Ctrl-C while a run is prepared, so that open files are closed."""
    if signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(int(ExitCode.TERMINATED))


def ignore_code(_code: int) -> None:
    """Do nothing before an immediate exit."""


class Stoppable(Protocol):
    """The part of the engine that a signal handler uses."""

    def stop(self) -> None: ...

    def abort(self) -> None: ...


class SignalHandler:
    """A context manager that handles SIGINT and SIGTERM during a run; after a signal it keeps handling them
    until the process exits."""

    def __init__(
        self,
        engine: Stoppable,
        *,
        hides_cursor: bool,
        keyboard: Keyboard | None = None,
        before_exit: Callable[[int], object] = ignore_code,
    ) -> None:
        """`hides_cursor`: the live display hides the cursor, so an immediate exit has to show it again.
        `keyboard`: it changes the terminal's settings. `before_exit`: called with the exit code before an
        immediate exit; must not block."""
        self._engine = engine
        self._hides_cursor = hides_cursor
        self._keyboard = keyboard
        self._before_exit = before_exit
        self._count = 0
        self._overdue: SimpleQueue[bool] = SimpleQueue()
        self._before: dict[signal.Signals, object] = {}
        self.code: ExitCode | None = None
        """The exit code for the last signal received; None if there was none."""

    def __enter__(self) -> SignalHandler:
        with suppress(NoThreadError):  # a third signal still exits
            threads.start(self._watch, "fetchpool-deadline")
        if self._hides_cursor:
            for number in SUSPENDING:
                if signal.getsignal(number) is signal.SIG_DFL:
                    self._before[number] = signal.signal(number, self._on_suspend)
            if signal.getsignal(signal.SIGCONT) is signal.SIG_DFL:
                self._before[signal.SIGCONT] = signal.signal(signal.SIGCONT, self._on_continue)
        for number in EXIT_CODES:
            # A signal ignored from the start stays ignored: `nohup`, or `&` in a script.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._on_signal)
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is not None:
            return  # Ctrl-C must work until the process exits, also during the summary
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned, it takes
        self._overdue.put(False)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self.code = EXIT_CODES[signal.Signals(number)]
        self._count += 1
        if self._count == 1:
            self._engine.stop()
        elif self._count == 2:
            self._engine.abort()
            self._overdue.put(True)
        else:
            self._end()

    def _on_suspend(self, number: int, _frame: FrameType | None) -> None:
        """Restore the terminal, and do what the signal does by default: stop or end the process."""
        if self._keyboard is not None:
            self._keyboard.restore()
        _write_if_possible(SHOW_CURSOR)
        handler = signal.signal(number, signal.SIG_DFL)
        signal.raise_signal(number)  # returns when the shell continues the process
        signal.signal(number, handler)
        self._on_continue(signal.SIGCONT, None)

    def _on_continue(self, _number: int, _frame: FrameType | None) -> None:
        """Hide the cursor again for the display and read keys, unless the shell has the terminal (`bg`)."""
        if self._keyboard is not None:
            self._keyboard.resume()
        with suppress(OSError):
            if os.tcgetpgrp(2) == os.getpgrp():
                _write_if_possible(HIDE_CURSOR)

    def _watch(self) -> None:
        """Exit if the run has not ended soon after the second signal. This needs its own thread, as the
        engine's may be blocked in a write."""
        if self._overdue.get():
            try:
                self._overdue.get(timeout=ABORT_TIMEOUT)
            except Empty:
                self._end()

    def _end(self) -> None:
        # Outputs contain complete rows at any moment; nothing else needs cleaning up.
        if self._keyboard is not None:
            self._keyboard.restore()
        if self._hides_cursor:
            _write_if_possible(SHOW_CURSOR)
        code = self.code or ExitCode.INTERRUPTED
        with suppress(Exception):
            self._before_exit(code)
        os._exit(code)


def _write_if_possible(sequence: bytes) -> None:
    """Write to the terminal, unless it is stopped (Ctrl-S): a handler must not block."""
    with suppress(OSError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, sequence)
