"""Writes SVG: elements, text, paths and ticks.

In: numbers and text. Out: markup, in which all text is escaped. Colours are those of the page's style sheet,
by class. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from math import ceil, floor, log10

SECONDS = (
    *(0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200),
    *(86400 * days for days in (1, 2, 7, 14, 28, 91, 365, 3650)),
)
"""Steps between marks of a time axis."""


def element(name: str, *content: str, **attributes: str | float) -> str:
    """Return an element. `content` is markup; the values of attributes are escaped. `class_` is `class`."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(value) if isinstance(value, str) else number(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def text(words: str, x: float, y: float, **attributes: str | float) -> str:
    """Return a line of text."""
    return element("text", escape(words), x=x, y=y, **attributes)


def tip(words: str) -> str:
    """Return the text that is shown while the pointer is over the surrounding element."""
    return element("title", escape(words))


def number(value: float) -> str:
    """Format a coordinate: at most one decimal."""
    return f"{value:.1f}".removesuffix(".0").replace("-0", "0") if value > -0.05 else f"{value:.1f}"


def path(points: Iterable[tuple[float, float]]) -> str:
    """Return the `d` of a line through points."""
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def steps(edges: Sequence[float], heights: Sequence[float], bottom: float) -> str:
    """Return the `d` of an area with a flat top for each interval."""
    parts = [f"M{number(edges[0])} {number(bottom)}"]
    for place, height in enumerate(heights):
        parts.append(f"V{number(height)}H{number(edges[place + 1])}")
    return "".join([*parts, f"V{number(bottom)}Z"])


def ticks(highest: float, most: int = 4) -> list[float]:
    """Return round values from 0 up to `highest`, at most `most` above 0."""
    if highest <= 0:
        return [0.0]
    raw = highest / most
    power = 10.0 ** floor(log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    return [step * place for place in range(floor(highest / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Return round values between two positive ones: powers of ten, and 2 and 5 times these if there are
    few."""
    powers = range(floor(log10(low)), ceil(log10(high)) + 1)
    tens = [10.0**power for power in powers if low <= 10.0**power <= high]
    if len(tens) >= 4:
        return tens if len(tens) <= 8 else tens[:: ceil(len(tens) / 8)]
    fine = [factor * 10.0**power for power in powers for factor in (1, 2, 5)]
    return [value for value in fine if low <= value <= high] or [low]


def time_ticks(seconds: float, most: int = 7) -> list[float]:
    """Return round times from 0 up to `seconds`."""
    step = next((each for each in SECONDS if seconds / each <= most), SECONDS[-1])
    return [step * place for place in range(min(int(seconds / step), 50) + 1)]
