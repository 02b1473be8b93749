"""From bytes to the lines of a list: pure, and bounded whatever the bytes are.

In: chunks of bytes, cut anywhere. Out: the lines that hold a URL, as text. It opens nothing, and
what is a URL it leaves to `urls`.

A line ends in LF, CR LF or CR. Blanks around it, a byte order mark before it, empty lines and those
that begin with `#` are dropped. A byte that is not UTF-8 becomes a lone surrogate (PEP 383), which
no parser takes: that line ends as `invalid_url` and not as another URL.
"""

from __future__ import annotations

import re

from fetchpool.model.urls import MAX_URL

KEPT = MAX_URL + 1
"""Characters of a line that are kept: enough to be refused as too long, so that a line of a
gigabyte costs no more than this (fault 34)."""
_KEPT_BYTES = 4 * KEPT
_BLANKS = " \t\v\f\ufeff"
_BLANK_BYTES = re.compile(rb"(?:[ \t\v\f]|\xef\xbb\xbf)*")


class LineSplitter:
    """Takes the bytes of one input, in order, and gives back its lines. One for each input."""

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""
        """The line that has no end yet, or its first `_KEPT_BYTES`."""

    def feed(self, chunk: bytes) -> list[str]:
        """The lines that `chunk` completes."""
        data = self._tail + chunk
        end = max(data.rfind(b"\n", len(self._tail)), data.rfind(b"\r", len(self._tail))) + 1
        self._tail = data[end:]
        if len(self._tail) > _KEPT_BYTES:
            start = _leading_blanks(self._tail)
            self._tail = self._tail[start : start + _KEPT_BYTES]
        return self._lines(data[:end]) if end else []

    def finish(self) -> list[str]:
        """The last line, when the input does not end in a line end."""
        last, self._tail = self._tail, b""
        return self._lines(last)

    def _lines(self, data: bytes) -> list[str]:
        text = data.decode("utf-8", "surrogateescape")
        if "\r" in text:
            text = text.replace("\r", "\n")  # CR LF leaves an empty line, which is dropped
        raw_lines = text.split("\n")
        if "\ufeff" in text or len(max(raw_lines, key=len)) > KEPT:
            raw_lines = [line.lstrip(_BLANKS)[:KEPT] for line in raw_lines]
        return [line for raw in raw_lines if (line := raw.strip()) and line[0] != "#"]


def _leading_blanks(data: bytes) -> int:
    match = _BLANK_BYTES.match(data)
    return match.end() if match else 0
