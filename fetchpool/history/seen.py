"""A set of fingerprints that may have a few marks each: compact in memory, on disk beyond a limit.

In: fingerprints (`fingerprint.py`). Out: whether each was there, and its marks. It knows nothing of
URLs, and holds no text.

In memory a fingerprint is ten bytes and its marks in one of 65,536 byte strings, which its first two
bytes choose: 14 bytes each all told, found by the string's own search, in 1 µs as long as there are a
few million. No table is ever doubled: nothing pauses, and there is no peak. What comes after the
limit goes to a temporary file of SQLite's, at about 5 µs each while its pages are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fetchpool.config.choices import DEFAULT_MEMORY

if TYPE_CHECKING:  # loaded by those who need it
    from fetchpool.history.seen_disk import DiskSeenSet

BUCKETS = 1 << 16
BUCKET_BYTES = 2
KEPT = 12
"""Bytes of a fingerprint that count; the first `BUCKET_BYTES` of them choose the string."""
KEY = KEPT - BUCKET_BYTES
OVERHEAD = 5
"""Bytes that each costs beside its own, measured: what the allocator rounds up and loses."""


class SeenSet:
    """The set. Not for several threads at once."""

    def __init__(self, marks: int = 0, *, memory: int = DEFAULT_MEMORY) -> None:
        """`marks`: bytes beside each fingerprint, all 0 at first. `memory`: bytes that it may take."""
        self._unmarked = bytes(marks)
        self._first: dict[tuple[int, int], bytes] = {}
        """What a fingerprint is marked with when it is put in with that mark."""
        self._width = KEY + marks
        self._strings = [b""] * BUCKETS
        self._room = memory // (self._width + OVERHEAD)
        self._disk: DiskSeenSet | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def on_disk(self) -> int:
        """How many of them are not in memory."""
        return self._disk.count if self._disk is not None else 0

    def add(self, fingerprint: bytes) -> bool:
        """Puts it in, unmarked; False when it was there. Raises `OutputError` when the disk fails."""
        chosen = fingerprint[0] << 8 | fingerprint[1]
        key = fingerprint[BUCKET_BYTES:KEPT]
        string = self._strings[chosen]
        if key in string and self._place(string, key) >= 0:
            return False
        return self._insert(chosen, string, key, self._unmarked) is None

    def mark(self, fingerprint: bytes, place: int, mark: int) -> bytes:
        """Puts it in if it isn't there, sets that mark (0 to 255), and returns the marks from before.
        Raises `OutputError` when the disk fails."""
        chosen = fingerprint[0] << 8 | fingerprint[1]
        key = fingerprint[BUCKET_BYTES:KEPT]
        string = self._strings[chosen]
        at = string.find(key)
        if at > 0 and at % self._width:
            at = self._place(string, key)
        if at < 0:
            marks = self._first.get((place, mark)) or self._first_mark(place, mark)
            before = self._insert(chosen, string, key, marks)
            if before is None:
                return self._unmarked
            if before[place] != mark:
                assert self._disk is not None
                self._disk.change(fingerprint[:KEPT], _marked(before, place, mark))
            return before
        end = at + self._width
        before = string[at + KEY : end]
        if before[place] != mark:
            self._strings[chosen] = string[: at + KEY] + _marked(before, place, mark) + string[end:]
        return before

    def _first_mark(self, place: int, mark: int) -> bytes:
        marks = self._first[place, mark] = _marked(self._unmarked, place, mark)
        return marks

    def _place(self, string: bytes, key: bytes) -> int:
        """Where `key` stands, -1 if nowhere; between two of them the same bytes may stand by chance."""
        at = string.find(key)
        while at > 0 and at % self._width:
            at = string.find(key, at + 1)
        return at

    def _insert(self, chosen: int, string: bytes, key: bytes, marks: bytes) -> bytes | None:
        """Puts in what is not in memory. What it was marked with, if it was on disk."""
        if self._room > 0:
            self._strings[chosen] = string + key + marks
            self._room -= 1
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


def _marked(marks: bytes, place: int, mark: int) -> bytes:
    return marks[:place] + bytes((mark,)) + marks[place + 1 :]
