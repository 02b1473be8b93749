"""Timeline: the course of a run, with rows by their time of completion, in at most 240 bins.

In: a time, and the outcome of a row. Out: bins of equal width. If there would be too many, the width doubles
and pairs of bins are merged, so that a month takes no more memory than a second. Bins begin at multiples of
their width, so that the order of the rows makes no difference.
"""

from __future__ import annotations

from datetime import UTC, datetime
from math import inf

from fetchpool.report.buckets import TIMES, Distribution

MAX_BINS = 240
NARROWEST = 1 / 8
"""Initial width of a bin in seconds."""


def seconds_of(timestamp: str) -> float | None:
    """Return a row's timestamp as seconds since 1970; None if it is not one."""
    try:
        time = datetime.fromisoformat(timestamp)
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


class Bin:
    """The rows of one interval."""

    __slots__ = ("delivered", "failed", "ok", "times")

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.delivered = 0
        """Bytes."""
        self.times = Distribution(TIMES)

    def merge(self, other: Bin) -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.delivered += other.delivered
        self.times.merge(other.times)


class Timeline:
    """The bins of a run."""

    def __init__(self) -> None:
        self.width = NARROWEST
        """Seconds per bin."""
        self.start = inf
        """When the first fetch began, in seconds since 1970."""
        self.end = -inf
        """When the last fetch was complete."""
        self._bins: dict[int, Bin] = {}
        self._first = self._last = 0

    def at(self, began: float, seconds: float) -> Bin:
        """Return the bin of a row that was complete `seconds` after its fetch began."""
        time = began + seconds
        self.start = min(self.start, began)
        self.end = max(self.end, time)
        index = int(time // self.width)
        found = self._bins.get(index)
        return found if found is not None else self._new(index)

    def bins(self) -> list[Bin]:
        """Return all bins in order, empty ones included."""
        if not self._bins:
            return []
        return [self._bins.get(index) or Bin() for index in range(self._first, self._last + 1)]

    @property
    def origin(self) -> float:
        """The time at which the first bin begins."""
        return self._first * self.width

    def coarsen(self, most: int) -> None:
        """Double the width until there are at most `most` bins, as for a run with few rows."""
        while self._last - self._first >= most:
            self._double()

    def _new(self, index: int) -> Bin:
        """Add a bin. The width doubles if that makes too many."""
        first = min(self._first, index) if self._bins else index
        last = max(self._last, index) if self._bins else index
        self._first, self._last = first, last
        while self._last - self._first >= MAX_BINS:
            self._double()
            index //= 2
        return self._bins.setdefault(index, Bin())

    def _double(self) -> None:
        self.width *= 2
        self._first, self._last = self._first // 2, self._last // 2
        bins: dict[int, Bin] = {}
        for old, content in self._bins.items():
            if (merged := bins.get(old // 2)) is None:
                bins[old // 2] = content
            else:
                merged.merge(content)
        self._bins = bins
