"""Formats messages about a run in progress, the same on a terminal and in a log. In: snapshots, records,
events. Out: `Line`s. Pure.
"""

from __future__ import annotations

from fetchpool.engine.events import ActiveRequest, Event, Notice, ReadBack, RetryScheduled, Snapshot
from fetchpool.model.record import Record
from fetchpool.model.steering import State
from fetchpool.model.text import escape_invisible, shown_url
from fetchpool.progress.format import (
    Line,
    Span,
    Style,
    clock,
    count,
    counted,
    duration,
    line,
    percent,
    rate,
    shortened,
    size,
    total,
)
from fetchpool.scheduler.host_change import HostChange
from fetchpool.scheduler.waits import EVENTS, Wait, WaitReason

STUCK_AFTER = 5.0
"""Seconds after which a request in flight is reported as slow."""
EXPLAIN_FROM = 2.0
"""Seconds: a shorter wait would be over before it can be read."""
HOST_LENGTH = 40
"""Maximum number of characters shown of a host's name."""

WAITS = {
    WaitReason.PAUSE: "asked for a pause",
    WaitReason.BACKOFF: "is overloaded",
    WaitReason.NO_RESPONSE: "does not respond",
    WaitReason.DELAY: "delay between requests",
    WaitReason.PROXY: "the proxy does not respond",
    WaitReason.DNS: "DNS lookup of",
    WaitReason.ROBOTS: "robots.txt of",
}


def share_done(snapshot: Snapshot) -> float | None:
    """Return the share that is done, from 0 to 1; None without a total. An estimate never reaches 1."""
    if snapshot.total is None:
        return None
    if not snapshot.total_exact:
        return min(snapshot.done / max(snapshot.total, 1), 0.99)
    return min(snapshot.done / snapshot.total, 1.0) if snapshot.total else 1.0


def progress_line(snapshot: Snapshot) -> Line:
    """Return `12,345 of ~98,000 done (12 %), 12,300 ok, 45 failed, 1,234 URLs/s, …`, a line of the log."""
    done = f"{count(snapshot.done)} done"
    share = share_done(snapshot)
    if snapshot.total is not None and share is not None:
        of_all = total(snapshot.total, snapshot.total_exact)
        done = f"{count(snapshot.done)} of {of_all} done ({percent(share)})"
    parts = [done, f"{count(snapshot.ok)} ok", f"{count(snapshot.done - snapshot.ok)} failed"]
    if snapshot.retries:
        parts.append(counted(snapshot.retries, "retry", "retries"))
    parts += [f"{rate(snapshot.urls_per_second)} URLs/s", f"{size(snapshot.bytes_per_second)}/s"]
    parts.append(f"{count(snapshot.in_flight)} in flight")
    if waiting := wait_text(snapshot) or waiting_count(snapshot):
        parts.append(waiting)
    if snapshot.state is not State.RUNNING and snapshot.state is not State.ENDED:
        parts.append(snapshot.state.value)
    elif left := time_left(snapshot):
        parts.append(left)
    return line(", ".join(parts))


def waiting_count(snapshot: Snapshot) -> str:
    """Return `212 waiting`; empty if no request waits for a point in time."""
    return f"{count(snapshot.delayed)} waiting" if snapshot.delayed else ""


def wait_text(snapshot: Snapshot) -> str:
    """Return `60 waiting: example.org asked for a pause (429), again in 1:58`; empty if nothing waits for
    long."""
    wait = snapshot.wait
    if wait is None or wait.seconds < EXPLAIN_FROM or snapshot.stopping:
        return ""
    return f"{count(wait.requests)} waiting: {_why(wait)} {clock(wait.seconds)}"


def wait_key(snapshot: Snapshot) -> tuple[str, str] | None:
    """Return an identification of the wait that a progress line explains, the same while its time runs down;
    None if there is no such wait."""
    if snapshot.stopping:
        return None
    if snapshot.last_within is not None:
        return ("last", "")
    wait = snapshot.wait
    return (wait.reason.name, wait.host) if wait is not None and wait_text(snapshot) else None


def _why(wait: Wait) -> str:
    """Return why requests wait: the text before the time."""
    if wait.reason is WaitReason.RETRY:
        return "next retry in"
    if wait.reason is WaitReason.PROXY:
        return f"{WAITS[wait.reason]}, again in"
    if wait.reason is WaitReason.DELAY:
        return f"{WAITS[wait.reason]} to {_hosts(wait)}, next in"
    if wait.reason in EVENTS:
        return f"{WAITS[wait.reason]} {_hosts(wait)}, for"
    verb = WAITS[wait.reason]
    if wait.hosts > 1:
        verb = {"is overloaded": "are overloaded", "does not respond": "do not respond"}.get(verb, verb)
    status = f" ({wait.status})" if wait.status else ""
    return f"{_hosts(wait)} {verb}{status}, again in"


def _hosts(wait: Wait) -> str:
    name = shortened(escape_invisible(wait.host), HOST_LENGTH)
    return name if wait.hosts == 1 else f"{name} and {counted(wait.hosts - 1, 'other host')}"


def time_left(snapshot: Snapshot) -> str:
    """Return `52 s left`, or `waiting for the last 3 (up to 4:30)` if only slow requests are left; empty if
    nothing is known."""
    if snapshot.last_within is not None:
        limit = f" (up to {clock(snapshot.last_within)})" if snapshot.last_within else ""
        which = "request" if snapshot.in_flight == 1 else count(snapshot.in_flight)
        return f"waiting for the last {which}{limit}"
    return f"{duration(snapshot.eta)} left" if snapshot.eta else ""


def stuck(snapshot: Snapshot) -> list[ActiveRequest]:
    """Return the requests that have been in flight for long; longest first."""
    return [request for request in snapshot.slowest if request.seconds > STUCK_AFTER]


def stuck_lines(snapshot: Snapshot) -> list[Line]:
    """Return a line for each slow request, if nothing has completed for some seconds."""
    if snapshot.urls_per_second:
        return []
    return [
        line(f"in flight for {duration(request.seconds)}: {escape_invisible(request.url)}")
        for request in stuck(snapshot)
    ]


def event_line(event: Record | Event) -> Line:
    """Return the line for a failed final row or an event."""
    if isinstance(event, Notice):
        return line(Span(escape_invisible(event.text), Style.HINT))
    if isinstance(event, ReadBack):
        return line(f"read {counted(event.rows, 'row')} of earlier runs")
    if isinstance(event, HostChange):
        return _host_line(event)
    if isinstance(event, RetryScheduled):
        due = f" (retrying in {duration(event.delay)})"
        return line(Span("retry ", Style.HINT), *_failure(event.record), Span(due, Style.QUIET))
    tried = f" (after {counted(event.num_retries, 'retry', 'retries')})" if event.num_retries else ""
    return line(Span("failed ", Style.BAD), *_failure(event), Span(tried, Style.QUIET))


def _host_line(change: HostChange) -> Line:
    """Return `example.org responded with 429: next request in 2 s`."""
    did = f"responded with {change.status}" if change.status else "does not respond"
    then = "queued requests end as host_down, next attempt" if change.is_down else "next request"
    return line(f"{escape_invisible(change.host)} {did}: {then} in {duration(change.seconds)}")


def dropped_line(number: int) -> Line:
    """Return a line that stands for `number` lines that arrived faster than they could be written."""
    return line(Span(f"({counted(number, 'more line')} not shown)", Style.QUIET))


def _failure(record: Record) -> list[Span]:
    # The row is escaped already; escaping again changes nothing, and this text reaches a terminal.
    spans = [Span(f"{record.error} ", Style.STRONG), Span(shown_url(record.url))]
    if record.errormsg:
        spans.append(Span(f": {escape_invisible(record.errormsg)}", Style.QUIET))
    return spans
