"""A pipe whose write end only the parent has. When the parent closes it or ends, for whatever reason, every
worker process ends.

In: nothing is ever written. Out: the end of the pipe.
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
"""fcntl(2), Linux only: sets the signal that is sent instead of SIGIO."""


class ParentPipe:
    """The parent's end."""

    def __init__(self, context: BaseContext) -> None:
        self.reader, self._writer = context.Pipe(duplex=False)
        self._lock = threading.Lock()
        forks.notify_child(self)

    def close(self) -> None:
        """End the processes; no more can be started. Idempotent."""
        with self._lock:
            self._writer.close()
            self.reader.close()

    def forked(self) -> None:
        """Close both ends in a child, whose write end would keep the processes alive."""
        self._lock = threading.Lock()
        self.close()


def end_with(pipe: Connection) -> None:
    """Make this worker process end at the end of the pipe, whatever its threads are doing. Raises
    `NoThreadError`."""
    threads.start(_wait_and_exit, "parent pipe", pipe)
    if sys.platform == "linux":
        # That thread may never get the GIL (a regular expression that backtracks forever), so the kernel
        # kills the process as well. The receiver of its signal is a property of an open file, which processes
        # may share: this process opens its own.
        with suppress(OSError):  # no /proc
            descriptor = os.open(f"/proc/self/fd/{pipe.fileno()}", os.O_RDONLY | os.O_CLOEXEC)
            fcntl.fcntl(descriptor, F_SETSIG, signal.SIGKILL)
            fcntl.fcntl(descriptor, fcntl.F_SETOWN, os.getpid())
            fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_ASYNC)


def _wait_and_exit(pipe: Connection) -> None:
    pipe.poll(None)  # readable only at its end
    os._exit(1)
