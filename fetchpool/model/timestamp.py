"""The row's `timestamp`: when a fetch began.

Out: RFC 3339, UTC, milliseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns

_last = (0, "")


def utc_now() -> str:
    """Return the current time."""
    global _last
    now = time_ns() // 1_000_000
    milliseconds, text = _last
    if now != milliseconds:  # formatted once per millisecond, not once per URL
        text = f"{_to_the_second(now // 1000)}.{now % 1000:03d}Z"
        _last = (now, text)
    return text


@lru_cache(maxsize=1)
def _to_the_second(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}"
