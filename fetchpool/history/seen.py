"""SeenSet: a set of fingerprints with a few marks each, compact in memory, and on disk beyond a limit.

In: fingerprints (`fingerprint.py`). Out: whether the set had each, and its marks. The module knows nothing of
URLs, and stores no text.

In memory a fingerprint is ten bytes and its marks in one of 65,536 byte strings, which its first two bytes
select, and is found by the string's own search. A string with about 250 fingerprints is divided into sixteen,
selected by the next four bits, and so on: 14 bytes each in total, found in 1 µs up to 16 million and in 2 µs
from there on. Strings are divided one at a time, at different sizes, and no table is ever doubled, so there
are no pauses and no peaks. Fingerprints beyond the limit go to a temporary SQLite file, at about 5 µs each
while its pages are in memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from fetchpool.config.choices import DEFAULT_MEMORY

if TYPE_CHECKING:  # loaded when it is needed
    from fetchpool.history.seen_disk import DiskSeenSet

BUCKETS = 1 << 16
BUCKET_BYTES = 2
DIGEST_BYTES = 12
"""Number of bytes of a fingerprint that are used; the first `BUCKET_BYTES` of them select the string."""
KEY = DIGEST_BYTES - BUCKET_BYTES
BRANCHES = 16
"""Number of strings into which one is divided."""
FEWEST, STEP = 128, 16
"""A string is divided when it has this many fingerprints, and `STEP` more for each place in its list."""
OVERHEAD = 5
"""Additional bytes per fingerprint, as measured: the allocator's rounding and overhead."""

BYTES = [bytes((mark,)) for mark in range(256)]
"""Each mark as it is stored."""

Node: TypeAlias = "bytes | list[Node]"
"""A string, or the strings into which it was divided."""


class SeenSet:
    """A set of fingerprints with marks. Not thread-safe."""

    def __init__(self, marks: int = 0, *, memory: int = DEFAULT_MEMORY) -> None:
        """`marks`: bytes for each fingerprint, all 0 at first. `memory`: limit in bytes."""
        self._unmarked = bytes(marks)
        self._first: dict[tuple[int, int], bytes] = {}
        """The marks of a new fingerprint, by the index and the value of its one mark."""
        self._width = KEY + marks
        self._nodes: list[Node] = [b""] * BUCKETS
        self._limits = [self._width * (FEWEST + STEP * place) for place in range(BRANCHES)]
        """Size in bytes from which a string is divided, by its place in its list."""
        self._free = memory // (self._width + OVERHEAD)
        self._disk: DiskSeenSet | None = None
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, fingerprint: bytes) -> bool:
        """Insert a fingerprint without marks; return False if the set has it. Raises `OutputError` when the
        disk fails."""
        key = fingerprint[BUCKET_BYTES:DIGEST_BYTES]
        nodes, index = self._nodes, fingerprint[0] << 8 | fingerprint[1]
        string = nodes[index]
        if isinstance(string, list):
            nodes, index, string = self._descend(string, key)
        if key in string and self._find(string, key) >= 0:
            return False
        if self._free > 0 and len(string) + self._width < self._limits[index % BRANCHES]:  # nearly always
            self._free -= 1
            self._count += 1
            nodes[index] = string + key + self._unmarked
            return True
        return self._insert(nodes, index, string, fingerprint, self._unmarked) is None

    def set_mark(self, fingerprint: bytes, index_of_mark: int, mark: int) -> bytes:
        """Insert the fingerprint if needed, set one of its marks (0 to 255), and return the marks from
        before. Raises `OutputError` when the disk fails."""
        key = fingerprint[BUCKET_BYTES:DIGEST_BYTES]
        nodes, index = self._nodes, fingerprint[0] << 8 | fingerprint[1]
        string = nodes[index]
        if isinstance(string, list):
            nodes, index, string = self._descend(string, key)
        at = string.find(key)
        if at > 0 and at % self._width:
            at = self._find(string, key)
        if at < 0:
            marks = self._first.get((index_of_mark, mark)) or self._first_mark(index_of_mark, mark)
            if self._free > 0 and len(string) + self._width < self._limits[index % BRANCHES]:  # nearly always
                self._free -= 1
                self._count += 1
                nodes[index] = string + key + marks
                return self._unmarked
            before = self._insert(nodes, index, string, fingerprint, marks)
            if before is None:
                return self._unmarked
            if before[index_of_mark] != mark:
                assert self._disk is not None
                self._disk.update(fingerprint[:DIGEST_BYTES], _marked(before, index_of_mark, mark))
            return before
        end = at + self._width
        before = string[at + KEY : end]
        if before[index_of_mark] != mark:
            place = at + KEY + index_of_mark
            nodes[index] = string[:place] + BYTES[mark] + string[place + 1 :]
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

    def _descend(self, nodes: list[Node], key: bytes) -> tuple[list[Node], int, bytes]:
        """Return the list with the string of a key, the string's place there, and the string."""
        digit = 0
        while True:
            place = _hex_digit(key, digit)
            node = nodes[place]
            if not isinstance(node, list):
                return nodes, place, node
            nodes = node
            digit += 1

    def _insert(
        self, nodes: list[Node], index: int, string: bytes, fingerprint: bytes, marks: bytes
    ) -> bytes | None:
        """Insert a fingerprint that is not in memory, into this string. Return its marks if it is on disk."""
        if self._free > 0:
            string += fingerprint[BUCKET_BYTES:DIGEST_BYTES] + marks
            self._free -= 1
            if len(string) < self._limits[index % BRANCHES]:
                nodes[index] = string
            else:
                nodes[index] = self._divided(string, self._depth(fingerprint))
        else:
            if self._disk is None:
                self._disk = _open_disk()
            before = self._disk.insert(fingerprint[:DIGEST_BYTES], marks)
            if before is not None:
                return before
        self._count += 1
        return None

    def _depth(self, fingerprint: bytes) -> int:
        """Return the number of digits of its key that select the string of a fingerprint."""
        digit, node = 0, self._nodes[fingerprint[0] << 8 | fingerprint[1]]
        while isinstance(node, list):
            node = node[_hex_digit(fingerprint, 2 * BUCKET_BYTES + digit)]
            digit += 1
        return digit

    def _divided(self, string: bytes, digit: int) -> list[Node]:
        """Return the strings into which one is divided, by a digit of the keys."""
        width, at, odd = self._width, digit >> 1, digit & 1
        parts: list[list[bytes]] = [[] for _ in range(BRANCHES)]
        for start in range(0, len(string), width):
            byte = string[start + at]
            parts[byte & 15 if odd else byte >> 4].append(string[start : start + width])
        return [b"".join(part) for part in parts]


def _open_disk() -> DiskSeenSet:
    from fetchpool.history.seen_disk import DiskSeenSet

    return DiskSeenSet()


def _marked(marks: bytes, index: int, mark: int) -> bytes:
    return marks[:index] + bytes((mark,)) + marks[index + 1 :]


def _hex_digit(key: bytes, digit: int) -> int:
    """Return a hexadecimal digit of a key."""
    byte = key[digit >> 1]
    return byte & 15 if digit & 1 else byte >> 4
