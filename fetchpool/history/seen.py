"""A set of fingerprints with a few marks each: compact in memory, on disk beyond a limit.

In: fingerprints (`fingerprint.py`). Out: whether the set had each, and its marks. The module knows nothing of
URLs, and stores no text.

In memory a fingerprint is ten bytes and its marks in one of 65,536 byte strings, which its first two bytes
select: 14 bytes each in total, found by the string's own search, in 1 µs up to a few million. No table is
ever doubled, so there are no pauses and no peaks. Fingerprints beyond the limit go to a temporary SQLite
file, at about 5 µs each while its pages are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetchpool.config.choices import DEFAULT_MEMORY

if TYPE_CHECKING:  # loaded when it is needed
    from fetchpool.history.seen_disk import DiskSeenSet

BUCKETS = 1 << 16
BUCKET_BYTES = 2
DIGEST_BYTES = 12
"""Bytes of a fingerprint that are used; the first `BUCKET_BYTES` of them select the string."""
KEY = DIGEST_BYTES - BUCKET_BYTES
OVERHEAD = 5
"""Bytes that each fingerprint costs in addition, measured: the allocator's rounding and overhead."""


class SeenSet:
    """The set. Not thread-safe."""

    def __init__(self, marks: int = 0, *, memory: int = DEFAULT_MEMORY) -> None:
        """`marks`: bytes for each fingerprint, all 0 at first. `memory`: limit in bytes."""
        self._unmarked = bytes(marks)
        self._first: dict[tuple[int, int], bytes] = {}
        """The marks of a new fingerprint, by the index and the value of its one mark."""
        self._width = KEY + marks
        self._strings = [b""] * BUCKETS
        self._free = memory // (self._width + OVERHEAD)
        self._disk: DiskSeenSet | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, fingerprint: bytes) -> bool:
        """Insert a fingerprint without marks; return False if the set has it. Raises `OutputError` when the
        disk fails."""
        chosen = fingerprint[0] << 8 | fingerprint[1]
        key = fingerprint[BUCKET_BYTES:DIGEST_BYTES]
        string = self._strings[chosen]
        if key in string and self._find(string, key) >= 0:
            return False
        return self._insert(chosen, string, key, self._unmarked) is None

    def set_mark(self, fingerprint: bytes, index: int, mark: int) -> bytes:
        """Insert the fingerprint if needed, set one of its marks (0 to 255), and return the marks from
        before. Raises `OutputError` when the disk fails."""
        chosen = fingerprint[0] << 8 | fingerprint[1]
        key = fingerprint[BUCKET_BYTES:DIGEST_BYTES]
        string = self._strings[chosen]
        at = string.find(key)
        if at > 0 and at % self._width:
            at = self._find(string, key)
        if at < 0:
            marks = self._first.get((index, mark)) or self._first_mark(index, mark)
            before = self._insert(chosen, string, key, marks)
            if before is None:
                return self._unmarked
            if before[index] != mark:
                assert self._disk is not None
                self._disk.update(fingerprint[:DIGEST_BYTES], _marked(before, index, mark))
            return before
        end = at + self._width
        before = string[at + KEY : end]
        if before[index] != mark:
            self._strings[chosen] = string[: at + KEY] + _marked(before, index, mark) + string[end:]
        return before

    def _first_mark(self, index: int, mark: int) -> bytes:
        marks = self._first[index, mark] = _marked(self._unmarked, index, mark)
        return marks

    def _find(self, string: bytes, key: bytes) -> int:
        """Return the position of `key`, -1 if there is none. The same bytes may also occur by chance across
        two neighbouring entries, at a position that is not a multiple of the width."""
        at = string.find(key)
        while at > 0 and at % self._width:
            at = string.find(key, at + 1)
        return at

    def _insert(self, chosen: int, string: bytes, key: bytes, marks: bytes) -> bytes | None:
        """Insert a fingerprint that is not in memory. Return its marks if it is on disk."""
        if self._free > 0:
            self._strings[chosen] = string + key + marks
            self._free -= 1
        else:
            if self._disk is None:
                self._disk = _open_disk()
            before = self._disk.insert(chosen.to_bytes(BUCKET_BYTES, "big") + key, marks)
            if before is not None:
                return before
        self._count += 1
        return None


def _open_disk() -> DiskSeenSet:
    from fetchpool.history.seen_disk import DiskSeenSet

    return DiskSeenSet()


def _marked(marks: bytes, index: int, mark: int) -> bytes:
    return marks[:index] + bytes((mark,)) + marks[index + 1 :]
