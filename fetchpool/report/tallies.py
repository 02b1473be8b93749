"""Counts in bounded memory: values with their number of rows, the largest values, and examples. In: values,
in any order. Out: the same result for the same values, as long as they fit.
"""

from __future__ import annotations

import heapq
from zlib import crc32

from msgspec import Struct

SAMPLED = 5
MAX_TEXT = 2_000
"""Maximum number of characters of a stored URL."""


class Count(Struct, gc=False):
    """The number of rows with one value, and their bytes."""

    rows: int = 0
    octets: int = 0


class Counts:
    """Rows and bytes by value, for the most frequent values."""

    def __init__(self, capacity: int = 2_000) -> None:
        self._capacity = capacity
        self._by_name: dict[str, Count] = {}

    def add(self, name: str, octets: int = 0) -> None:
        found = self._by_name.get(name)
        if found is None:
            if len(self._by_name) >= self._capacity:
                self._by_name = dict(self.most(self._capacity // 2))
            found = self._by_name[name] = Count()
        found.rows += 1
        found.octets += octets

    def most(self, number: int) -> list[tuple[str, Count]]:
        """Return the most frequent values with their counts."""
        ranked = sorted(self._by_name.items(), key=lambda item: (-item[1].rows, item[0]))
        return ranked[:number]


class Largest:
    """The URLs with the largest values."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._heap: list[tuple[float, str]] = []
        self.threshold = 0.0
        """Lower bound of the values that are among the largest."""

    def add(self, value: float, url: str) -> None:
        if value <= 0 or (value == self.threshold and url <= self._heap[0][1]):
            return
        heapq.heappush(self._heap, (value, url[:MAX_TEXT]))
        if len(self._heap) > self._number:
            heapq.heappop(self._heap)
        if len(self._heap) == self._number:
            self.threshold = self._heap[0][0]

    def ranked(self) -> list[tuple[float, str]]:
        return sorted(self._heap, key=lambda item: (-item[0], item[1]))


class Examples:
    """The number of rows of some kind, with the first of them and a random few: those whose URLs have the
    lowest checksums, so that the order of the rows makes no difference."""

    __slots__ = ("_first", "_sample", "_threshold", "rows")

    def __init__(self) -> None:
        self.rows = 0
        self._first: tuple[str, int, str, str] | None = None
        self._sample: dict[str, tuple[int, str]] = {}
        self._threshold = 1 << 32

    def add(self, url: str, message: str | None, timestamp: str | None, urlnum: int | None) -> None:
        place = self.rows if urlnum is None else urlnum
        self.rows += 1
        key = (timestamp or "", place, url[:MAX_TEXT], message or "")
        if self._first is None or key < self._first:
            self._first = key
        checksum = crc32(url.encode("utf-8", "replace"))
        if checksum <= self._threshold:
            sample = self._sample
            sample[url[:MAX_TEXT]] = (checksum, (message or "")[:MAX_TEXT])
            if len(sample) > SAMPLED:
                del sample[max(sample, key=lambda each: (sample[each][0], each))]
            if len(sample) == SAMPLED:
                self._threshold = max(checksum for checksum, _ in sample.values())

    def chosen(self, number: int) -> list[tuple[str, str]]:
        """Return URLs with their messages, the first one first."""
        if self._first is None:
            return []
        found = [(self._first[2], self._first[3])]
        ranked = sorted((checksum, url, message) for url, (checksum, message) in self._sample.items())
        found += [(url, message) for _, url, message in ranked if url != self._first[2]]
        return found[:number]
