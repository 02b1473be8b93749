"""What is said about a run while it runs, the same on a terminal and in a log.

In: snapshots, records, events. Out: `Line`s. Pure.
"""

from __future__ import annotations

from fetchpool.engine.events import ActiveRequest, Notice, RetryScheduled, Snapshot
from fetchpool.model.record import Record
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

STUCK_AFTER = 5.0
"""Seconds: a request that has been in flight longer is worth naming."""


def share_done(snapshot: Snapshot) -> float | None:
    """From 0 to 1; None without a total. An estimate never claims that all is done."""
    if snapshot.total is None:
        return None
    if not snapshot.total_exact:
        return min(snapshot.done / max(snapshot.total, 1), 0.99)
    return min(snapshot.done / snapshot.total, 1.0) if snapshot.total else 1.0


def progress_line(snapshot: Snapshot) -> Line:
    """`12,345 of ~98,000 done (12 %), 12,300 ok, 45 failed, 1,234 URLs/s, …`: a line of a log."""
    done = f"{count(snapshot.done)} done"
    share = share_done(snapshot)
    if snapshot.total is not None and share is not None:
        whole = total(snapshot.total, snapshot.total_exact)
        done = f"{count(snapshot.done)} of {whole} done ({percent(share)})"
    parts = [done, f"{count(snapshot.ok)} ok", f"{count(snapshot.done - snapshot.ok)} failed"]
    if snapshot.retries:
        parts.append(counted(snapshot.retries, "retry", "retries"))
    parts += [f"{rate(snapshot.urls_per_second)} URLs/s", f"{size(snapshot.bytes_per_second)}/s"]
    parts.append(f"{count(snapshot.in_flight)} in flight")
    if snapshot.waiting:
        parts.append(f"{count(snapshot.waiting)} waiting")
    if snapshot.stopping:
        parts.append("stopping")
    elif snapshot.eta:
        parts.append(f"{duration(snapshot.eta)} left")
    return line(", ".join(parts))


def stuck(snapshot: Snapshot) -> list[ActiveRequest]:
    """Of the requests in flight, those that have taken long; longest first."""
    return [request for request in snapshot.slowest if request.seconds > STUCK_AFTER]


def stuck_lines(snapshot: Snapshot) -> list[Line]:
    """When nothing has moved for some seconds: what it is that is waited for."""
    if snapshot.urls_per_second:
        return []
    return [
        line(f"in flight for {duration(request.seconds)}: {escape_invisible(request.url)}")
        for request in stuck(snapshot)
    ]


def event_line(said: Record | RetryScheduled | Notice) -> Line:
    """A final row that failed, a retry to come, or a notice."""
    if isinstance(said, Notice):
        return line(Span(escape_invisible(said.text), Style.HINT))
    if isinstance(said, RetryScheduled):
        due = f" (again in {duration(said.delay)})"
        return line(Span("retry ", Style.HINT), *_what_failed(said.record), Span(due, Style.QUIET))
    tried = f" (after {counted(said.num_retries, 'retry', 'retries')})" if said.num_retries else ""
    return line(Span("failed ", Style.BAD), *_what_failed(said), Span(tried, Style.QUIET))


def given_up_line(number: int) -> Line:
    """Lines that came faster than they could be written."""
    return line(Span(f"({counted(number, 'line')} more than could be shown)", Style.QUIET))


def _what_failed(record: Record) -> list[Span]:
    # Cleaned where it came in already; this is the terminal's edge, and a second time changes nothing.
    spans = [Span(f"{record.error} ", Style.STRONG), Span(escape_invisible(record.url))]
    if record.errormsg:
        spans.append(Span(f": {escape_invisible(record.errormsg)}", Style.QUIET))
    return spans
