"""Histogram: the distribution of values in bounded memory, in logarithmic buckets a few percent wide.

In: numbers. Out: percentiles within 2.5 % of a value in the data, and the exact maximum. The latest thousand
values are counted together, since many are equal; none is stored for longer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp, inf, log

BATCH = 1000
"""Number of values that are counted together."""
PER_E = 1 / log(1.05)
"""Buckets for each factor of e: each is 5 % wide, so that its middle is at most 2.5 % off."""


class Histogram:
    """Counts of values from 0 to `largest`; larger values count as `largest`, and those below `smallest`
    share the first bucket."""

    __slots__ = ("_counts", "_maximum", "_minimum", "_offset", "_pending", "_top")

    def __init__(self, smallest: float, largest: float) -> None:
        self._offset = 1 - log(smallest) * PER_E
        self._top = int(log(largest) * PER_E + self._offset)
        self._counts = [0] * (self._top + 1)
        self._minimum = inf
        self._maximum = 0.0
        self._pending: list[float] = []
        """The latest values, which are not counted yet."""

    def add(self, values: Sequence[float]) -> None:
        """Add values."""
        self._pending += values
        if len(self._pending) >= BATCH:
            self._count_pending()

    def _count_pending(self) -> None:
        pending, self._pending = self._pending, []
        if not pending:
            return
        self._minimum = min(self._minimum, min(pending))
        self._maximum = max(self._maximum, max(pending))
        counts, offset, top = self._counts, self._offset, self._top
        for value, number in Counter(pending).items():
            bucket = int(log(value) * PER_E + offset) if value > 0 else 0
            if bucket < 0:
                bucket = 0
            elif bucket > top:
                bucket = top
            counts[bucket] += number

    @property
    def maximum(self) -> float:
        """The largest value; 0 without values."""
        self._count_pending()
        return self._maximum

    def counts(self) -> list[int]:
        """Return the current counts, for use as `before` in a later call."""
        self._count_pending()
        return self._counts.copy()

    def grouped(self, bounds: Sequence[float]) -> tuple[int, ...]:
        """Return the counts in wider buckets with these ascending upper bounds, and the count of all larger
        values. A value within 5 % of a bound may be counted in the neighbouring bucket."""
        self._count_pending()
        groups = [0] * (len(bounds) + 1)
        group = 0
        for bucket, number in enumerate(self._counts):
            middle = self._middle(bucket)
            while group < len(bounds) and middle > bounds[group]:
                group += 1
            groups[group] += number
        return tuple(groups)

    def percentile(self, share: float, before: list[int] | None = None) -> float:
        """Return the value that `share` (0 to 1) of all values do not exceed, or of those since `before`; 0
        without values."""
        self._count_pending()
        counts = self._counts
        if before is not None:
            counts = [number - earlier for number, earlier in zip(counts, before, strict=True)]
        rank = share * sum(counts)
        if not rank:
            return 0.0
        seen = 0
        for bucket, number in enumerate(counts):
            seen += number
            if seen >= rank:
                return min(max(self._middle(bucket), self._minimum), self._maximum)
        return self._maximum

    def _middle(self, bucket: int) -> float:
        return exp((bucket - self._offset + 0.5) / PER_E) if bucket else 0.0
