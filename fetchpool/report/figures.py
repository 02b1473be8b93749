"""The figures of a report, as SVG with a title, a description and a table of the same values.

In: the numbers. Out: a `Figure` for each question that the outputs can answer. Pure; equal numbers give equal
bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import log

from msgspec import Struct

from fetchpool.progress.format import count, duration, rate, size
from fetchpool.report.axes import (
    AXIS,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    edges_of,
    elapsed_ticks,
    exact_duration,
    exact_size,
    log_scale,
    marks_of,
    seconds_of,
    time_range,
    unbroken,
    x_axis,
    y_axis,
    y_of,
)
from fetchpool.report.numbers import Course, Numbers, Phases, Spread
from fetchpool.report.svg import element, log_ticks, path, steps, text, ticks, tip
from fetchpool.report.words import groups, share

BAR_HEIGHT = 28.0
LEGEND = 22.0
MIN_BINS = 4
"""Number of intervals from which the course of the run is shown."""
TABLE_ROWS = 20
PHASE_NAMES = {
    "name": "name",
    "connect": "connect",
    "tls": "TLS",
    "wait": "first byte",
    "receive": "body",
}


class Figure(Struct, frozen=True):
    """A figure."""

    title: str
    description: str
    svg: str
    """The content of the SVG, without its title."""
    height: float
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def outcome(numbers: Numbers) -> Figure | None:
    """Return the figure of successful URLs and groups of failures."""
    if not numbers.total:
        return None
    found = [(name, urls) for name, urls in groups(numbers) if urls]
    parts = []
    x = 0.0
    widths = _widths([urls for _, urls in found], WIDTH)
    for place, ((name, urls), width) in enumerate(zip(found, widths, strict=True)):
        words = f"{name}: {count(urls)}, {share(urls, numbers.total)}"
        parts.append(
            element(
                "rect",
                tip(words),
                x=x,
                y=0,
                width=max(width - 1, 1),
                height=BAR_HEIGHT,
                class_=_group_class(name, place),
            )
        )
        x += width
    for place, (name, urls) in enumerate(found):
        column, row = place % 3, place // 3
        left, y = column * WIDTH / 3, BAR_HEIGHT + LEGEND * (row + 1)
        parts.append(element("rect", x=left, y=y - 10, width=10, height=10, class_=_group_class(name, place)))
        parts.append(text(f"{name} {count(urls)} ({share(urls, numbers.total)})", left + 16, y - 1))
    height = BAR_HEIGHT + LEGEND * (-(-len(found) // 3)) + 6
    return Figure(
        "Outcome",
        f"{count(numbers.ok)} of {count(numbers.total)} URLs are ok.",
        "".join(parts),
        height,
        ("outcome", "URLs", "share"),
        tuple((name, count(urls), share(urls, numbers.total)) for name, urls in found),
    )


def times(spread: Spread | None) -> Figure | None:
    """Return the figure of the share of URLs completed within a time."""
    if spread is None or spread.maximum <= 0:
        return None
    low, high = time_range(spread)
    x = log_scale(low, high)
    total = spread.count
    seen = 0
    points = [(x(low), y_of(0.0))]
    for up_to, number in spread.buckets:
        here = x(min(max(up_to, low), high))
        points.append((here, points[-1][1]))  # flat where there are no values
        seen += number
        points[-1] = (max(points[-2][0], x(max(low, up_to / 1.05))), points[-1][1])
        points.append((here, y_of(seen / total)))
    points.append((x(high), y_of(1.0)))
    marks = [("p50", 0.5, spread.p50), ("p90", 0.9, spread.p90), ("p95", 0.95, spread.p95)]
    marks += [("p99", 0.99, spread.p99)] if total >= 100 else []
    parts = [
        *x_axis([(value, x(value)) for value in log_ticks(low, high)], exact_duration),
        *y_axis([(part, y_of(part)) for part in (0.0, 0.25, 0.5, 0.75, 1.0)], lambda part: f"{part:.0%}"),
        element("path", d=f"{path(points)}V{y_of(0.0):g}H{x(low):.1f}Z", class_="area"),
        element("path", d=path(points), class_="line"),
    ]
    parts += marks_of([(name, x(max(value, low)), y_of(part), value) for name, part, value in marks])
    percentiles = [*marks, ("p99.9", 0.999, spread.p999), ("longest", 1.0, spread.maximum)]
    return Figure(
        "Time of a URL",
        f"Half of the URLs took at most {duration(spread.p50)}, 95 % at most {duration(spread.p95)}, the "
        f"longest {duration(spread.maximum)}.",
        "".join(parts),
        TOP + HEIGHT + AXIS,
        ("share of URLs", "complete within"),
        tuple((name, duration(value)) for name, _, value in percentiles),
    )


def phases(groups: Sequence[Phases]) -> Figure | None:
    """Return the figure of the time spent in each phase, for fast and slow URLs."""
    if not groups:
        return None
    parts, rows = [], []
    label, bar, gap = 118.0, 24.0, 14.0
    space = WIDTH - label - 70
    for row, group in enumerate(groups):
        values = [(name, float(getattr(group, name))) for name in PHASE_NAMES]
        total = sum(value for _, value in values)
        y = row * (bar + gap)
        parts.append(text(_group_name(group), 0, y + bar / 2 + 4))
        x = label
        for name, value in values:
            width = space * value / total if total else 0.0
            if width >= 0.3:
                words = f"{PHASE_NAMES[name]}: {duration(value)}"
                parts.append(
                    element(
                        "rect",
                        tip(words),
                        x=x,
                        y=y,
                        width=max(width - 1, 0.3),
                        height=bar,
                        class_=f"phase-{name}",
                    )
                )
            x += width
        parts.append(text(duration(total), WIDTH, y + bar / 2 + 4, text_anchor="end"))
        rows.append((_group_name(group), *(duration(value) for _, value in values), duration(total)))
    y = len(groups) * (bar + gap) + 8
    for place, (name, words) in enumerate(PHASE_NAMES.items()):
        x = label + place * (WIDTH - label) / len(PHASE_NAMES)
        parts.append(element("rect", x=x, y=y, width=10, height=10, class_=f"phase-{name}"))
        parts.append(text(words, x + 15, y + 9))
    slowest = rows[-1]
    return Figure(
        "Where the time went",
        f"Mean times of the phases; {slowest[0]}: {slowest[-1]} in total.",
        "".join(parts),
        y + 16,
        ("URLs", *PHASE_NAMES.values(), "total"),
        tuple(rows),
    )


def rates(course: Course | None) -> Figure | None:
    """Return the figure of URLs per second over the run, and how many of them failed."""
    if course is None or len(course.ok) < MIN_BINS or not course.elapsed:
        return None
    edges, seconds = edges_of(course), seconds_of(course)
    failed = [number / per for number, per in zip(course.failed, seconds, strict=True)]
    every = [(ok + bad) / per for ok, bad, per in zip(course.ok, course.failed, seconds, strict=True)]
    marks = ticks(max(every))
    top = max(*every, *marks)
    parts = [
        *x_axis(elapsed_ticks(course), exact_duration),
        *y_axis([(value, y_of(value / top)) for value in marks], rate),
        element("path", d=steps(edges, [y_of(value / top) for value in every], y_of(0.0)), class_="ok"),
        element("path", d=steps(edges, [y_of(value / top) for value in failed], y_of(0.0)), class_="bad"),
    ]
    mean = (sum(course.ok) + sum(course.failed)) / course.elapsed
    return Figure(
        "URLs per second",
        f"{rate(mean)} URLs/s on average. The lower area is those that failed.",
        "".join(parts),
        TOP + HEIGHT + AXIS,
        ("after", "ok per second", "failed per second"),
        tuple(
            (
                duration(at * course.interval),
                rate(sum(course.ok[at : at + step]) / sum(seconds[at : at + step])),
                rate(sum(course.failed[at : at + step]) / sum(seconds[at : at + step])),
            )
            for step in (-(-len(every) // TABLE_ROWS),)
            for at in range(0, len(every), step)
        ),
    )


def time_course(course: Course | None) -> Figure | None:
    """Return the figure of the times of URLs over the run: the median and the 95th percentile."""
    if course is None or len(course.ok) < MIN_BINS or not course.elapsed:
        return None
    known = [value for value in (*course.p50, *course.p95) if value]
    if not known:
        return None
    low, high = min(known), max(known)
    low, high = (low / 1.5, high * 1.5) if high / low < 3 else (low / 1.1, high * 1.1)

    def y(value: float) -> float:
        return y_of(log(value / low) / log(high / low))

    edges = edges_of(course)
    middles = [(before + after) / 2 for before, after in pairwise(edges)]
    parts = [
        *x_axis(elapsed_ticks(course), exact_duration),
        *y_axis([(value, y(value)) for value in log_ticks(low, high)], exact_duration),
    ]
    for values, name in ((course.p95, "line faint"), (course.p50, "line")):
        for part in unbroken([(x, value) for x, value in zip(middles, values, strict=True)]):
            points = [(x, y(value)) for x, value in part]
            if len(points) == 1:
                points.append((points[0][0] + 1, points[0][1]))
            parts.append(element("path", d=path(points), class_=name))
    step = -(-len(middles) // TABLE_ROWS)
    return Figure(
        "Time of a URL over the run",
        "The lower line is the median, the upper one the 95th percentile.",
        "".join(parts),
        TOP + HEIGHT + AXIS,
        ("after", "p50", "p95"),
        tuple(
            (
                duration(at * course.interval),
                *(duration(value) if value is not None else "" for value in pair),
            )
            for at, pair in list(enumerate(zip(course.p50, course.p95, strict=True)))[::step]
        ),
    )


def sizes(spread: Spread | None) -> Figure | None:
    """Return the figure of the sizes of bodies."""
    if spread is None or spread.maximum <= 0:
        return None
    low, high = max(spread.minimum, 1.0), spread.maximum
    low, high = (low / 2, high * 2) if high / low < 4 else (low / 1.05, high * 1.05)
    x = log_scale(low, high)
    bars = 30
    heights = [0] * bars
    for up_to, number in spread.buckets:
        place = int(bars * log(max(up_to / 1.025, low) / low) / log(high / low))
        heights[min(max(place, 0), bars - 1)] += number
    top = max(heights)
    width = (WIDTH - LEFT - RIGHT) / bars
    parts = [
        *x_axis([(value, x(value)) for value in log_ticks(low, high)], exact_size),
        *y_axis([(value, y_of(value / top)) for value in ticks(top)], lambda value: count(round(value))),
    ]
    rows = []
    for place, number in enumerate(heights):
        if number:
            limits = [low * (high / low) ** (edge / bars) for edge in (place, place + 1)]
            words = f"{size(limits[0])} to {size(limits[1])}"
            y = min(y_of(number / top), y_of(0.0) - 1)
            parts.append(
                element(
                    "rect",
                    tip(f"{words}: {count(number)} URLs"),
                    x=LEFT + place * width,
                    y=y,
                    width=width - 1,
                    height=y_of(0.0) - y,
                    class_="ok",
                )
            )
            rows.append((words, count(number)))
    return Figure(
        "Sizes of bodies",
        f"Half of the bodies have at most {size(spread.p50)}, the largest {size(spread.maximum)}.",
        "".join(parts),
        TOP + HEIGHT + AXIS,
        ("size", "URLs"),
        tuple(rows),
    )


def _group_name(group: Phases) -> str:
    if group.above == 0:
        return "all URLs" if group.up_to == 1 else "the fastest half"
    if group.up_to == 1:
        return f"the slowest {1 - group.above:.0%}"
    return f"{group.above:.0%} to {group.up_to:.0%}"


def _group_class(name: str, place: int) -> str:
    return "ok" if name == "ok" else f"bad bad-{min(place, 6)}"


def _widths(values: Sequence[int], space: float) -> list[float]:
    """Return widths in proportion to values, none of them too narrow to be seen."""
    total = sum(values)
    least = 3.0
    wide = [max(space * value / total, least) for value in values]
    excess = sum(wide) - space
    largest = wide.index(max(wide))
    return [width - excess if place == largest else width for place, width in enumerate(wide)]
