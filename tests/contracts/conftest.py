"""The server that pools are tried with, and each way to open one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contracts.gauged import WAYS, GaugedServer, serving


@pytest.fixture
def server() -> Iterator[GaugedServer]:
    with serving(GaugedServer()) as running:
        yield running


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, ...]:
    way: tuple[str, ...] = request.param
    return way
