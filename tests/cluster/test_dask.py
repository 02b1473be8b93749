"""`--executor cluster` over a real Dask scheduler and workers, whose processes are killed."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fetchpool
from fetchpool.model.errors import ClusterLostError
from fetchpool.pools.cluster import connection_errors
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer

NUMBER = 300
SETTINGS: dict[str, Any] = {"executor": "cluster", "workers": 12, "per_host": 0, "max_time": 60}


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    with DaskProcesses(tmp_path_factory.mktemp("dask")) as running:
        running.add_workers(2)
        yield running


def test_every_url_has_its_row_through_a_clients_cluster_and_no_log_has_the_password(
    dask: DaskProcesses, server: GaugedServer
) -> None:
    """What a program's own client subscribes to stays its own."""
    from distributed import Client

    news: list[Any] = []
    with Client(dask.address, set_as_default=False) as client:
        client.subscribe_topic("all", news.append)
        urls = [server.url(f"/{number}") for number in range(NUMBER)]
        rows = list(fetchpool.fetch(urls, cluster=client, user="name:hidden-password", **SETTINGS))
        assert "all" in client._event_handlers
        assert client.status == "running"
    assert Counter(row.url for row in rows) == Counter(urls)
    assert {row.error for row in rows} == {None}
    assert len(server.asked) == NUMBER
    assert server.most <= 12
    assert "hidden-password" not in dask.log


def test_a_worker_that_is_killed_costs_no_row(dask: DaskProcesses, server: GaugedServer) -> None:
    server.release.clear()
    urls = [server.url(f"/held?{number}") for number in range(60)]
    killed = threading.Event()

    def kill() -> None:
        server.wait_until_held(12)
        dask.workers[0].kill()
        dask.workers[0].wait()
        killed.set()
        server.release.set()

    killer = threading.Thread(target=kill)
    killer.start()
    rows = list(fetchpool.fetch(urls, cluster=str(dask.file), **SETTINGS))
    killer.join()
    assert killed.is_set()
    assert Counter(row.url for row in rows) == Counter(urls)
    assert {row.error for row in rows} == {None}
    assert len(server.asked) <= 60 + 6, "only what the killed worker had started"


def test_a_lost_scheduler_ends_the_run_without_rows_for_what_was_in_flight(
    dask: DaskProcesses, server: GaugedServer
) -> None:
    """The last test of the module: the workers end, too."""
    server.release.clear()
    rows: list[Any] = []

    def kill() -> None:
        server.wait_until_held(12)
        dask.scheduler.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(ClusterLostError, match="scheduler"):
        rows.extend(
            fetchpool.fetch(
                [server.url(f"/held?{number}") for number in range(40)], cluster=str(dask.file), **SETTINGS
            )
        )
    killer.join()
    assert not rows


def test_a_scheduler_that_does_not_answer_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fetchpool.pools.cluster.dask_connection.CONNECT", 0.2)
    file = tmp_path / "s.json"
    file.write_text('{"address": "tcp://127.0.0.1:1"}')
    with pytest.raises(fetchpool.UsageError, match="no scheduler responds there"):
        list(fetchpool.fetch(["http://127.0.0.1:1/"], cluster=str(file), **SETTINGS))


def test_a_server_that_is_no_scheduler_is_refused_in_time(
    monkeypatch: pytest.MonkeyPatch, server: GaugedServer
) -> None:
    """It never greets, and Dask's client has no time limit for that."""
    monkeypatch.setattr("fetchpool.pools.cluster.dask_connection.CONNECT", 0.5)
    address = f"tcp://127.0.0.1:{server.server_port}"
    with pytest.raises(fetchpool.UsageError, match=connection_errors.NO_SCHEDULER):
        list(fetchpool.fetch([server.url("/x")], cluster=address, **SETTINGS))
    assert server.asked == []


def test_a_users_module_is_sent_to_workers_that_do_not_have_it(
    shared_dask: DaskProcesses, server: GaugedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    urls = [server.url(f"/{number}") for number in range(20)]
    for size in (10, 20):  # as it is now, and not as the workers have imported it before
        (tmp_path / "far_words.py").write_text(f"def size(response): return {{'size': {size}}}\n")
        rows = list(fetchpool.fetch(urls, cluster=shared_dask.address, parse="far_words:size", **SETTINGS))
        assert [row.extra for row in rows] == [{"size": size}] * 20
    with pytest.raises(fetchpool.UsageError, match=r"worker tcp://.*: parse: no module 'absent_words'"):
        list(fetchpool.fetch(urls, cluster=shared_dask.address, parse="absent_words:size", **SETTINGS))
