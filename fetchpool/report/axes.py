"""Scales and axes of the figures: one size, with space for labels on the left and below.

In: values. Out: coordinates, and markup of axes. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import log

from fetchpool.progress.format import duration, size
from fetchpool.report.numbers import Course, Spread
from fetchpool.report.svg import element, text, time_ticks, tip

WIDTH = 560.0
LEFT, RIGHT, TOP = 52.0, 12.0, 12.0
HEIGHT = 190.0
"""Height of the area in which values are drawn."""
AXIS = 24.0
"""Height of the axis below that area."""

LETTER = 6.5
"""Approximate width of a character of a label."""
UNITS = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))

Label = Callable[[float], str]


def y_of(part: float) -> float:
    return TOP + HEIGHT * (1 - part)


def log_scale(low: float, high: float) -> Callable[[float], float]:
    space = WIDTH - LEFT - RIGHT
    return lambda value: LEFT + space * log(value / low) / log(high / low)


def time_range(spread: Spread) -> tuple[float, float]:
    """Return the ends of the axis, without extremes that are far from the other values."""
    low = max(spread.minimum, spread.p50 / 1000, 1e-5)
    high = max(spread.maximum, low * 1.01)
    return (low / 2, high * 2) if high / low < 4 else (low / 1.05, high * 1.05)


def x_axis(marks: Sequence[tuple[float, float]], label: Label) -> list[str]:
    bottom = y_of(0.0)
    found = [element("path", d=f"M{LEFT:g} {bottom:g}H{WIDTH - RIGHT:g}", class_="axis")]
    free = 0.0
    for value, x in marks:
        words = label(value)
        width = LETTER * len(words)
        if x - width / 2 >= free:
            found.append(element("path", d=f"M{x:.1f} {bottom:g}v4", class_="axis"))
            left = min(x, WIDTH - width / 2)
            found.append(text(words, left, bottom + 18, text_anchor="middle", class_="mark"))
            free = x + width / 2 + 8
    return found


def y_axis(marks: Sequence[tuple[float, float]], label: Label) -> list[str]:
    found = []
    for value, y in marks:
        if value:
            found.append(element("path", d=f"M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}", class_="grid"))
        found.append(text(label(value), LEFT - 8, y + 4, text_anchor="end", class_="mark"))
    return found


def marks_of(marks: Sequence[tuple[str, float, float, float]]) -> list[str]:
    """Draw percentiles on a rising line, from the lowest to the highest. Their labels are below the line, and
    staggered if they are close."""
    found: list[str] = []
    above = 0.0
    for name, x, y, value in reversed(marks):
        words = f"{name} {duration(value)}"
        fits = x + 8 + LETTER * len(words) < WIDTH
        above = max(y + (15 if fits else 30), above + 15)  # the line is lower on the left
        found.append(element("circle", tip(words), cx=x, cy=y, r=3.5, class_="dot"))
        anchor = "start" if fits else "end"
        found.append(text(words, x + 8 if fits else x - 4, above, text_anchor=anchor, class_="value"))
    return found


def edges_of(course: Course) -> list[float]:
    space = (WIDTH - LEFT - RIGHT) / len(course.ok)
    return [LEFT + space * place for place in range(len(course.ok) + 1)]


def seconds_of(course: Course) -> list[float]:
    """Return the seconds of each interval. The first and the last are shorter, but a row in a very short one
    would look like a high rate."""
    return [each if 2 * each > course.interval else course.interval for each in course.covered]


def elapsed_ticks(course: Course) -> list[tuple[float, float]]:
    seconds = course.interval * len(course.ok)
    space = WIDTH - LEFT - RIGHT
    return [(value, LEFT + space * value / seconds) for value in time_ticks(seconds)]


def unbroken(values: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """Return the parts of a line that are separated by intervals without a value."""
    found: list[list[tuple[float, float]]] = [[]]
    for x, value in values:
        if value:
            found[-1].append((x, value))
        elif found[-1]:
            found.append([])
    return [part for part in found if part]


def exact_duration(seconds: float) -> str:
    """Format a round time as short as possible: `50 ms`, `1.5 s`, `1:30 min`, `3 h`, `7 d`."""
    if 1 < seconds < 60 and seconds % 1:
        return f"{seconds:.3g} s"
    if 60 < seconds < 600 and seconds % 60:
        return f"{int(seconds // 60)}:{seconds % 60:02.0f} min"
    for unit, name in UNITS:
        if seconds >= unit * 0.999 and abs(seconds / unit - round(seconds / unit)) < 0.001:
            return f"{seconds / unit:.0f} {name}"
    return duration(seconds)


def exact_size(octets: float) -> str:
    """Format a round size without decimals: `10 kB`."""
    return size(octets).replace(".0 ", " ")
