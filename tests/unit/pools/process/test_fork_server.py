"""The start of the server that worker processes are forked from."""

from __future__ import annotations

import multiprocessing
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import resource_tracker

import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.process import preload
from fetchpool.pools.process.fork_server import HAS_SERVER, process_context


@pytest.mark.skipif(not HAS_SERVER, reason="processes are started without a server here")
def test_threads_that_open_pools_at_the_same_time_set_the_environment_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    inside: list[int] = []
    overlap = threading.Event()
    tracked = resource_tracker.ensure_running

    def slow_start() -> None:
        inside.append(threading.get_ident())
        if len(inside) > 1:
            overlap.set()
        overlap.wait(0.2)
        inside.pop()
        tracked()

    monkeypatch.setattr(resource_tracker, "ensure_running", slow_start)
    before = dict(os.environ)
    with ThreadPoolExecutor(2) as both:
        contexts = list(both.map(process_context, [FetchOptions()] * 2))
    assert not overlap.is_set()
    assert contexts == [multiprocessing.get_context("forkserver")] * 2
    assert preload.MARK not in os.environ
    assert dict(os.environ) == before
