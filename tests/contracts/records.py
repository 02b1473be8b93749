"""Rows to give to sinks, for tests and for the processes that tests start."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from fetchpool.model.record import Record


def record(number: int = 0, url: str = "", **fields: Any) -> Record:
    url = url or f"http://example.org/{number}"
    row = Record(
        urlnum=number,
        url=url,
        url_effective=url,
        method="GET",
        response_code=200,
        http_version="2",
        content_type="text/html",
        num_redirects=0,
        num_retries=0,
        remote_ip="192.0.2.1",
        size_download=100,
        size_delivered=1256,
        time_namelookup=0.001,
        time_connect=0.002,
        time_appconnect=None,
        time_starttransfer=0.003,
        time_total=0.00005,
        timestamp="2025-01-01T00:00:00.000Z",
        error=None,
        errormsg=None,
        exitcode=0,
    )
    return replace(row, **fields)
