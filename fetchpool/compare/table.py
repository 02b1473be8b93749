"""The table of a comparison, as text for the terminal.

In: a `Comparison`. Out: lines of text. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fetchpool.compare.judge import Difference, Differences, Result, Spread, Value
from fetchpool.compare.plan import Combination, Plan
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import count, counted, duration, rate, shortened, size

HEADINGS = (
    "executor",
    "transport",
    "wall, median (range)",
    "URL/s",
    "×",  # noqa: RUF001
    "CPU/URL",
    "peak memory",
    "p50",
    "p95",
    "failed",
)
TEXT_COLUMNS = 3
"""Number of columns with text, which are aligned to the left; the others have numbers."""
BAR = 12
"""Length of the longest bar, in characters."""
EIGHTHS = " ▏▎▍▌▋▊▉█"
UNKNOWN = "–"  # noqa: RUF001
NOISE = "≈: the range of times overlaps that of the fastest, so the difference may be chance"


class Comparison(Struct, frozen=True):
    """The result of all trials."""

    plan: Plan
    urls: int
    """Number of distinct URLs in the list."""
    results: Sequence[Result]
    """Sorted, the fastest first."""
    differences: Differences
    failures: Sequence[tuple[Combination, str]] = ()
    """Combinations whose trials failed, with the reasons."""
    interrupted: bool = False

    @property
    def trials(self) -> int:
        """The number of trials that count."""
        return sum(result.trials for result in self.results)


def headline(plan: Plan, urls: int) -> str:
    """Return one line that says what is compared."""
    often = "once" if plan.repeat == 1 else f"{plan.repeat:,} times"
    return (
        f"{counted(urls, 'URL')}, {counted(len(plan.combinations), 'combination')}, each run {often} "
        f"in random order (--seed {plan.seed}) after one to warm up"
    )


def lines(comparison: Comparison) -> list[str]:
    """Return the table, the notes below it, and how the rows differ."""
    text = [headline(comparison.plan, comparison.urls), ""]
    text += aligned(cells(comparison), bars(comparison.results))
    return [*text, *notes(comparison)]


def cells(comparison: Comparison) -> list[list[str]]:
    """Return the cells of the table, including its headings."""
    rows = [list(HEADINGS)]
    for result in comparison.results:
        rows.append(_cells(result, comparison.results[0]))
    for combination, why in (*comparison.plan.missing, *_unmeasured(comparison)):
        names = [combination.executor, combination.transport]
        rows.append([*names, f"{UNKNOWN} ({escape_invisible(shortened(why))})"])
    return rows


def _cells(result: Result, fastest: Result) -> list[str]:
    ratio = f"{fastest.wall.median / result.wall.median:.2f}" if result.wall.median else UNKNOWN
    if result is not fastest and result.wall.overlaps(fastest.wall):
        ratio = f"≈ {ratio}"
    return [
        result.combination.executor,
        result.combination.transport,
        wall(result.wall),
        rate(result.rate),
        ratio,
        UNKNOWN if result.cpu_per_url is None else cpu(result.cpu_per_url),
        UNKNOWN if result.memory is None else size(result.memory.median),
        duration(result.p50.median),
        duration(result.p95.median),
        count(round(result.failed.median)),
    ]


def _unmeasured(comparison: Comparison) -> list[tuple[Combination, str]]:
    """Return the combinations without a trial that counts, with the reason."""
    measured = {result.combination for result in comparison.results}
    why = dict(comparison.failures)
    return [
        (each, why.get(each, "no complete trial"))
        for each in comparison.plan.combinations
        if each not in measured
    ]


def wall(spread: Spread) -> str:
    """Format wall times: `0.41 s (0.39-0.44)`."""
    digits = 2 if spread.high < 100 else 0
    return f"{spread.median:.{digits}f} s ({spread.low:.{digits}f}–{spread.high:.{digits}f})"  # noqa: RUF001


def cpu(seconds: float) -> str:
    """Format the CPU time of a URL: `52 µs`, `1.2 ms`."""
    return f"{seconds * 1e6:.0f} µs" if seconds < 0.000_999_5 else duration(seconds)


def bars(results: Sequence[Result]) -> list[str]:
    """Return a bar for each result, by its URLs per second."""
    highest = max((result.rate for result in results), default=0.0)
    return [_bar(result.rate / highest if highest else 0.0) for result in results]


def _bar(share: float) -> str:
    full, part = divmod(round(share * BAR * 8), 8)
    return "█" * full + (EIGHTHS[part] if part else "")


def aligned(rows: list[list[str]], ends: Sequence[str] = ()) -> list[str]:
    """Return rows of cells as lines. A row with fewer cells ends with a text of any length. `ends`: the ends
    of the rows after the headings."""
    complete = [row for row in rows if len(row) == len(HEADINGS)]
    widths = [max(len(row[column]) for row in complete) for column in range(len(HEADINGS))]
    for row in rows:
        for column in range(2):
            widths[column] = max(widths[column], len(row[column]))
    found = []
    for number, row in enumerate(rows):
        parts = [
            cell if column == len(row) - 1 and len(row) < len(HEADINGS) else _padded(cell, column, widths)
            for column, cell in enumerate(row)
        ]
        end = ends[number - 1] if 0 < number <= len(ends) else ""
        found.append(f"  {'  '.join([*parts, end])}".rstrip())
    return found


def _padded(cell: str, column: int, widths: Sequence[int]) -> str:
    return cell.ljust(widths[column]) if column < TEXT_COLUMNS else cell.rjust(widths[column])


def notes(comparison: Comparison) -> list[str]:
    """Return the lines below the table."""
    text = [""]
    if any(result.wall.overlaps(comparison.results[0].wall) for result in comparison.results[1:]):
        text.append(NOISE)
    if retries := max((result.retries for result in comparison.results), default=0):
        text.append(
            f"up to {counted(retries, 'retry', 'retries')} a trial, whose backoff is part of the times; "
            "--retry 0 leaves them out"
        )
    text += [
        f"{combination}: a trial failed: {escape_invisible(why)}" for combination, why in comparison.failures
    ]
    if comparison.interrupted:
        done, planned = comparison.trials, len(comparison.plan.combinations) * comparison.plan.repeat
        text.append(f"interrupted: {done} of {counted(planned, 'trial')} ended")
    return [*text, *_rows(comparison.differences)]


def _rows(differences: Differences) -> list[str]:
    if not differences.count:
        if differences.trials < 2:
            return ["rows: nothing to compare, with fewer than two trials"]
        return [f"rows: the same in all {differences.trials} trials"]
    text = [f"rows: {counted(differences.count, 'URL')} with different results"]
    for each in differences.listed:
        text.append(f"  {escape_invisible(shortened(each.url))}")
        text += [f"    {value}: {', '.join(names)}" for value, names in described(each)]
    if differences.count > len(differences.listed):
        text.append(f"  and {counted(differences.count - len(differences.listed), 'more URL')}")
    return text


def described(difference: Difference) -> list[tuple[str, list[str]]]:
    """Return each value of a difference as text, with the trials that have it."""
    return [(_value(value), names) for value, names in difference.found.items()]


def _value(value: Value) -> str:
    if value is None:
        return "no row"
    error, code, octets = value
    parts = [] if error is None else [str(error)]
    if code is not None:
        parts.append(f"status {code}")
    if octets is not None:
        parts.append(counted(octets, "byte"))
    return ", ".join(parts)
