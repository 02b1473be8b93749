"""Runs on a real cluster whose driver or scheduler is killed, and that are resumed: every URL has one row."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

from fetchpool.pools.cluster.lease import LEASE
from tests.cli.environment import environment
from tests.cli.prefork import ForkedProcess
from tests.cli.runner import FETCHPOOL
from tests.cluster.dask_processes import PRELOADED, DaskProcesses, working_stations
from tests.contracts.gauged import GaugedServer

PATIENCE = 60.0
WORKERS = 12
QUICK = 60
HELD = 40


class Run:
    """A list of URLs, of which the last ones are answered when the server releases them, and its rows."""

    def __init__(self, directory: Path, server: GaugedServer) -> None:
        self.urls = [server.url(f"/{number}") for number in range(QUICK)]
        self.urls += [server.url(f"/held?{number}") for number in range(HELD)]
        self._list = directory / "urls.txt"
        self._list.write_text("\n".join(self.urls) + "\n")
        self._rows = directory / "rows.jsonl"

    def start(self, dask: DaskProcesses, *options: str) -> Popen[Any]:
        command = [*FETCHPOOL, str(self._list), "-o", str(self._rows), "--executor", "cluster", "-q"]
        where = ["--cluster", dask.address, "-w", str(WORKERS), "--per-host", "0"]
        return ForkedProcess(
            [*command, *where, *options],
            preloaded=PRELOADED,
            env=environment(),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            text=True,
        )

    def rows(self) -> Counter[str]:
        """How many rows without an error each URL has."""
        rows = [json.loads(line) for line in self._rows.read_text().splitlines()]
        assert {row.get("error") for row in rows} == {None}
        return Counter(row["url"] for row in rows)

    def resume(self, dask: DaskProcesses, server: GaugedServer) -> None:
        """Fetch the rest: then every URL has one row. What was in progress was requested twice, and what had
        no row on the disk."""
        server.release.set()
        with self.start(dask, "--resume") as process:
            _, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, err) == (0, "")
        assert self.rows() == Counter(self.urls)
        assert sum(path.startswith("/held") for path in server.asked) <= HELD + WORKERS


def test_all_stations_end_with_a_killed_driver_whose_run_is_resumed(
    shared_dask: DaskProcesses, server: GaugedServer, tmp_path: Path
) -> None:
    from distributed import Client

    server.release.clear()
    run = Run(tmp_path, server)
    with run.start(shared_dask) as process:
        server.wait_until_held(WORKERS)
        process.kill()
        process.communicate(timeout=PATIENCE)
    until = time.monotonic() + LEASE
    with Client(shared_dask.address, set_as_default=False) as client:
        while any(client.run(working_stations).values()):
            assert time.monotonic() < until, "they do not wait for the end of their lease"
    run.resume(shared_dask, server)


def test_a_killed_scheduler_ends_the_run_which_another_cluster_resumes(
    shared_dask: DaskProcesses, server: GaugedServer, tmp_path: Path
) -> None:
    server.release.clear()
    run = Run(tmp_path, server)
    with DaskProcesses(tmp_path) as lost:
        lost.add_workers(2)
        with run.start(lost) as process:
            server.wait_until_held(WORKERS)
            lost.scheduler.kill()
            _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 6
    assert "scheduler" in err
    assert "Traceback" not in err, err
    assert run.rows() <= Counter(run.urls[:QUICK])
    run.resume(shared_dask, server)


def test_ctrl_c_completes_what_is_in_progress_in_all_workers(
    shared_dask: DaskProcesses, server: GaugedServer, tmp_path: Path
) -> None:
    server.release.clear()
    run = Run(tmp_path, server)
    with run.start(shared_dask) as process:
        server.wait_until_held(WORKERS)
        process.send_signal(signal.SIGINT)
        server.release.set()
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert len(server.asked) >= QUICK + WORKERS
    assert run.rows() == Counter(run.urls[:QUICK]) + Counter(
        server.url(path) for path in server.asked if path.startswith("/held")
    )
    run.resume(shared_dask, server)
    assert len(server.asked) == len(run.urls)
