"""A real cluster for tests: a Dask scheduler and workers, in processes of their own, which tests may kill.

Dask itself is imported by the tests that use it: each worker of pytest collects all tests, and Dask would be
a fifth of that time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cli import prefork
from tests.cli.environment import environment
from tests.cli.prefork import ForkedProcess

STARTING = 90.0
"""Seconds that a process gets to start: the machine may be busy."""
PRELOADED = (
    *prefork.PRELOADED,
    "distributed.cli.dask_scheduler",
    "distributed.cli.dask_worker",
    "fetchpool.pools.async_.pool",
    "fetchpool.pools.cluster.dask_station",
    "fetchpool.transports.curl.transport",
)
"""What the processes and commands are forked from has loaded this, which would be most of their CPU time."""
ENTER = "import ctypes; assert not ctypes.CDLL(None).setns(open('/run/netns/{}').fileno(), 1 << 30); "
"""Makes a process one of a network namespace."""
MAIN = "import dask; dask.config.refresh(); from distributed.cli.dask_{} import main; main()"


class DaskProcesses:
    """A scheduler without workers at first."""

    def __init__(self, directory: Path, *options: str, host: str = "127.0.0.1") -> None:
        self.directory = directory
        self.file = directory / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self._started = 0
        self.scheduler = self._start("scheduler", "--host", host, "--port", "0", "--no-dashboard", *options)
        until = time.monotonic() + STARTING
        while not self.address:
            assert self.scheduler.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.01)

    @property
    def address(self) -> str:
        try:
            address: str = json.loads(self.file.read_text())["address"]
        except (OSError, ValueError):
            return ""
        return address

    @property
    def log(self) -> str:
        """All that the processes have written."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("*.log")))

    def _start(
        self, kind: str, *options: str, env: dict[str, str] | None = None, namespace: str = ""
    ) -> subprocess.Popen[bytes]:
        script = (ENTER.format(namespace) if namespace else "") + MAIN.format(kind)
        command = [sys.executable, "-c", script, "--scheduler-file", str(self.file), *options]
        self._started += 1
        with (self.directory / f"{kind}-{self._started}.log").open("wb") as log:
            return ForkedProcess(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env=environment(env),
                start_new_session=True,
                preloaded=PRELOADED,
            )

    def add_worker(
        self, *options: str, env: dict[str, str] | None = None, namespace: str = ""
    ) -> subprocess.Popen[bytes]:
        """Start a worker, perhaps in a network namespace; without a nanny, so that what is killed stays
        dead."""
        given = options or ("--no-nanny",)
        common = ("--nthreads", "1", "--no-dashboard", "--local-directory", str(self.directory))
        worker = self._start("worker", *common, *given, env=env, namespace=namespace)
        self.workers.append(worker)
        return worker

    def add_workers(self, number: int) -> None:
        """Start the first workers, and wait until they have joined."""
        for _ in range(number):
            self.add_worker()
        self.wait_for(number)

    def wait_for(self, number: int) -> None:
        """Wait until so many workers have joined."""
        until = time.monotonic() + STARTING
        while self.log.count("Register worker") < number:
            assert time.monotonic() < until, self.log
            time.sleep(0.01)

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a process, and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()  # it may not have become the leader of its group yet
        process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            self.end(process)


def working_stations() -> int:
    """Return how many stations work in this process, a worker's."""
    from fetchpool.pools.cluster import dask_station

    return sum(not host.ended.is_set() for host in dask_station._hosts.values())
