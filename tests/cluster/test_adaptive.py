"""Clusters that start and close workers, or end, as they see work: a run is work until it ends."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fetchpool
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer

if TYPE_CHECKING:
    from distributed import Scheduler

NUMBER = 60
PATIENCE = 60.0
SETTINGS: dict[str, Any] = {"executor": "cluster", "workers": 8, "per_host": 0, "cluster_wait": PATIENCE}


def until(condition: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def fetch_held(server: GaugedServer, cluster: Any, condition: Any) -> None:
    """Fetch URLs all of which wait at the server until the condition holds: each has one row."""
    server.release.clear()
    urls = [server.url(f"/held?{number}") for number in range(NUMBER)]
    rows: list[Any] = []
    run = threading.Thread(target=lambda: rows.extend(fetchpool.fetch(urls, cluster=cluster, **SETTINGS)))
    run.start()
    server.wait_until_held(8)
    until(condition)
    server.release.set()
    run.join()
    assert Counter(row.url for row in rows) == Counter(urls)
    assert {row.error for row in rows} == {None}
    assert len(server.asked) == NUMBER, "no worker was closed"


def test_a_cluster_that_adapts_starts_workers_for_a_run_and_closes_none_before_its_end(
    server: GaugedServer, tmp_path: Path
) -> None:
    from distributed import LocalCluster
    from distributed.deploy.adaptive import Adaptive

    class Deciding(Adaptive):
        """Counts how often it has decided how many workers there are to be."""

        decisions = 0

        async def target(self) -> int:
            self.decisions += 1
            return int(await super().target())

    with LocalCluster(
        n_workers=0,
        threads_per_worker=1,
        processes=False,
        protocol="tcp://",
        dashboard_address="127.0.0.1:0",
        local_directory=str(tmp_path),
    ) as cluster:
        adaptive = cluster.adapt(Adaptive=Deciding, minimum=0, maximum=2, interval="50 ms", wait_count=2)
        before: list[int] = []

        def has_decided_often() -> bool:
            before.append(adaptive.decisions)
            return adaptive.decisions >= before[0] + 8

        fetch_held(server, cluster, has_decided_often)
        until(lambda: not cluster.workers)


def is_idle(dask_scheduler: Scheduler) -> bool:
    """Return what `--idle-timeout` goes by. The first look only notes that something has changed."""
    dask_scheduler.check_idle()
    return dask_scheduler.check_idle() is not None


def test_a_scheduler_does_not_count_as_idle_during_a_run(
    shared_dask: DaskProcesses, server: GaugedServer
) -> None:
    from distributed import Client

    looks: list[bool] = []
    with Client(shared_dask.address, set_as_default=False) as client:

        def has_looked_often() -> bool:
            looks.append(client.run_on_scheduler(is_idle))
            return len(looks) >= 20

        fetch_held(server, shared_dask.address, has_looked_often)
        assert not any(looks)
        until(lambda: client.run_on_scheduler(is_idle))
