"""Writes a report as text, for a terminal or a mail.

In: the numbers. Out: `Line`s of about 100 columns; `str()` of one is plain text. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.model.text import shown_url
from fetchpool.progress.format import (
    Line,
    Span,
    Style,
    count,
    counted,
    duration,
    line,
    shortened,
    size,
)
from fetchpool.report.numbers import GENERATOR, Course, Host, Numbers, Spread
from fetchpool.report.words import message, share

KINDS = 20
EXAMPLES = 2
HOSTS = 10
BAR = 30
"""Width of the longest bar."""
LABEL = 12
TICKS = " ▁▂▃▄▅▆▇█"
COLUMNS = 60
"""Width of the course of a run."""
HISTOGRAM_ROWS = 12


def lines(numbers: Numbers) -> list[Line]:
    """Return the lines of the report."""
    found = [line(Span(GENERATOR, Style.QUIET)), _headline(numbers)]
    if not numbers.total:
        return found
    found += _failures(numbers)
    if numbers.times is not None:
        found += _times(numbers.times)
    if numbers.course is not None:
        found += _course(numbers.course)
    if numbers.sizes is not None:
        sizes = numbers.sizes
        spread = f"p50 {size(sizes.p50)}, p95 {size(sizes.p95)}, largest {size(sizes.maximum)}"
        found += _section("Size", f"{size(numbers.size_delivered)}; {spread}")
    if numbers.statuses:
        counts = ", ".join(f"{count(each.urls)} {each.name}" for each in numbers.statuses)
        found += _section("Status", counts)
    found += _hosts(numbers)
    return found


def _headline(numbers: Numbers) -> Line:
    if not numbers.total:
        return line(Span("no rows", Style.STRONG))
    parts: list[Span | str] = [Span(counted(numbers.total, "URL"), Style.STRONG)]
    if numbers.course is not None and numbers.course.elapsed:
        parts.append(f" in {duration(numbers.course.elapsed)}")
    if not numbers.failed:
        return line(*parts, ": ", Span("all ok", Style.GOOD))
    failed = f"{count(numbers.failed)} failed ({share(numbers.failed, numbers.total)})"
    return line(*parts, f": {count(numbers.ok)} ok, ", Span(failed, Style.BAD))


def _section(title: str, text: str) -> list[Line]:
    return [line(""), line(Span(title.ljust(LABEL), Style.STRONG), text)]


def _failures(numbers: Numbers) -> list[Line]:
    if not numbers.kinds:
        return []
    found = _section("Failures", "")
    most = numbers.kinds[0].urls
    digits = len(count(most))
    letters = max(len(kind.error) for kind in numbers.kinds[:KINDS])
    for kind in numbers.kinds[:KINDS]:
        head = f"  {count(kind.urls):>{digits}} {kind.error:<{letters}}"
        found.append(
            line(Span(head, Style.BAD), f" {share(kind.urls, numbers.total):>7}  {_bar(kind.urls, most)}")
        )
        for example in kind.examples[:EXAMPLES]:
            said = message(example, kind.error)
            after = Span(f"  {said}" if said else "", Style.QUIET)
            found.append(line(" " * (digits + 3), shortened(shown_url(example.url)), after))
    if rest := numbers.kinds[KINDS:]:
        found.append(line(f"  {counted(sum(kind.urls for kind in rest), 'URL')} of {len(rest)} other kinds"))
    return found


def _times(times: Spread) -> list[Line]:
    percentiles = (
        ("p50", times.p50),
        ("p90", times.p90),
        ("p95", times.p95),
        ("p99", times.p99),
        ("longest", times.maximum),
    )
    found = _section("Time", ", ".join(f"{name} {duration(value)}" for name, value in percentiles))
    return found + [
        line(f"  {label:>10}  {count(number):>11}  {_bar(number, most)}")
        for label, number, most in _histogram(times)
    ]


def _histogram(spread: Spread) -> list[tuple[str, int, int]]:
    """Return rows of a histogram: upper bound, count, and the largest count of all rows. The bounds grow by a
    constant factor."""
    per_row = -(-len(_span(spread)) // HISTOGRAM_ROWS)
    steps = _span(spread)
    rows = []
    for start in range(0, len(steps), per_row):
        part = steps[start : start + per_row]
        rows.append((f"< {duration(part[-1][0])}", sum(number for _, number in part)))
    most = max(number for _, number in rows)
    return [(label, number, most) for label, number in rows]


def _span(spread: Spread) -> list[tuple[float, int]]:
    """Return the buckets without gaps between the first and the last."""
    found: list[tuple[float, int]] = []
    for up_to, number in spread.buckets:
        while found and up_to / found[-1][0] > 1.075 and len(found) < 2_000:
            found.append((found[-1][0] * 1.05, 0))
        found.append((up_to, number))
    return found


def _course(course: Course) -> list[Line]:
    """Return the URLs per second over time, as bars of one line."""
    rates = _rates([ok + failed for ok, failed in zip(course.ok, course.failed, strict=True)], course)
    if len(rates) < 2:
        return []
    highest = max(rates)
    bars = "".join(TICKS[round(rate / highest * 8)] for rate in rates) if highest else ""
    mean = (sum(course.ok) + sum(course.failed)) / course.elapsed
    text = f"{mean:,.1f} URLs/s" if mean < 10 else f"{mean:,.0f} URLs/s"
    return [
        *_section("Course", f"{text} on average, from {course.began} to {course.ended}"),
        line(f"  {bars}"),
    ]


def _rates(counts: Sequence[int], course: Course) -> list[float]:
    """Return the counts per second of at most `COLUMNS` parts of the run."""
    step = -(-len(counts) // COLUMNS)
    rates = []
    for start in range(0, len(counts), step):
        seconds = len(counts[start : start + step]) * course.interval
        rates.append(sum(counts[start : start + step]) / seconds)
    return rates


def _hosts(numbers: Numbers) -> list[Line]:
    hosts = numbers.hosts
    found = _section(
        "Hosts", counted(hosts.number, "host") if hosts.exact else f"~{count(hosts.number)} hosts"
    )
    if hosts.failing:
        found += _table("with the most failures", hosts.failing)
    if hosts.slowest and len(hosts.slowest) > 1:
        found += _table("with the highest p95", hosts.slowest)
    return found


def _table(title: str, hosts: Sequence[Host]) -> list[Line]:
    shown = hosts[:HOSTS]
    letters = max(len(host.host) for host in shown)
    found = [line(Span(f"  {title}", Style.QUIET))]
    for host in shown:
        parts = [f"{count(host.failed)} of {count(host.urls)} failed"]
        if host.error:
            parts.append(host.error)
        if host.p95 is not None:
            parts.append(f"p95 {duration(host.p95)}")
        found.append(line(f"  {host.host:<{letters}}  {', '.join(parts)}"))
    return found


def _bar(number: int, most: int) -> str:
    """Return a bar with steps of an eighth of a column; any value but 0 has at least one step."""
    eighths = max(round(number / most * BAR * 8), 1) if number and most else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
