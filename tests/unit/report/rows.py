"""Rows of a made-up run, the same each time, for reports."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fetchpool.model.record import Record
from fetchpool.sinks.open import open_sink
from tests.factories import record

BEGAN = datetime(2026, 11, 28, 5, 6, 9, tzinfo=UTC).timestamp()
FAILURES = (
    ("http_404", 404, "Not Found"),
    ("http_503", 503, "Service Unavailable"),
    ("dns", None, "host name does not exist"),
    ("timeout_total", None, "total timeout: not complete after 30 s"),
    ("tls", None, "TLS handshake failed"),
)
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</title></svg></style><iframe src=javascript:alert(1)>",
    "javascript:alert(1)",
    "\" onmouseover='alert(1)",
    "{{7*7}}{% for x in y %}",
    "\u202egnp.exe\x1b[31m\x00",
    "&lt;b&gt;&#x3c;b>",
    "]]><b>",
    "x" * 100_000,
)


def timestamp(seconds: float) -> str:
    time = datetime.fromtimestamp(BEGAN + seconds, UTC)
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"


@cache
def run_rows(number: int, *, seconds: float = 90.0) -> tuple[Record, ...]:
    """Return the rows of a run in which each twentieth URL fails."""
    draw = random.Random(number)
    rows = []
    for place in range(number):
        host = f"host{int(draw.paretovariate(1.1)) % 40}.example"
        name = draw.random() * 0.01
        connect = name + draw.lognormvariate(-4, 0.5)
        first = connect + draw.lognormvariate(-2.5, 0.8)
        total = first + draw.lognormvariate(-4.5, 1.2)
        size = int(draw.lognormvariate(9, 2))
        row = record(
            place,
            f"https://{host}/{place}",
            size_delivered=size,
            size_download=size // 3,
            time_namelookup=round(name, 6),
            time_connect=round(connect, 6),
            time_starttransfer=round(first, 6),
            time_total=round(total, 6),
            timestamp=timestamp(place * seconds / number),
            num_redirects=int(draw.random() < 0.2),
            num_retries=int(draw.random() < 0.05),
            content_type=draw.choice(("text/html; charset=utf-8", "image/png", "TEXT/HTML")),
        )
        if draw.random() < 0.05:
            error, code, message = FAILURES[int(draw.triangular(0, len(FAILURES), 0))]
            fields: dict[str, Any] = {"error": error, "response_code": code, "errormsg": message}
            if code is None:
                fields |= {"size_delivered": None, "size_download": None, "time_starttransfer": None}
            row = replace(row, **fields)
        rows.append(row)
    return tuple(rows)


def write(path: Path, rows: Sequence[Record]) -> Path:
    """Write rows as a run does."""
    sink = open_sink(str(path))
    for start in range(0, len(rows), 500):
        sink.write(rows[start : start + 500])
        sink.flush()
    sink.close()
    return path
