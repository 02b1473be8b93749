"""Tracks worker crashes per request, which decide whether a request is retried, isolated or failed. Pure.

A crashed worker loses all of its requests, so one crash says little about any of them. A request that was
lost twice runs alone in its process; if a worker crashes on it then as well, the request is the cause."""

from __future__ import annotations

MAX_CRASHES = 3
"""Crashes during a request after which it fails."""


class CrashTracker:
    """Counts crashes by urlnum."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}

    def count(self, urlnum: int) -> int:
        """Count a crash during a request; return the number of its crashes."""
        crashes = self.counts[urlnum] = self.counts.get(urlnum, 0) + 1
        return crashes

    def must_run_alone(self, urlnum: int) -> bool:
        """Whether a worker must run no other request during this one."""
        return self.counts.get(urlnum, 0) >= MAX_CRASHES - 1

    def forget(self, urlnum: int) -> None:
        """Drop the counts of a request that has its final row."""
        self.counts.pop(urlnum, None)
