"""Tracks worker crashes per request, which decide whether a request is retried, isolated or failed. Pure.

A crashed worker loses all of its requests, so one crash says little about any of them. A request that was
lost twice runs alone; if a worker crashes on it then as well, the request is the cause."""

from __future__ import annotations

from collections.abc import Iterable

MAX_CRASHES = 3
"""Crashes during a request after which it fails."""


class CrashTracker:
    """Counts crashes by urlnum."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self._isolated: set[int] = set()

    def count(self, urlnum: int) -> int:
        """Count a crash during a request; return the number of its crashes."""
        crashes = self.counts[urlnum] = self.counts.get(urlnum, 0) + 1
        if crashes == MAX_CRASHES - 1:
            self._isolated.add(urlnum)
        return crashes

    def must_run_alone(self, urlnum: int) -> bool:
        """Whether no other request may be in flight with this one."""
        return urlnum in self._isolated

    def has_isolated(self, urlnums: Iterable[int]) -> bool:
        """Whether one of these requests must run alone."""
        return bool(self._isolated) and not self._isolated.isdisjoint(urlnums)

    def forget(self, urlnum: int) -> None:
        """Drop the counts of a request that has its final row."""
        self.counts.pop(urlnum, None)
        self._isolated.discard(urlnum)
