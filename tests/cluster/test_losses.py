"""Workers of a real cluster that die together: what they were fetching holds back nothing else."""

from __future__ import annotations

import signal
import threading
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import fetchpool
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer, Handler, serving

WORKERS = 12
NUMBER = 300


class AgainServer(GaugedServer):
    """Holds what was asked for before, and everything until the workers have died, until it is released."""

    def __init__(self) -> None:
        super().__init__("0.0.0.0", AgainHandler)
        self.died = threading.Event()


class AgainHandler(Handler):
    server: AgainServer

    def do_GET(self) -> None:  # noqa: N802 - the name in http.server
        server = self.server
        with server.lock:
            is_again = self.path in server.asked
            server.held += not server.died.is_set()
            server.enough.notify_all()
        if is_again:
            server.release.wait(60)
        else:
            server.died.wait(60)
        super().do_GET()


@pytest.fixture
def again() -> Iterator[AgainServer]:
    with serving(AgainServer()) as running:
        yield running
        running.died.set()


def test_other_rows_come_while_what_two_dead_workers_have_lost_is_fetched_again(
    again: AgainServer, tmp_path: Path
) -> None:
    urls = [f"http://127.0.0.{1 + number % 5}:{again.server_port}/{number}" for number in range(NUMBER)]
    dask = DaskProcesses(tmp_path)

    def kill() -> None:
        again.wait_until_held(WORKERS)
        together = dask.workers[:2]
        for worker in together:
            worker.send_signal(signal.SIGSTOP)  # so that neither takes over what the other has lost
        for worker in together:
            worker.kill()
        again.died.set()

    killer = threading.Thread(target=kill)
    try:
        dask.add_workers(3)
        killer.start()
        rows = fetchpool.fetch(
            urls, executor="cluster", cluster=dask.address, workers=WORKERS, per_host=0, max_time=60
        )
        first = list(islice(rows, NUMBER - WORKERS))
        again.release.set()
        found = [*first, *rows]
    finally:
        again.release.set()
        dask.close()
        killer.join()
    assert Counter(row.url for row in found) == Counter(urls)
    assert {row.error for row in found} == {None}
    repeated = [path for path, times in Counter(again.asked).items() if times > 1]
    assert len(repeated) <= WORKERS
