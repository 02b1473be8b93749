"""`--cluster local:N`: a scheduler and workers on this machine, in processes of their own.

In: the number of workers. Out: the scheduler's address. All are children of one process, which runs this
module as a program. It ends when its standard input does, so also when the run is killed. It is not in the
terminal's process group, so that Ctrl-C reaches only the run.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress

from fetchpool.model.errors import UsageError

ENDING = 5.0
"""Seconds for the processes to end."""


class LocalWorkers:
    """A cluster on this machine."""

    def __init__(self, number: int) -> None:
        """Start the cluster, and return when it has an address. Raises `UsageError`."""
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(number), *sys.path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise UsageError(f"--cluster local: no process can be started ({error.strerror})") from None
        assert self._process.stdout is not None
        self.address = self._process.stdout.readline().decode().strip()
        if not self.address:
            self.close()
            raise UsageError("--cluster local: the workers died while they started")

    def close(self) -> None:
        """End all processes. Idempotent."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


def main(number: int) -> None:
    """Run a scheduler and a number of workers until standard input ends."""
    import logging

    from distributed import LocalCluster

    directory = tempfile.mkdtemp(prefix="fetchpool-workers-")
    logging.disable(logging.CRITICAL)  # the driver reports errors in its own words
    answer = os.dup(1)
    os.dup2(2, 1)  # text that workers print must not be mistaken for the address
    cluster = LocalCluster(  # type: ignore[no-untyped-call]
        n_workers=number,
        threads_per_worker=1,
        processes=True,
        dashboard_address="127.0.0.1:0",  # an address of its own: 8787 may be in use
        host="127.0.0.1",
        silence_logs=logging.CRITICAL,
        memory_limit=0,
        local_directory=directory,
    )
    os.write(answer, f"{cluster.scheduler_address}\n".encode())
    os.close(answer)
    while os.read(0, 1024):
        pass
    shutil.rmtree(directory, ignore_errors=True)
    os.killpg(0, signal.SIGKILL)  # a parser may keep a worker from ending


if __name__ == "__main__":
    sys.path[:] = sys.argv[2:]
    main(int(sys.argv[1]))
