"""Formats the details of the live display, the lines that the key `d` adds below the first three.

In: a snapshot with its details, the history of its rates, and a width. Out: `Line`s. Pure.

    URLs/s    ▂▅▆▇▇▇▇█▇▇▇▆▇▇▇▇▇▇▇▇▂▁▁▅▇▇▇█▇▇▇▇  1,430 at most, 1,198 on average
    failed/s         ▁  ▁▁▂▁                    12 at most
    times     2.7 ms ▁▂▅█▇▃▂▁▁   ▁ 9.1 s  p50 18 ms, p95 41 ms now
    failures  402 http_404         https://example.org/missing
               61 timeout_connect  https://slow.example/
    busiest   a.example 10 (4,011 waiting)  b.example 8
    paused    example.org 429, again in 1:58 (60 waiting)
    failing   example.org 211 (http_404)
    longest   42 s      https://slow.example/report.pdf
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.engine.events import TIME_BOUNDS, BusyHost, FailingHost, Snapshot
from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.format import Line, Span, Style, clock, count, duration, line, rate, shortened
from fetchpool.progress.messages import HOST_LENGTH, WAITS
from fetchpool.progress.rate_history import RateHistory
from fetchpool.progress.sparkline import merged, sparkline
from fetchpool.progress.terminal import cut
from fetchpool.scheduler.waits import PausedHost, WaitReason

LABEL = 10
"""Width of the first column in cells."""
DRAWN = 60
"""Maximum width of a sparkline in cells, for legibility."""
DRAWN_LEAST = 8
NUMBER = 10
"""Width of a duration in cells."""
KINDS_SHOWN = 3
LONGEST_SHOWN = 2
GAP = "  "


def details(snapshot: Snapshot, history: RateHistory, width: int, *, ascii_only: bool = False) -> list[Line]:
    """Return up to eleven lines, none wider than `width` cells. A line without data is left out."""
    left = width - LABEL
    if left <= 0:
        return []
    mark = "..." if ascii_only else "…"
    bodies: list[tuple[str, list[Line]]] = [
        *_rates(snapshot, history, left, ascii_only),
        ("times", _times(snapshot, left, ascii_only)),
        ("failures", _failures(snapshot, left, mark)),
        ("busiest", _hosts([_busy(each) for each in snapshot.hosts.busiest], left, mark)),
        ("paused", _hosts([_paused(each) for each in snapshot.hosts.paused], left, mark)),
        ("failing", _hosts([_failing(each) for each in snapshot.hosts.failing], left, mark)),
        ("longest", _longest(snapshot, left, mark)),
    ]
    return [
        line(Span((label if number == 0 else "").ljust(LABEL), Style.QUIET), *body.spans)
        for label, lines in bodies
        for number, body in enumerate(lines)
    ]


def _rates(
    snapshot: Snapshot, history: RateHistory, width: int, ascii_only: bool
) -> list[tuple[str, list[Line]]]:
    """Return a line for the rate of all rows, and one for the rate of failed rows, if there are any."""
    ok, failed = history.columns(_drawn(width, 34))
    done = [sum(both) for both in zip(ok, failed, strict=True)]
    if not any(done):
        return []
    average = f"{rate(max(done))} at most, {rate(snapshot.rate_average)} on average"
    lines = [("URLs/s", [_bars(sparkline(done, ascii_only=ascii_only), Style.GOOD, average, width)])]
    if any(failed):
        most = f"{rate(max(failed))} at most"
        lines.append(("failed/s", [_bars(sparkline(failed, ascii_only=ascii_only), Style.BAD, most, width)]))
    return lines


def _times(snapshot: Snapshot, width: int, ascii_only: bool) -> list[Line]:
    """Return the distribution of times, and the percentiles of the last second."""
    times = snapshot.times
    used = [place for place, number in enumerate(times) if number]
    if not used:
        return []
    first, last = used[0], used[-1]
    shortest = duration(TIME_BOUNDS[first - 1]) if first else f"<{duration(TIME_BOUNDS[0])}"
    longest = duration(TIME_BOUNDS[last] if last < len(TIME_BOUNDS) else snapshot.time_max)
    space = max(width - len(shortest) - len(longest) - 2, 1)
    bars = sparkline(merged(times[first : last + 1], min(space, DRAWN)), ascii_only=ascii_only)
    drawn = line(Span(f"{shortest} ", Style.QUIET), bars, Span(f" {longest}", Style.QUIET))
    if len(str(drawn)) > width:
        return [line(bars[:width])]
    if snapshot.recent_p50 is None or snapshot.recent_p95 is None:
        return [drawn]
    now = f"p50 {duration(snapshot.recent_p50)}, p95 {duration(snapshot.recent_p95)} now"
    return [_with_note(drawn, now, width)]


def _failures(snapshot: Snapshot, width: int, mark: str) -> list[Line]:
    """Return the most frequent kinds, each with an example."""
    shown = snapshot.failed[:KINDS_SHOWN]
    numbers = max((len(count(kind.count)) for kind in shown), default=0)
    names = max((len(kind.kind) for kind in shown), default=0)
    lines = []
    for kind in shown:
        text = f"{count(kind.count):>{numbers}} {kind.kind.ljust(names)}"
        left = width - len(text) - len(GAP)
        if left < DRAWN_LEAST:
            lines.append(line(text.rstrip()[:width]))
        else:
            lines.append(line(text, GAP, Span(cut(shown_url(kind.example), left, mark), Style.QUIET)))
    return lines


def _busy(host: BusyHost) -> str:
    waiting = f" ({count(host.waiting)} waiting)" if host.waiting else ""
    return f"{_name(host.host)} {count(host.in_flight)}{waiting}"


def _paused(host: PausedHost) -> str:
    why = host.status or WAITS[WaitReason.NO_RESPONSE]
    return f"{_name(host.host)} {why}, again in {clock(host.seconds)} ({count(host.requests)} waiting)"


def _failing(host: FailingHost) -> str:
    return f"{_name(host.host)} {count(host.count)} ({host.kind})"


def _longest(snapshot: Snapshot, width: int, mark: str) -> list[Line]:
    """Return the requests that have been in flight for longest."""
    lines = []
    for request in snapshot.slowest[:LONGEST_SHOWN]:
        time = duration(request.seconds)
        left = width - NUMBER
        if left < DRAWN_LEAST:
            lines.append(line(time[:width]))
        else:
            lines.append(line(time.ljust(NUMBER), cut(escape_invisible(request.url), left, mark)))
    return lines


def _hosts(hosts: Sequence[str], width: int, mark: str) -> list[Line]:
    """Return as many hosts as fit into a line, at least the first."""
    if not hosts:
        return []
    text = cut(hosts[0], width, mark)
    for host in hosts[1:]:
        if len(text) + len(GAP) + len(host) > width:
            break
        text += GAP + host
    return [line(text)]


def _name(host: str) -> str:
    return shortened(escape_invisible(host), HOST_LENGTH)


def _drawn(width: int, note: int) -> int:
    """Return the width of a sparkline that leaves `note` cells for a note, unless it would be too narrow."""
    return min(DRAWN, width - note if width - note >= DRAWN_LEAST else width)


def _bars(bars: str, style: Style, note: str, width: int) -> Line:
    return _with_note(line(Span(bars, style)), note, width)


def _with_note(drawn: Line, note: str, width: int) -> Line:
    """Add a note if it fits."""
    if len(str(drawn)) + len(GAP) + len(note) > width:
        return drawn
    return line(*drawn.spans, GAP, Span(note, Style.QUIET))
