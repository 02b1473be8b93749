"""Splits a table into numbered lines, in bounded memory.

In: an input's bytes. Out: text lines, each with its line end. The module knows no format.
"""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.model.text import memory_size
from fetchpool.sources.decompress import Chunks
from fetchpool.sources.table_rows import TableFormatError

MAX_LINE = 16 << 20
"""Bytes of a line, or characters of a cell. A longer one is an error, not a table."""


class LineIterator:
    """The lines of an input, each with its line end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._lines: list[str] = []
        self._next = 0
        self._before = 0
        """The number of lines in earlier chunks."""
        self._tail: list[bytes] = []
        """The pieces of the line that is not complete yet, joined only when it is: there may be many."""
        self._size = 0
        """The number of bytes in them."""
        self._ended = False
        self.offset = 0
        self.taken = 0
        """The size in memory of all lines returned so far, roughly, in bytes."""
        self.over = False
        """Whether the iterator is exhausted."""

    @property
    def number(self) -> int:
        """The number of the last returned line, from 1; 0 before the first."""
        return self._before + self._next

    @property
    def last(self) -> str:
        """The last returned line."""
        return self._lines[self._next - 1] if self._next else ""

    @property
    def waits(self) -> bool:
        """Whether the next line requires another chunk."""
        return self._next >= len(self._lines)

    def first(self) -> str:
        """Return the first line without consuming it; empty when there is none."""
        while self.waits and self._more():
            pass
        return self._lines[0] if self._lines else ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        while self.waits:
            if not self._more():
                self.over = True
                raise StopIteration
        line = self._lines[self._next]
        self._next += 1
        self.taken += memory_size(line)
        return line

    def _more(self) -> bool:
        if self._ended:
            return False
        found = next(self._chunks, None)
        self._ended = found is None
        chunk, self.offset = found or (b"", self.offset)
        end = len(chunk) if self._ended else chunk.rfind(b"\n") + 1
        data = b""
        if end or self._ended:
            data = b"".join([*self._tail, chunk[:end]])
            self._tail, self._size = [], 0
        self._tail.append(chunk[end:])
        self._size += len(chunk) - end
        if self._size > MAX_LINE:
            raise TableFormatError(f"a line of more than {MAX_LINE >> 20} MiB; is it a table?")
        text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
        self._before += len(self._lines)
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self._lines.pop() if text.endswith("\n") or not text else None
        self._next = 0
        return True
