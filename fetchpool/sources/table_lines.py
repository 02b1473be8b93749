"""Splits a table into numbered lines, in bounded memory.

In: an input's bytes, in UTF-8. Out: text lines, each with its line end. The module knows no format.

Spreadsheets write tables in Windows-1252 (Latin-1 with more characters), too. Its text beyond ASCII is hardly
ever valid UTF-8, so a line that is not UTF-8 is read as Windows-1252, if that has all of its bytes; the user
is notified. This is decided for each line, because a table may be a mixture."""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.model.text import memory_size
from fetchpool.sources.decompress import Chunks
from fetchpool.sources.table_rows import TableFormatError

MAX_LINE = 16 << 20
"""Maximum length of a line in bytes, and of a cell in characters. A longer one is an error."""
FALLBACK = "cp1252"
"""The encoding of lines that are not UTF-8."""


class LineIterator:
    """The lines of an input, each with its line end."""

    def __init__(self, chunks: Chunks, *, guess: bool = True) -> None:
        """`guess`: read a line that is not UTF-8 in the fallback encoding. Otherwise its undecodable bytes
        become lone surrogates (PEP 383)."""
        self._chunks = chunks
        self._guess = guess
        self._lines: list[str] = []
        self._next = 0
        self._before = 0
        """The number of lines in earlier chunks."""
        self._tail: list[bytes] = []
        """The pieces of the incomplete line, joined only when it is complete: there may be many."""
        self._size = 0
        """The total size of the pieces in bytes."""
        self._ended = False
        self.offset = 0
        self.taken = 0
        """The approximate size in memory of all lines returned so far, in bytes."""
        self.over = False
        """Whether the iterator is exhausted."""
        self.row_number = 0
        """The number of the first line of the current row, which the reader of rows sets."""
        self.first_guessed = 0
        """The number of the first line that was read in the fallback encoding; 0 if there is none."""

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
        self._before += len(self._lines)
        text = self._decoded(data).removeprefix("\ufeff")
        self._lines = [f"{line}\n" for line in text.split("\n")]
        self._lines.pop() if text.endswith("\n") or not text else None
        self._next = 0
        return True

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            if not self._guess:
                return data.decode("utf-8", "surrogateescape")
        numbered = enumerate(data.split(b"\n"), self._before + 1)
        return "\n".join([self._guessed(number, line) for number, line in numbered])

    def _guessed(self, number: int, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError:
            pass
        try:
            text = line.decode(FALLBACK)
        except UnicodeDecodeError:
            return line.decode("utf-8", "surrogateescape")
        self.first_guessed = self.first_guessed or number
        return text
