"""A real cluster for the tests that leave its processes alone, and a server that counts what it holds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer, serving


@pytest.fixture(scope="session")
def shared_dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler and three workers. A test that kills one starts a cluster of its own."""
    with DaskProcesses(tmp_path_factory.mktemp("shared-dask")) as running:
        running.add_workers(3)
        yield running


@pytest.fixture
def server() -> Iterator[GaugedServer]:
    with serving(GaugedServer("0.0.0.0")) as running:
        running.release.set()
        yield running
