"""Ctrl-C and SIGTERM during a run: once to stop, twice to stop at once, and a way out in any case.

    first    no new requests; what is in flight ends by itself      engine.stop()
    second   what is in flight is ended; its rows are left out      engine.abort()
    third, or when the second has not ended the run in two seconds  the process ends here and now

A handler runs between any two instructions of the engine's thread. So it takes no lock, writes to no
stream and starts no thread: it only puts words into queues that are made for that.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from types import FrameType
from typing import Protocol

from fetchpool.cli.exit_codes import ExitCode
from fetchpool.model.errors import NoThreadError
from fetchpool.runtime import threads

PATIENCE = 2.0
"""Seconds that a run has to end after the second signal."""
EXIT_CODES = {signal.SIGINT: ExitCode.INTERRUPTED, signal.SIGTERM: ExitCode.TERMINATED}
SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def terminable() -> Iterator[None]:
    """While a run is prepared, SIGTERM ends the process as Ctrl-C does: all that is open is closed."""
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


class Stoppable(Protocol):
    """What can be told to end from a signal handler: the engine."""

    def stop(self) -> None: ...

    def abort(self) -> None: ...


class SignalHandler:
    """While open as a context, SIGINT and SIGTERM are heard and passed on; once one was, until the
    process has ended."""

    def __init__(self, engine: Stoppable, *, hides_cursor: bool) -> None:
        """`hides_cursor`: a display has stderr's terminal, and can't tidy up if the process ends now."""
        self._engine = engine
        self._hides_cursor = hides_cursor
        self._count = 0
        self._overdue: SimpleQueue[bool] = SimpleQueue()
        self._before: dict[signal.Signals, object] = {}
        self.code: ExitCode | None = None
        """Of the last signal that was heard; None when there was none."""

    def __enter__(self) -> SignalHandler:
        with suppress(NoThreadError):  # a third signal ends the process all the same
            threads.start(self._watch, "fetchpool-deadline")
        for number in EXIT_CODES:
            # Ignored from the start is meant: `nohup`, or `&` in a script.
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._heard)
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is not None:
            return  # who has pressed Ctrl-C once is heard until the process has ended, summary and all
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned, it takes
        self._overdue.put(False)

    def _heard(self, number: int, _frame: FrameType | None) -> None:
        self.code = EXIT_CODES[signal.Signals(number)]
        self._count += 1
        if self._count == 1:
            self._engine.stop()
        elif self._count == 2:
            self._engine.abort()
            self._overdue.put(True)
        else:
            self._end()

    def _watch(self) -> None:
        """In a thread of its own: the engine's may be stuck in a write that nobody reads."""
        if self._overdue.get():
            try:
                self._overdue.get(timeout=PATIENCE)
            except Empty:
                self._end()

    def _end(self) -> None:
        # The outputs hold whole rows only, at any moment; nothing else here needs an orderly end.
        if self._hides_cursor:
            with suppress(OSError):
                os.write(2, SHOW_CURSOR)
        os._exit(self.code or ExitCode.INTERRUPTED)
