"""Sample records, outcomes and snapshots, of which a test changes the fields that it is about."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from fetchpool.engine.events import FailureCount, Snapshot, WaitTimes
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import ROW_FIELDS, Record
from fetchpool.model.request import FetchRequest

FINE = Record(
    urlnum=0,
    url="http://example.org/",
    url_effective="http://example.org/",
    method="GET",
    response_code=200,
    http_version="1.1",
    content_type="text/html",
    num_redirects=0,
    num_retries=0,
    remote_ip="192.0.2.1",
    size_download=400,
    size_delivered=1256,
    time_namelookup=0.001,
    time_connect=0.002,
    time_appconnect=None,
    time_starttransfer=0.03,
    time_total=0.045,
    timestamp="2024-01-01T00:00:00Z",
    error=None,
    errormsg=None,
    exitcode=0,
)

EVEN = WaitTimes(
    workers=0.0,
    host_limit=0.0,
    rate_limit=0.0,
    backoff=0.0,
    retries=0.0,
    proxy=0.0,
    dns=0.0,
    source=0.0,
    ending=0.0,
    stopping=0.0,
    cpu=1.0,
    cores=2,
)

RUNNING = Snapshot(
    elapsed=26.0,
    done=33_402,
    ok=33_357,
    failed=(
        FailureCount("http_404", 30, ("http://example.org/missing",)),
        FailureCount("dns", 10, ("http://nowhere.example/",)),
        FailureCount("tls", 4, ("https://expired.example/",)),
        FailureCount("reset", 1, ("http://rude.example/",)),
    ),
    retries=17,
    in_flight=10,
    slowest=(),
    queued=400,
    delayed=212,
    total=98_213,
    total_exact=False,
    eta=52.0,
    size_delivered=98_200_000,
    size_download=31_000_000,
    urls_per_second=1234.0,
    bytes_per_second=5_600_000.0,
    time_p50=0.045,
    time_p95=0.23,
    time_max=4.2,
    time_waiting=200.0,
    time_receiving=40.0,
    size_p50=1256,
    size_max=12_300_000,
    workers=10,
    workers_reason="",
    wait_times=EVEN,
)


def record(number: int = 0, url: str = "", **changes: Any) -> Record:
    """Return the row of the input's URL of that number."""
    url = url or f"http://example.org/{number}"
    return replace(FINE, **{"urlnum": number, "url": url, "url_effective": url} | changes)


def snapshot(**changes: Any) -> Snapshot:
    return replace(RUNNING, **changes)


def all_ok(**changes: Any) -> Snapshot:
    """A run without a failure; `ok` follows `done`."""
    done = changes.get("done", 100)
    return snapshot(**{"done": done, "ok": done, "failed": (), "retries": 0, "total": done} | changes)


def outcome(request: FetchRequest, *, retry_after: str | None = None, **fields: Any) -> Outcome:
    """Return the outcome of an attempt whose row has these fields."""
    row = record(request.urlnum, request.url, url_effective=request.href)
    return Outcome(replace(row, **fields), retry_after=retry_after)


def with_fields(outcome: Outcome, **changes: Any) -> Outcome:
    """Return the outcome with other values, of its own or in its row."""
    fields = {name: changes.pop(name) for name in ROW_FIELDS if name in changes}
    return replace(outcome, record=replace(outcome.record, **fields), **changes)
