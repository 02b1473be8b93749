"""Workers that died under requests: what runs again, what runs alone, and what is given up. Pure.

A dead worker takes everything with it that was in flight, so one loss says little about a request. What
was lost twice runs alone; if a worker dies then as well, the cause is known.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_LOSSES = 3
"""Workers that may die under one request before it is taken for the cause."""


class CrashTracker:
    """Counts them, by urlnum."""

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self._alone: set[int] = set()

    def count(self, urlnum: int) -> int:
        """One more; how many there are now."""
        losses = self.counts[urlnum] = self.counts.get(urlnum, 0) + 1
        if losses == MAX_LOSSES - 1:
            self._alone.add(urlnum)
        return losses

    def must_run_alone(self, urlnum: int) -> bool:
        return urlnum in self._alone

    def one_runs_alone(self, in_flight: Iterable[int]) -> bool:
        """Whether what is in flight must have no other beside it."""
        return bool(self._alone) and not self._alone.isdisjoint(in_flight)

    def forget(self, urlnum: int) -> None:
        """It has come to its end."""
        self.counts.pop(urlnum, None)
        self._alone.discard(urlnum)
