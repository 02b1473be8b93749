"""Counts values in logarithmic buckets, 5 % wide: a distribution in bounded memory, whatever the number of
values.

In: numbers. Out: percentiles within 2.5 % of a value in the data, the exact minimum and maximum, and the
counts themselves, for the figures. The buckets are those of the summary (`engine/histogram.py`), but the
bucket of a value is found once and counted in several distributions: of all rows, of a host, of a minute.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import exp, inf, log

from msgspec import Struct

from fetchpool.engine.histogram import PER_E

FEW = 128
"""Maximum number of values that a small distribution stores unchanged."""


class Scale(Struct, frozen=True):
    """Buckets from `smallest` to `largest`. The first also holds all smaller values, the last all larger
    ones."""

    offset: float
    top: int

    @classmethod
    def between(cls, smallest: float, largest: float) -> Scale:
        offset = 1 - log(smallest) * PER_E
        return cls(offset, int(log(largest) * PER_E + offset))

    def bucket(self, value: float) -> int:
        """Return the bucket of a value."""
        if value <= 0:
            return 0
        return min(max(int(log(value) * PER_E + self.offset), 0), self.top)

    def start(self, bucket: float) -> float:
        """Return the smallest value in a bucket."""
        return exp((bucket - self.offset) / PER_E)

    def middle(self, bucket: int) -> float:
        """Return the value that stands for a bucket; 0 for the first."""
        return self.start(bucket + 0.5) if bucket else 0.0


TIMES = Scale.between(1e-5, 3600)
"""Seconds."""
SIZES = Scale.between(1, 1e13)
"""Bytes."""


class Distribution:
    """Counts by bucket. A few values take little memory, so that there can be thousands of distributions."""

    __slots__ = ("_counts", "_few", "scale")

    def __init__(self, scale: Scale) -> None:
        self.scale = scale
        self._few: array[int] | None = array("H")
        self._counts: array[int] = array("I")

    def add(self, bucket: int) -> None:
        """Count a value by its bucket."""
        few = self._few
        if few is None:
            self._counts[bucket] += 1
        else:
            few.append(bucket)
            if len(few) > FEW:
                self._expand(few)

    def merge(self, other: Distribution) -> None:
        """Add the counts of another distribution with the same scale."""
        if self._few is not None:
            self._expand(self._few)
        for bucket, count in other.counted():
            self._counts[bucket] += count

    def counted(self) -> Iterator[tuple[int, int]]:
        """Yield the buckets that have values, in order, with the number of values."""
        if self._few is None:
            yield from ((bucket, count) for bucket, count in enumerate(self._counts) if count)
            return
        previous, count = -1, 0
        for bucket in sorted(self._few):
            if bucket != previous and count:
                yield previous, count
                count = 0
            previous, count = bucket, count + 1
        if count:
            yield previous, count

    def __len__(self) -> int:
        return sum(self._counts) if self._few is None else len(self._few)

    def percentile(self, share: float, minimum: float = 0.0, maximum: float = inf) -> float | None:
        """Return the value that `share` (0 to 1) of all values do not exceed, between the exact `minimum` and
        `maximum`; None without values."""
        rank = share * len(self)
        seen = 0
        value = None
        for bucket, count in self.counted():
            value = min(max(self.scale.middle(bucket), minimum), maximum)
            seen += count
            if seen >= rank:
                break
        return value

    def _expand(self, few: array[int]) -> None:
        self._counts = array("I", bytes(4 * (self.scale.top + 1)))
        for bucket in few:
            self._counts[bucket] += 1
        self._few = None


class Measured:
    """A distribution with the exact extremes and the sum of its values."""

    __slots__ = ("count", "distribution", "maximum", "minimum", "total")

    def __init__(self, scale: Scale) -> None:
        self.distribution = Distribution(scale)
        self.count = 0
        self.minimum = inf
        self.maximum = 0.0
        self.total = 0.0

    def add(self, value: float) -> int:
        """Count a value, and return its bucket."""
        bucket = self.distribution.scale.bucket(value)
        self.distribution.add(bucket)
        self.count += 1
        self.total += value
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        return bucket
