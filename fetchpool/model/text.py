"""Makes the text of servers, lists and parsers safe to show and to store.

In: any text. Out: text without invisible characters, so that none of it moves a cursor, reorders a line,
starts a new one or hides (faults 34 and 36). Pure.

An invisible character is written as Python writes it: `\\x1b`, `\\u202e`, `\\U000e0041`. A backslash in the
text stays, so that escaping twice changes nothing; the escapes can't be decoded: they are for reading.
"""

from __future__ import annotations

import re
import sys
from unicodedata import category

INVISIBLE = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
"""General categories that are escaped: C0, DEL and C1; bidi controls and other format characters; lone
surrogates (a byte that was not UTF-8); line and paragraph separators. Spaces of every width and characters
newer than this Python stay."""

JOINERS = "\u200c\u200d"
"""Persian, the Indic scripts and composed emoji need these two: between two non-ASCII letters they stay. Next
to ASCII they join nothing, and could only hide something."""

SHORT = 256
"""Maximum length in characters of a short text, which takes at most four times as many bytes."""

_SUSPECT = re.compile(r"[^ -~]")
_BLANKS = re.compile(r"[ \t\r\n]+")


def memory_size(text: str) -> int:
    """Return the bytes that `text` holds, approximately. One character beyond Latin-1 makes all of them take
    two or four bytes; in short texts they count as one."""
    length = len(text)
    return length if length < SHORT else sys.getsizeof(text)


def escape_invisible(text: str) -> str:
    """Return `text` with every control, format and separator character and lone surrogate escaped."""
    if text.isprintable():  # nearly always, and 40 ns
        return text
    return _SUSPECT.sub(_shown, text)


def shown_url(url: str) -> str:
    """Return a row's URL for people: escaped, and a name in place of an empty one, as from an empty cell."""
    return escape_invisible(url) or "(empty URL)"


def one_line(text: str, limit: int) -> str:
    """Return `text` as one line of at most `limit` characters: runs of whitespace become one space, and a cut
    line ends in `…`."""
    line = escape_invisible(_BLANKS.sub(" ", text).strip(" "))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _shown(match: re.Match[str]) -> str:
    char = match[0]
    if category(char) not in INVISIBLE or (char in JOINERS and _joins(match.string, match.start())):
        return char
    code = ord(char)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _joins(text: str, at: int) -> bool:
    return all(
        char and not char.isascii() and category(char) not in INVISIBLE
        for char in (text[at - 1 : at], text[at + 1 : at + 2])
    )
