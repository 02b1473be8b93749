"""The servers that the fault suite fetches from."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.scenarios import further, heavy
from tests.faults.server import FaultServer

assert further, heavy  # their scenarios are registered by their import


@pytest.fixture
def server() -> Iterator[FaultServer]:
    """A hostile server at 127.0.0.1."""
    with FaultServer() as server:
        yield server


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    """Another one, at another host: 127.0.0.2."""
    with FaultServer(host="127.0.0.2") as server:
        yield server
