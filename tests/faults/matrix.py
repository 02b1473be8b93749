"""How the fault suite fetches: through the public interface, with every relevant combination of options.

In: a server, names of its scenarios, options. Out: the rows, one for every URL, checked for what holds
in every case: there is exactly one for each, none is `internal`, and a good page next to the fault
is fetched all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import Any, NamedTuple

import pytest

import fetchpool
from fetchpool import Record
from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.engine.engine import Engine
from fetchpool.engine.observers import Observer
from fetchpool.pools import thread
from fetchpool.pools.async_ import pool
from fetchpool.sources.base import Source
from fetchpool.transports.curl import transport as curl
from fetchpool.transports.requests import transport as requests
from fetchpool.transports.resolver import Resolver
from tests.at_once import AtOnce, Opener
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

LOADED = (fetchpool.fetch, thread, pool, curl, requests)
"""What the first run of a process would load, and the other tests of its group would wait for."""


class Way(NamedTuple):
    """Who does the work, and who talks to the network."""

    executor: str
    transport: str

    def __str__(self) -> str:
        return f"{self.executor}+{self.transport}"


CURL = Way("thread", "curl")
REQUESTS = Way("thread", "requests")
ASYNC = Way("async", "curl")
PROCESS = Way("process", "curl")

in_every_way = pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC, PROCESS], ids=str)
"""Where deadlines and pools have a say."""
over_each_transport = pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC], ids=str)
"""Where only what is said on the wire matters: the process pool's workers are the thread pool's."""

LATE = 1.0
"""Seconds that a deadline may be overrun on a busy machine."""


def at_once(**opened: Opener) -> AtOnce:
    """A group of tests that mostly wait. Each has servers of its own."""
    return AtOnce(server=FaultServer, other_server=lambda: FaultServer(host="127.0.0.2"), **opened)


def fetch_urls(way: Way, urls: Sequence[str], **settings: Any) -> list[Record]:
    """The rows of these URLs, in their order. All are under way at once, but for the process pool."""
    workers = 4 if way.executor == "process" else min(len(urls), 60)
    options = {
        "workers": workers,
        "retry": 0,
        "per_host": 0,
        "max_time": "30s",
        "dedupe": False,  # two spellings of one URL are two cases
        **settings,
    }
    records = list(fetchpool.fetch(urls, executor=way.executor, transport=way.transport, **options))
    assert sorted(record.urlnum for record in records) == list(range(len(urls))), "one row for each URL"
    for record in records:
        assert record.error != "internal", record
        assert record.errormsg is None or record.errormsg.isprintable(), record
    return sorted(records, key=lambda record: record.urlnum)


class Rows:
    """A sink that keeps rows, and notes when each came."""

    name = "rows"
    is_nonblocking = True

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.times: dict[int, float] = {}

    def write(self, records: Sequence[Record]) -> None:
        self.records.extend(records)
        self.times.update((record.urlnum, monotonic()) for record in records)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def engine_for(
    way: Way,
    source: Source,
    sink: Rows,
    resolver: Resolver | None = None,
    *,
    observers: Sequence[Observer] = (),
    **settings: Any,
) -> Engine:
    """What `fetchpool.fetch` runs, with a source, a sink and a resolver of the test's own."""
    options = {"retry": 0, "per_host": 0, "dedupe": False, **settings}
    config = configure(executor=way.executor, transport=way.transport, **options)
    return build(config, source=source, sinks=[sink], resolver=resolver, observers=observers)


def fetch_faults(server: FaultServer, way: Way, faults: Sequence[str], **settings: Any) -> dict[str, Record]:
    """The rows of these scenarios by their paths. Good pages are fetched with them, one for every five: a
    host that fails ten times in a row is paused."""
    paths: list[str] = []
    for place, fault in enumerate(faults):
        paths += [f"ok?{place}", fault] if place % 5 == 0 else [fault]
    records = dict(zip(paths, fetch_urls(way, [server.url(path) for path in paths], **settings), strict=True))
    for path in [path for path in paths if path.startswith("ok?")]:
        page = records.pop(path)
        assert (page.error, page.size_delivered) == (None, len(PAGE)), page
    return records


def errors(records: dict[str, Record]) -> dict[str, str | None]:
    """The error of each."""
    return {path: record.error for path, record in records.items()}
