"""Processes that somebody has stopped (SIGSTOP): they neither work nor die, and no deadline of theirs is ever
reached (fault 46).

In: the process ids of a pool's workers, and of the server that starts them. Out: workers that stay stopped
are killed, so that the pool sees them die and what they had runs again; the server, which may be others' too,
is continued. Only Linux tells; elsewhere nothing is done.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path

from fetchpool.model.errors import NoThreadError
from fetchpool.runtime import threads

EVERY = 1.0
"""Seconds between two looks. A process is killed when it was stopped in two of them: after Ctrl-Z and
`fg` the workers may be woken a moment later than we are."""
STOPPED = "T"
"""By job control; one that a debugger holds is `t` (proc(5))."""


class StoppedWorkerKiller:
    """A thread that looks at some processes until `close()`."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[str, signal.Signals]] = {}
        """By process id: when it started, since another process may get the number later; what it is sent."""
        self._stopped: set[int] = set()
        self._closed = threading.Event()
        if sys.platform == "linux":
            with suppress(NoThreadError):  # it is for what hardly ever happens
                threads.start(self._run, "fetchpool-lookout")

    def add(self, pid: int | None, signal_for_it: signal.Signals) -> None:
        """A process has started, and is to get a signal when it stays stopped. From any thread."""
        status = None if pid is None else status_of(pid)
        if pid is not None and status is not None:
            self._watched[pid] = (status[1], signal_for_it)

    def close(self) -> None:
        """There is nothing left to look at. Idempotent."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(EVERY):
            stopped = set()
            for pid, (born, _) in list(self._watched.items()):
                status = status_of(pid)
                if status is None or status[1] != born:
                    del self._watched[pid]
                elif status[0] == STOPPED:
                    stopped.add(pid)
            for pid in stopped & self._stopped:
                with suppress(OSError):  # it is gone by itself
                    os.kill(pid, self._watched[pid][1])
            self._stopped = stopped


def status_of(pid: int) -> tuple[str, str] | None:
    """The state of a process and when it started; None when there is no such process, or no telling."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], fields[19]  # the 3rd and the 22nd: the 2nd is the name, which may hold anything
