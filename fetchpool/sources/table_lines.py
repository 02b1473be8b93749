"""The lines of a table, with their numbers, in bounded memory.

In: an input's bytes. Out: text lines, each with its line end. It knows no format.
"""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.model.text import memory_size
from fetchpool.sources.decompress import Chunks
from fetchpool.sources.table_rows import TableFormatError

MAX_LINE = 16 << 20
"""Bytes of a line, or characters of a cell: more is no table but a mistake."""


class LineIterator:
    """The lines of an input, each with its line end."""

    def __init__(self, chunks: Chunks) -> None:
        self._chunks = chunks
        self._lines: list[str] = []
        self._next = 0
        self._before = 0
        """Lines of earlier chunks."""
        self._tail: list[bytes] = []
        """Of the line that has no end yet: joined when it has one, since it may come in many pieces."""
        self._size = 0
        """Bytes of it."""
        self._ended = False
        self.offset = 0
        self.taken = 0
        """Bytes that all lines that were handed out held in memory, approximately."""
        self.over = False
        """Another line was asked for, and there was none."""

    @property
    def number(self) -> int:
        """Of the line that was handed out last, from 1; 0 before the first."""
        return self._before + self._next

    @property
    def last(self) -> str:
        """That line."""
        return self._lines[self._next - 1] if self._next else ""

    @property
    def waits(self) -> bool:
        """All that has come was handed out: for another line more must come."""
        return self._next >= len(self._lines)

    def first(self) -> str:
        """The first line, which is handed out all the same; empty when there is none."""
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
