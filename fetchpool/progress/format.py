"""Human-readable numbers and styled lines, the same in logs, summaries and the live display.

In: numbers. Out: short text, and `Line`s. Pure; independent of terminals.

Sizes are decimal: 1 kB is 1,000 bytes.
"""

from __future__ import annotations

from enum import Enum
from math import ceil

from msgspec import Struct


class Style(Enum):
    """The style of a span. A terminal shows it as a colour; plain text ignores it."""

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
    """One line of output. `str()` returns it as plain text."""

    spans: tuple[Span, ...]

    def __str__(self) -> str:
        return "".join(span.text for span in self.spans)


def line(*parts: Span | str) -> Line:
    """Return a line of spans; a str is a plain span."""
    return Line(tuple(Span(part) if isinstance(part, str) else part for part in parts))


def count(number: int) -> str:
    """Format a count: `12,345`."""
    return f"{number:,}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Format a count with its noun: `1 URL`, `2 URLs`, `0 retries`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def total(number: int, exact: bool) -> str:
    """Format a total: `100,000`, or `~98,000`: an estimate is rounded to three digits."""
    if exact:
        return count(number)
    digits = len(str(number))
    return f"~{round(number, 3 - digits) if digits > 3 else number:,}"


def size(octets: float) -> str:
    """Format bytes: `0 B`, `999 B`, `5.6 kB`, `123 MB`."""
    if octets < 999.5:
        return f"{octets:.0f} B"
    for unit in ("kB", "MB", "GB", "TB"):
        octets /= 1000
        if octets < 999.5:
            return f"{octets:.1f} {unit}" if octets < 99.95 else f"{octets:.0f} {unit}"
    return f"{octets / 1000:,.1f} PB"


def rate(per_second: float) -> str:
    """Format a count per second, without `/s`: `0`, `0.2`, `7.5`, `1,234`."""
    if per_second == 0:
        return "0"
    return f"{per_second:.1f}" if per_second < 9.95 else f"{per_second:,.0f}"


def duration(seconds: float) -> str:
    """Format seconds: `0 s`, `0.3 ms`, `45 ms`, `3.2 s`, `42 s`, `1 min 20 s`, `1 h 02 min`, `2 d 03 h`."""
    milliseconds = seconds * 1000
    if milliseconds < 0.05:
        return "0 s"
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    rounded = round(seconds)
    if rounded < 60:
        return f"{rounded} s"
    if rounded < 3600:
        return f"{rounded // 60} min {rounded % 60:02} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24:02} h"


def clock(seconds: float) -> str:
    """Format a time to wait, counted down each second: `0:05`, `1:58`, `1:02:03`. Rounded up."""
    rounded = ceil(seconds)
    hours, minutes = divmod(rounded // 60, 60)
    return f"{hours}:{minutes:02}:{rounded % 60:02}" if hours else f"{minutes}:{rounded % 60:02}"


def percent(share: float) -> str:
    """Format a share from 0 to 1 as a percentage. Rounded down: only 1 is `100 %`. A small one is `<1 %`."""
    if 0 < share < 0.01:
        return "<1 %"
    return f"{int(share * 100 + 1e-9)} %"


def shortened(text: str, length: int = 100) -> str:
    """Return at most `length` characters of a URL: its middle is cut out, its host and end remain."""
    if len(text) <= length:
        return text
    tail = (length - 3) * 2 // 5
    return f"{text[: length - 3 - tail]}...{text[-tail:]}"
