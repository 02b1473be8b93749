"""The server that pools are tried with, and each way to open one."""

from __future__ import annotations

import select
import threading
from collections.abc import Iterator

import pytest

from tests.contracts.gauged import WAYS, GaugedServer


@pytest.fixture
def server() -> Iterator[GaugedServer]:
    with GaugedServer() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.release.set()
        running.shutdown()
        thread.join()


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    way: tuple[str, ...] = request.param
    if "elsewhere" in way:
        monkeypatch.delattr(select, "epoll", raising=False)
    return way
