"""The lifeline of worker processes: a pipe that only the parent holds the writing end of. It ends when the
parent closes it, or dies, however it dies, and every process that holds on to it ends with it.

In: nothing is ever written. Out: its end.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext

from fetchpool.runtime import forks, threads

F_SETSIG = 10
"""fcntl(2), Linux's own: the signal to send instead of SIGIO."""


class Lifeline:
    """The parent's side."""

    def __init__(self, context: BaseContext) -> None:
        self.reader, self._writer = context.Pipe(duplex=False)
        self._lock = threading.Lock()
        forks.tell(self)

    def close(self) -> None:
        """The processes end, and none will be started any more. Idempotent."""
        with self._lock:
            self._writer.close()
            self.reader.close()

    def forked(self) -> None:
        """A child that holds the writing end would keep the processes alive."""
        self._lock = threading.Lock()
        self.close()


def hold_on(lifeline: Connection) -> None:
    """In a worker process: it ends with the lifeline, whatever its threads are doing then. Raises
    `NoThreadError`."""
    threads.start(_end_with, "lifeline", lifeline)
    if sys.platform == "linux":
        # That thread may never get the interpreter (a regular expression that backtracks for ever): the
        # kernel needs nobody. Whom it signals is said of an open file: this process opens one of its own.
        with suppress(OSError):  # no /proc
            descriptor = os.open(f"/proc/self/fd/{lifeline.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
            fcntl.fcntl(descriptor, F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def _end_with(lifeline: Connection) -> None:
    lifeline.poll(None)  # readable only at its end
    os._exit(1)
