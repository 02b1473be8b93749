"""Kills worker processes that stay stopped (SIGSTOP): such processes neither work nor end, and their timeouts
never expire (fault 46).

In: the process ids of a pool's workers, and of the fork server. Out: workers that stay stopped are killed, so
that the pool runs their requests again; the fork server, which other pools may use, is continued. Only Linux
reports stopped processes; on other systems nothing is done.
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

CHECK_INTERVAL = 1.0
"""Seconds between two checks. A process is killed when two checks in a row find it stopped: after Ctrl-Z and
`fg` the workers may continue a moment later than their parent."""
STOPPED = "T"
"""Stopped by a signal; a process stopped by a debugger is `t` (proc(5))."""


class StoppedWorkerKiller:
    """A thread that checks the added processes until `close()`."""

    def __init__(self) -> None:
        self._watched: dict[int, tuple[str, signal.Signals]] = {}
        """By process id: the start time, since the id may be reused later, and the signal to send."""
        self._stopped: set[int] = set()
        self._closed = threading.Event()
        if sys.platform == "linux":
            with suppress(NoThreadError):  # the pool works without it
                threads.start(self._run, "fetchpool-stopped-workers")

    def add(self, pid: int | None, signal_for_it: signal.Signals) -> None:
        """Watch a process that has started, and send it the signal if it stays stopped. Any thread may call
        it."""
        status = None if pid is None else status_of(pid)
        if pid is not None and status is not None:
            self._watched[pid] = (status[1], signal_for_it)

    def close(self) -> None:
        """End the thread. Idempotent."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.wait(CHECK_INTERVAL):
            stopped = set()
            for pid, (born, _) in list(self._watched.items()):
                status = status_of(pid)
                if status is None or status[1] != born:
                    del self._watched[pid]
                elif status[0] == STOPPED:
                    stopped.add(pid)
            for pid in stopped & self._stopped:
                with suppress(OSError):  # it has ended meanwhile
                    os.kill(pid, self._watched[pid][1])
            self._stopped = stopped


def status_of(pid: int) -> tuple[str, str] | None:
    """Return the state and the start time of a process; None if there is none, or the system does not report
    it."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return fields[0], fields[19]  # the 3rd and the 22nd; the 2nd, the name, may contain anything
