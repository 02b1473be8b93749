"""Splits the bytes of a list into lines. Pure, and bounded for any input.

In: chunks of bytes, split anywhere. Out: the lines that hold a URL, as text. The module opens nothing, and
does not check URLs: `urls` does.

A line ends in LF, CR LF or CR. Spaces around a line, a byte order mark before it, empty lines and lines that
begin with `#` are removed. A byte that is not UTF-8 becomes a lone surrogate (PEP 383), which no URL parser
accepts, so that the line fails with `invalid_url` and is not taken for another URL.
"""

from __future__ import annotations

import re

from fetchpool.model.urls import MAX_URL

MAX_LINE = MAX_URL + 1
"""Maximum number of characters of a line that are stored: enough to be rejected as too long, so a line of a
gigabyte takes no more memory than this (fault 34)."""
_MAX_BYTES = 4 * MAX_LINE
_BLANKS = " \t\v\f\ufeff"
_BLANK_BYTES = re.compile(rb"(?:[ \t\v\f]|\xef\xbb\xbf)*")


class LineSplitter:
    """Splits the bytes of one input, fed in order, into lines."""

    __slots__ = ("_after_cr", "_count", "_numbered", "_tail", "numbers")

    def __init__(self, *, numbered: bool = False) -> None:
        """`numbered`: also find the numbers of the lines."""
        self._tail = b""
        """The incomplete line, or its first `_MAX_BYTES`."""
        self._numbered = numbered
        self._count = 0
        """Number of lines so far, including those without a URL."""
        self._after_cr = False
        """Whether the last line ended in CR, so that LF, if it follows, ends no line."""
        self.numbers: list[int] = []
        """The numbers, from 1, of the lines that were returned last."""

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that `chunk` completes."""
        data = self._tail + chunk
        end = max(data.rfind(b"\n", len(self._tail)), data.rfind(b"\r", len(self._tail))) + 1
        self._tail = data[end:]
        if len(self._tail) > _MAX_BYTES:
            start = _leading_blanks(self._tail)
            self._tail = self._tail[start : start + _MAX_BYTES]
        self.numbers = []
        return self._lines(data[:end]) if end else []

    def finish(self) -> list[str]:
        """Return the last line if the input does not end in a line end."""
        last, self._tail = self._tail, b""
        self.numbers = []
        return self._lines(last)

    def _lines(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "surrogateescape")
        if self._numbered:
            return self._numbered_lines(text)
        if "\r" in text:
            text = text.replace("\r", "\n")  # CR LF leaves an empty line, which is dropped
        raw_lines = text.split("\n")
        if "\ufeff" in text or len(max(raw_lines, key=len)) > MAX_LINE:
            raw_lines = [line.lstrip(_BLANKS)[:MAX_LINE] for line in raw_lines]
        return [line for raw in raw_lines if (line := raw.strip()) and line[0] != "#"]

    def _numbered_lines(self, text: str) -> list[str]:
        """Return the lines, and set their numbers."""
        if self._after_cr and text.startswith("\n"):
            text = text[1:]
        self._after_cr = text.endswith("\r")
        raw_lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = []
        for number, raw in enumerate(raw_lines, self._count + 1):
            line = raw.lstrip(_BLANKS)[:MAX_LINE].strip()
            if line and line[0] != "#":
                lines.append(line)
                self.numbers.append(number)
        self._count += len(raw_lines) - 1
        return lines


def _leading_blanks(data: bytes) -> int:
    match = _BLANK_BYTES.match(data)
    return match.end() if match else 0
