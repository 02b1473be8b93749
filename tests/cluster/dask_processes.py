"""A real cluster for tests: a Dask scheduler and workers, in processes of their own, which tests may kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
STARTING = 90.0
"""Seconds that a process gets to start: the machine may be busy."""


class DaskProcesses:
    """A scheduler without workers at first."""

    def __init__(self, directory: Path, *options: str) -> None:
        self.directory = directory
        self.file = directory / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.scheduler = self._start(
            "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", *options
        )
        until = time.monotonic() + STARTING
        while not self._address():
            assert self.scheduler.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(0.05)

    def _address(self) -> str:
        try:
            address: str = json.loads(self.file.read_text())["address"]
        except (OSError, ValueError):
            return ""
        return address

    @property
    def address(self) -> str:
        return self._address()

    @property
    def log(self) -> str:
        """All that the processes have written."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.directory.glob("*.log")))

    def _start(self, kind: str, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        number = len(self.workers)
        with (self.directory / f"{kind}-{number}.log").open("wb") as log:
            return subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "distributed.cli.dask_" + kind,
                    "--scheduler-file",
                    str(self.file),
                    *options,
                ],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "DASK_DISTRIBUTED__ADMIN__LOG_FORMAT": "%(message)s",
                }
                | (env or {}),
                start_new_session=True,
            )

    def add_worker(self, *options: str, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
        """Start a worker; without a nanny, so that what is killed stays dead."""
        given = options or ("--no-nanny",)
        worker = self._start(
            "worker",
            "--nthreads",
            "1",
            "--no-dashboard",
            "--local-directory",
            str(self.directory),
            *given,
            env=env,
        )
        self.workers.append(worker)
        return worker

    def wait_for(self, number: int) -> None:
        """Wait until so many workers have joined."""
        until = time.monotonic() + STARTING
        while self.log.count("Register worker") < number:
            assert time.monotonic() < until, self.log
            time.sleep(0.05)

    def close(self) -> None:
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
