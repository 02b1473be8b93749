"""What pools are tried with: the ways to open one, and a server that counts what it holds."""

from __future__ import annotations

import atexit
import select
import threading
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from typing import TypeVar

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.record import Record
from fetchpool.pools.base import Pool
from fetchpool.pools.cluster.cluster import Cluster
from fetchpool.pools.cluster.pool import ClusterPool
from fetchpool.pools.open import open_pool
from tests.contracts.fake_cluster import FakeCluster

WITH_ADDRESSES: dict[str, object] = {"follow_across_hosts": False}
"""As the engine opens pools: libcurl has no names to look up."""
PATIENCE = 15.0
IS_DASK_THERE = find_spec("distributed") is not None
"""False only where a wheel is tried by itself."""
WAYS = [
    ("thread", "curl"),
    ("thread", "requests"),
    ("process", "curl"),
    ("async", "curl"),
    ("async", "curl", "addresses"),  # and another driver
    ("async", "curl", "elsewhere"),  # than on Linux
    ("cluster", "curl"),  # in this process
    *[("cluster", "curl", "local:2")] * IS_DASK_THERE,
]


IN_PROCESS = [way for way in WAYS if way[0] != "process" and "local:2" not in way]
"""Those that fetch in the process of the test."""


class GaugedServer(ThreadingHTTPServer):
    """Counts how many requests it holds at once; `/held` answers when `release` is set, `/429` with that
    status."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, address: str = "127.0.0.1", handler: type[BaseHTTPRequestHandler] | None = None
    ) -> None:
        super().__init__((address, 0), handler or Handler)
        self.lock = threading.Lock()
        self.held = self.most = 0
        self.enough = threading.Condition(self.lock)
        self.release = threading.Event()
        self.asked: list[str] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that was aborted is no news."""

    def wait_until_held(self, number: int) -> None:
        with self.lock:
            assert self.enough.wait_for(lambda: self.held >= number, 15), f"{self.held} of {number} came"


S = TypeVar("S", bound=GaugedServer)


@contextmanager
def serving(server: S) -> Iterator[S]:
    """Run a server in a thread. At the end requests that are held are answered."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.release.set()
            server.shutdown()
            thread.join()


class Handler(BaseHTTPRequestHandler):
    server: GaugedServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        server = self.server
        server.asked.append(self.path)
        if self.path.startswith("/held"):
            with server.lock:
                server.held += 1
                server.most = max(server.most, server.held)
                server.enough.notify_all()
            server.release.wait(15)
            with server.lock:
                server.held -= 1
        body = b"x" * 10
        self.send_response(429 if self.path.startswith("/429") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


_opening = threading.Lock()
"""Held while a pool is opened: tests of a group run in threads, and a way may change a module."""


@contextmanager
def _system(way: tuple[str, ...]) -> Iterator[None]:
    """What a pool finds when it is opened."""
    with _opening:
        epoll = getattr(select, "epoll", None)
        if "elsewhere" not in way or epoll is None:
            yield
            return
        del select.epoll
        try:
            yield
        finally:
            select.epoll = epoll  # type: ignore[misc]


def opened(way: tuple[str, ...], workers: int, **options: object) -> Pool:
    with _system(way):
        return _opened(way, workers, **options)


def _opened(way: tuple[str, ...], workers: int, **options: object) -> Pool:
    if way[0] == "cluster":
        cluster = local_cluster() if "local:2" in way else FakeCluster()
        return ClusterPool(workers, FetchOptions(**options), cluster, wait=PATIENCE)  # type: ignore[arg-type]
    options = {"transport": way[1], **(WITH_ADDRESSES if "addresses" in way else {}), **options}
    return open_pool(way[0], workers, FetchOptions(**options))  # type: ignore[arg-type]


def local_cluster() -> Cluster:
    """Connect to a scheduler with two workers, which all tests of the session share."""
    from fetchpool.pools.cluster.dask_cluster import DaskCluster

    return DaskCluster("local:2", _local_workers(), None)


@cache
def _local_workers() -> str:
    from fetchpool.pools.cluster.local import LocalWorkers

    workers = LocalWorkers(2)
    atexit.register(workers.close)
    return workers.address


def submit(pool: Pool, server: GaugedServer, *paths: str) -> list[Future[Record]]:
    return [pool.submit(urls.request(number, server.url(path))) for number, path in enumerate(paths)]


def ended(futures: list[Future[Record]]) -> list[str]:
    """How each future ended, for those that have by now."""
    assert not wait(futures, 15).not_done, "some futures never end"
    return [
        "cancelled" if future.cancelled() else "lost" if future.exception() is not None else "fetched"
        for future in futures
    ]
