"""Human-readable numbers, and styled lines of text, for every observer.

In: plain numbers. Out: short text without trailing blanks, and `Line`s. Pure; knows no terminal, so
that a log, a summary and a live display say the same thing in the same words.

Sizes are decimal, as on the wire and the disk's box: 1 kB is 1,000 bytes.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct


class Style(Enum):
    """What a span of a line is; a terminal gives each a colour, plain text ignores it."""

    PLAIN = "plain"
    QUIET = "quiet"
    STRONG = "strong"
    GOOD = "good"
    BAD = "bad"
    HINT = "hint"


class Span(Struct, frozen=True):
    """A run of characters in one style."""

    text: str
    style: Style = Style.PLAIN


class Line(Struct, frozen=True):
    """One line for a person. `str()` is the line as plain text."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "".join(span.text for span in self.spans)


def line(*parts: Span | str) -> Line:
    """A line of spans; a bare string is a plain one."""
    return Line(tuple(Span(part) if isinstance(part, str) else part for part in parts))


def count(number: int) -> str:
    """`12,345`."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 URL`, `2 URLs`, `0 retries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def total(number: int, exact: bool) -> str:
    """`100,000`, or `~98,000`: an estimate never looks more exact than three digits."""
    if exact:
        return count(number)
    digits = len(str(number))
    return f"~{round(number, 3 - digits) if digits > 3 else number:,}"


def size(octets: float) -> str:
    """`0 B`, `999 B`, `5.6 kB`, `123 MB`."""
    if octets < 999.5:
        return f"{octets:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        octets /= 1000
        if octets < 999.5:
            return f"{octets:.1f} {unit}" if octets < 99.95 else f"{octets:.0f} {unit}"
    return f"{octets / 1000:,.1f} PB"


def rate(per_second: float) -> str:
    """Of a count: `0`, `0.2`, `7.5`, `1,234`; without its `/s`."""
    if per_second == 0:
        return "0"
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:,.0f}"


def duration(seconds: float) -> str:
    """`0 s`, `0.3 ms`, `45 ms`, `3.2 s`, `42 s`, `1 min 20 s`, `1 h 02 min`, `2 d 03 h`."""
    milliseconds = seconds * 1000
    if milliseconds < 0.05:
        return "0 s"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def percent(share: float) -> str:
    """Of a share from 0 to 1: rounded down, so that 100 % is all of it; `<1 %` is not nothing."""
    if 0 < share < 0.01:
        return "<1 %"
    return f"{int(share * 100 + 1e-9)} %"


def shortened(text: str, length: int = 100) -> str:
    """At most `length` characters: the middle of a long URL goes, its host and its end stay."""
    if len(text) <= length:
        return text
    tail = (length - 3) * 2 // 5
    return f"{text[: length - 3 - tail]}...{text[-tail:]}"
