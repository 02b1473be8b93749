"""The content of the live display: a few lines that fit the width of the terminal.

In: a snapshot and a width. Out: `Line`s. Pure; `display` draws them.

    ━━━━━━━━━━━━━╸──────────────────────────  34 %  33,402 of ~98,200  52 s left
    1,234 URLs/s  5.6 MB/s    10 in flight  212 waiting
    33,357 ok     45 failed   30 http_404, 10 dns, 5 others  17 retries
    60 waiting: example.org asked for a pause (429), again in 1:58
    42 s          https://slow.example/a/very/long/p…/report.pdf

What does not fit is left out, the least important first.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from fetchpool.engine.events import ActiveRequest, Snapshot
from fetchpool.model.steering import State
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import (
    Line,
    Span,
    Style,
    count,
    counted,
    duration,
    line,
    percent,
    rate,
    size,
    total,
)
from fetchpool.progress.messages import share_done, stuck, time_left, wait_text, waiting_count
from fetchpool.progress.terminal import cut

BAR_WIDTH = 40
"""Maximum width in cells: a longer bar would show no more, and short lines survive when the window is
narrowed."""
BAR_MINIMUM = 8
KINDS_SHOWN = 3
STUCK_SHOWN = 3
GAP = "  "
FIRST, SECOND, THIRD = 12, 10, 12
"""Widths of the columns in cells, so that text does not move while the numbers before it change."""


class Segment(Struct, frozen=True):
    """A part of a line that is shown completely or not at all. Rank 0 is left out last."""

    span: Span
    rank: int
    width: int = 0
    """Minimum width in cells."""

    @property
    def shown(self) -> str:
        return self.span.text.ljust(self.width)


def frame(snapshot: Snapshot, width: int, *, ascii_only: bool = False, slow: bool = True) -> list[Line]:
    """Return three lines, another one for a long wait, and with `slow` up to three more for requests that
    hang. None is wider than `width` cells."""
    hanging = stuck(snapshot)[:STUCK_SHOWN] if slow else []
    return [
        _position(snapshot, width, ascii_only),
        _rates(snapshot, width),
        _results(snapshot, width),
        *_waiting(snapshot, width, ascii_only),
        *(_stuck(request, width, ascii_only) for request in hanging),
    ]


def _waiting(snapshot: Snapshot, width: int, ascii_only: bool) -> list[Line]:
    """Return the line that explains a long wait, if there is one."""
    text = wait_text(snapshot)
    return [line(Span(cut(text, width, "..." if ascii_only else "…"), Style.HINT))] if text else []


def _stuck(request: ActiveRequest, width: int, ascii_only: bool) -> Line:
    """Return the line about a slow request."""
    left = width - FIRST - len(GAP)
    url = cut(escape_invisible(request.url), left, "..." if ascii_only else "…")
    return line(Span(duration(request.seconds).ljust(FIRST), Style.BAD), GAP, url)


def _position(snapshot: Snapshot, width: int, ascii_only: bool) -> Line:
    """Return the progress bar and the remaining time."""
    share = share_done(snapshot)
    if snapshot.total is None or share is None:
        done = Segment(Span(f"{count(snapshot.done)} done", Style.STRONG), 0)
        return _fitted([done, Segment(Span(f"in {duration(snapshot.elapsed)}"), 1)], width)
    of_all = total(snapshot.total, snapshot.total_exact)
    segments = [
        Segment(Span(f" {percent(share):>5}", Style.STRONG), 0),
        Segment(Span(f"{count(snapshot.done)} of {of_all}"), 1),
    ]
    if snapshot.state is State.RUNNING and (left_text := time_left(snapshot)):
        segments.append(Segment(Span(left_text, Style.HINT), 2))
    numbers = _fitted(segments, max(width - BAR_MINIMUM, 0))
    left = min(width - len(str(numbers)), BAR_WIDTH)
    if left < BAR_MINIMUM:
        return numbers
    return line(*_bar(share, left, ascii_only), *numbers.spans)


def _bar(share: float, width: int, ascii_only: bool) -> tuple[Span, Span]:
    """Return the two parts of the bar, which look different even without colours."""
    halves = int(share * width * 2)
    full, half = divmod(halves, 2)
    if ascii_only:
        return Span("#" * full, Style.GOOD), Span("-" * (width - full), Style.QUIET)
    return Span("━" * full + "╸" * half, Style.GOOD), Span("─" * (width - full - half), Style.QUIET)


def _queue(snapshot: Snapshot) -> list[Segment]:
    return [Segment(Span(f"{count(snapshot.queued)} waiting", Style.QUIET), 1)] if snapshot.queued else []


def _of_auto(snapshot: Snapshot) -> str:
    """Return the current limit of requests in flight if `-w auto` sets it."""
    return f" of {count(snapshot.workers)}" if snapshot.workers_reason else ""


def _rates(snapshot: Snapshot, width: int) -> Line:
    """Return the rates and the number of requests in flight, or a text that no request starts."""
    if snapshot.state is State.PAUSED:
        return _fitted([Segment(Span("paused", Style.STRONG), 0, FIRST), *_queue(snapshot)], width)
    if snapshot.state is State.PAUSING:
        pausing = f"pausing: {counted(snapshot.in_flight, 'request')} in flight"
        return _fitted([Segment(Span(pausing, Style.STRONG), 0)], width)
    if snapshot.stopping:
        stopping = f"stopping: {counted(snapshot.in_flight, 'request')} in flight"
        return _fitted(
            [
                Segment(Span(stopping, Style.STRONG), 0),
                Segment(Span("press Ctrl-C again to abort", Style.QUIET), 1),
            ],
            width,
        )
    segments = [
        Segment(Span(f"{rate(snapshot.urls_per_second)} URLs/s"), 0, FIRST),
        Segment(Span(f"{size(snapshot.bytes_per_second)}/s"), 1, SECOND),
        Segment(Span(f"{count(snapshot.in_flight)}{_of_auto(snapshot)} in flight"), 2, THIRD),
    ]
    if waiting := waiting_count(snapshot):
        segments.append(Segment(Span(waiting, Style.QUIET), 3))
    return _fitted(segments, width)


def _results(snapshot: Snapshot, width: int) -> Line:
    """Return the counts of results, with as many kinds of failure as fit."""
    failed = snapshot.done - snapshot.ok
    segments = [
        Segment(Span(f"{count(snapshot.ok)} ok", Style.GOOD), 0, FIRST),
        Segment(Span(f"{count(failed)} failed", Style.BAD if failed else Style.QUIET), 1, SECOND),
    ]
    retries = []
    if snapshot.retries:
        retries = [Segment(Span(counted(snapshot.retries, "retry", "retries"), Style.QUIET), 2)]
    for shown in range(min(KINDS_SHOWN, len(snapshot.failed)), 0, -1):
        kinds = [Segment(Span(_kinds(snapshot, shown), Style.QUIET), 3)]
        if _width([*segments, *kinds, *retries]) <= width:
            return _fitted([*segments, *kinds, *retries], width)
    return _fitted([*segments, *retries], width)


def _kinds(snapshot: Snapshot, shown: int) -> str:
    kinds = [f"{count(kind.count)} {kind.kind}" for kind in snapshot.failed[:shown]]
    if others := sum(kind.count for kind in snapshot.failed[shown:]):
        kinds.append(f"{count(others)} others")
    return ", ".join(kinds)


def _fitted(segments: Sequence[Segment], width: int) -> Line:
    """Return the segments that fit, in order; the highest ranks are left out first."""
    kept = list(segments)
    while len(kept) > 1 and _width(kept) > width:
        kept.remove(max(kept, key=lambda segment: segment.rank))
    spans: list[Span] = []
    for segment in kept[:-1]:
        spans += [Span(segment.shown, segment.span.style), Span(GAP)]
    last = kept[-1].span
    left = width - sum(len(span.text) for span in spans)
    return Line((*spans, Span(last.text[: max(left, 0)], last.style)))


def _width(segments: Sequence[Segment]) -> int:
    """Return the width in cells, which equals the number of characters, since none of these is wide."""
    *others, last = segments
    return sum(len(segment.shown) + len(GAP) for segment in others) + len(last.span.text)
