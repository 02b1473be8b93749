"""Makes the numbers of a report from the counts.

In: counts, distributions, hosts and the timeline. Out: the structs of `numbers.py`, with texts of bounded
length without invisible characters. Pure.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from fetchpool.model.text import one_line
from fetchpool.report import numbers
from fetchpool.report.buckets import Distribution, Measured
from fetchpool.report.hosts import HostNumbers, Hosts
from fetchpool.report.tallies import Counts, Examples
from fetchpool.report.timeline import Timeline

LISTED = 20
"""Maximum number of hosts in a list."""
LARGEST = 10
EXAMPLES = 5
HOSTS_PER_KIND = 3
MIN_ROWS = 20
"""Number of rows from which the percentiles of a host are meaningful."""
MAX_WORD = 60
"""Maximum number of characters of a kind, a content type and so on."""
MAX_URL = 240
MAX_MESSAGE = 120
DIGITS = 6
PHASES = ("name", "connect", "tls", "wait", "receive")
GROUPS = ((0.0, 0.5), (0.5, 0.9), (0.9, 0.99), (0.99, 1.0))
"""Percentiles between which the mean phases are shown."""
MIN_GROUPED = 100
"""Minimum number of URLs for several groups."""
NONE = "none"


def spread(values: Measured) -> numbers.Spread | None:
    """Return a distribution with its percentiles; None without values."""
    found = values.distribution
    if not values.count:
        return None

    def at(share: float) -> float:
        return round(found.percentile(share, values.minimum, values.maximum) or 0.0, DIGITS)

    return numbers.Spread(
        count=values.count,
        total=round(values.total, DIGITS),
        minimum=round(float(values.minimum), DIGITS),
        p50=at(0.5),
        p90=at(0.9),
        p95=at(0.95),
        p99=at(0.99),
        p999=at(0.999),
        maximum=round(float(values.maximum), DIGITS),
        buckets=tuple(
            (float(f"{found.scale.start(bucket + 1):.4g}"), count) for bucket, count in found.counted()
        ),
    )


def kind(error: str, examples: Examples, total: int, hosts: Sequence[HostNumbers]) -> numbers.Kind:
    """Return a kind of failure with examples, and the hosts with the most of them."""
    having = sorted(
        (host for host in hosts if error in host.kinds and host.name),
        key=lambda host: (-host.kinds[error], host.name),
    )
    return numbers.Kind(
        error=error,
        urls=examples.rows,
        share=round(examples.rows / total, DIGITS),
        examples=tuple(
            numbers.Example(one_line(url, MAX_URL), one_line(message, MAX_MESSAGE) or None)
            for url, message in examples.chosen(EXAMPLES)
        ),
        hosts=tuple(
            numbers.Named(one_line(host.name, MAX_WORD), host.kinds[error])
            for host in having[:HOSTS_PER_KIND]
        ),
    )


def statuses(codes: Mapping[int | None, int], has_ok: bool) -> tuple[numbers.Named, ...]:
    """Return the rows by class of status; none if the outputs don't have statuses."""
    classes: Counter[str] = Counter()
    for code, rows in codes.items():
        classes[NONE if code is None else f"{code // 100}xx"] += rows
    if has_ok and not any(name[0] in "123" for name in classes):
        return ()
    return tuple(numbers.Named(one_line(name, MAX_WORD), classes[name]) for name in sorted(classes)[:LISTED])


def phases(times: Distribution, sums: Mapping[str, Sequence[float]]) -> tuple[numbers.Phases, ...]:
    """Return the mean phases of the fast URLs and of the slow ones. `sums`: the time in each phase, by the
    bucket of the URL's total time."""
    count = len(times)
    if not any(map(sum, sums.values())):
        return ()
    found = []
    for above, up_to in GROUPS if count >= MIN_GROUPED else ((0.0, 1.0),):
        rows = seen = 0
        means = dict.fromkeys(PHASES, 0.0)
        for bucket, number in times.counted():
            if above <= (seen + number / 2) / count < up_to:
                rows += number
                for name in PHASES:
                    means[name] += sums[name][bucket]
            seen += number
        if rows:
            means = {name: round(value / rows, DIGITS) for name, value in means.items()}
            found.append(numbers.Phases(above, up_to, rows, **means))
    return tuple(found)


def course(timeline: Timeline) -> numbers.Course | None:
    """Return the course of the run; None if no row has a time."""
    bins = timeline.bins()
    if not bins:
        return None
    edges = [timeline.origin + timeline.width * place for place in range(len(bins) + 1)]
    return numbers.Course(
        start=_time(timeline.origin),
        began=_time(timeline.start),
        ended=_time(timeline.end),
        elapsed=round(timeline.end - timeline.start, 3),
        interval=timeline.width,
        covered=tuple(
            round(max(min(after, timeline.end) - max(before, timeline.start), 0.0), 3)
            for before, after in pairwise(edges)
        ),
        ok=tuple(each.ok for each in bins),
        failed=tuple(each.failed for each in bins),
        size_delivered=tuple(each.delivered for each in bins),
        p50=tuple(_rounded(each.times.percentile(0.5)) for each in bins),
        p95=tuple(_rounded(each.times.percentile(0.95)) for each in bins),
    )


def hosts(table: Hosts, every: Sequence[HostNumbers]) -> numbers.Hosts:
    """Return the most relevant hosts."""
    named = [host for host in every if host.name]
    busiest = sorted(named, key=lambda host: (-host.rows, host.name))
    failing = sorted((host for host in named if host.failed), key=lambda host: (-host.failed, host.name))
    many = [(host.times.percentile(0.95) or 0.0, host) for host in named if len(host.times) >= MIN_ROWS]
    slowest = [host for _, host in sorted(many, key=lambda each: (-each[0], each[1].name))]
    return numbers.Hosts(
        number=len(named) if table.exact else table.capacity,
        exact=table.exact,
        missed=table.missed,
        all_failed=sum(host.failed == host.rows for host in named),
        busiest=_listed(busiest),
        failing=_listed(failing),
        slowest=_listed(slowest),
    )


def named(counts: Counts, number: int) -> tuple[numbers.Named, ...]:
    """Return the most frequent values."""
    return tuple(
        numbers.Named(one_line(name, MAX_WORD) or NONE, count.rows) for name, count in counts.most(number)
    )


def content_types(counts: Counts) -> tuple[numbers.ContentType, ...]:
    """Return the most frequent types of bodies."""
    return tuple(
        numbers.ContentType(one_line(name, MAX_WORD) or NONE, count.rows, count.octets)
        for name, count in counts.most(LARGEST)
    )


def _listed(found: Iterable[HostNumbers]) -> tuple[numbers.Host, ...]:
    return tuple(_host(host) for host, _ in zip(found, range(LISTED), strict=False))


def _host(host: HostNumbers) -> numbers.Host:
    return numbers.Host(
        host=one_line(host.name, MAX_WORD),
        urls=host.rows,
        failed=host.failed,
        error=host.main_kind or None,
        first_failure=one_line(host.first_failure, MAX_WORD) or None,
        last_failure=one_line(host.last_failure, MAX_WORD) or None,
        p50=_rounded(host.times.percentile(0.5, 0.0, host.longest)),
        p95=_rounded(host.times.percentile(0.95, 0.0, host.longest)),
        longest=round(host.longest, DIGITS) if len(host.times) else None,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)


def _time(seconds: float) -> str:
    """Return a time in the format of rows."""
    try:
        time = datetime.fromtimestamp(round(seconds, 3), UTC)
    except (ValueError, OverflowError, OSError):
        return ""
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03d}Z"
