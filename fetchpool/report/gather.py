"""Gathers the numbers of a report from rows, in one pass and in bounded memory.

In: batches of final rows, in any order. Out: `Numbers`; equal rows give equal numbers, whatever their order,
as long as the hosts and content types fit (`hosts.py`, `tallies.py`).
"""

from __future__ import annotations

import re
from collections import Counter

from fetchpool.model.text import one_line
from fetchpool.report import numbers, results
from fetchpool.report.buckets import SIZES, TIMES, Measured
from fetchpool.report.hosts import HostNumbers, Hosts, host_of
from fetchpool.report.numbers import Numbers
from fetchpool.report.results import LARGEST, LISTED, MAX_URL, MAX_WORD, PHASES
from fetchpool.report.row import Row
from fetchpool.report.tallies import Counts, Examples, Largest
from fetchpool.report.timeline import Timeline, seconds_of

MAX_KINDS = 300
"""Maximum number of kinds, for files of other programs; fetchpool itself has fewer."""
MAX_HOPS = 20
FEWEST_BINS = 12
ROWS_PER_BIN = 5
"""Minimum average number of rows per interval of the run, so that rates do not depend on single rows."""
MAX_SECONDS = 1e12
"""Seconds; longer times are ignored as invalid."""
NOT_MODIFIED = 304
_STATUS = re.compile(r"http_[0-9]{3}")


class Gatherer:
    """Counts rows, and computes the numbers of a report."""

    def __init__(self) -> None:
        self.total = self.failed = 0
        self._delivered = self._downloaded = 0
        self._kinds: dict[str, Examples] = {}
        self._codes: Counter[int | None] = Counter()
        self._times, self._sizes = Measured(TIMES), Measured(SIZES)
        self._phases = {name: [0.0] * (TIMES.top + 1) for name in PHASES}
        self._timeline = Timeline()
        self._hosts = Hosts()
        self._slowest, self._largest = Largest(LARGEST), Largest(LARGEST)
        self._hops: Counter[int] = Counter()
        self._to_https = self._retried = self._retried_ok = self._retries = 0
        self._types, self._versions, self._addresses = Counts(), Counts(50), Counts(20_000)
        self._last_second = ("", 0.0)

    def add(self, rows: list[Row]) -> None:
        """Count a batch of rows."""
        for row in rows:
            self.total += 1
            error = row.error
            size = row.size_delivered
            # An unchanged page (--refresh) has the size of its earlier version, which was not transferred.
            if size is not None and (size < 0 or row.response_code == NOT_MODIFIED):
                size = None
            host = self._hosts.of(host_of(row.url))
            host.rows += 1
            if error is not None:
                self.failed += 1
                self._fail(row, error, host)
            elif size is not None:
                self._sizes.add(size)
                if size >= self._largest.threshold:
                    self._largest.add(size, row.url)
            self._delivered += size or 0
            self._downloaded += max(row.size_download or 0, 0)
            self._time(row, host, size or 0)
            self._response(row, size or 0)

    def _fail(self, row: Row, error: str, host: HostNumbers) -> None:
        kind = error if error in self._kinds else one_line(error, MAX_WORD)
        if kind not in self._kinds and len(self._kinds) >= MAX_KINDS:
            kind = "other"
        self._kinds.setdefault(kind, Examples()).add(row.url, row.errormsg, row.timestamp, row.urlnum)
        host.fail(kind, row.timestamp)

    def _time(self, row: Row, host: HostNumbers, size: int) -> None:
        seconds = row.time_total
        if seconds is not None and 0 <= seconds < MAX_SECONDS:
            bucket = self._times.add(seconds)
            host.times.add(bucket)
            host.longest = max(host.longest, seconds)
            if seconds >= self._slowest.threshold:
                self._slowest.add(seconds, row.url)
            self._phase(row, seconds, bucket)
        else:
            seconds = bucket = None
        if row.timestamp is None or (began := self._seconds(row.timestamp)) is None:
            return
        place = self._timeline.at(began, seconds or 0.0)
        place.delivered += size
        if row.error is None:
            place.ok += 1
        else:
            place.failed += 1
        if bucket is not None:
            place.times.add(bucket)

    def _phase(self, row: Row, total: float, bucket: int) -> None:
        """Add the times between the points that the fetch reached. The remainder of `total` belongs to the
        phase in which the fetch ended."""
        phases, before, phase = self._phases, 0.0, "name"
        name, connect, tls, first = (
            row.time_namelookup,
            row.time_connect,
            row.time_appconnect,
            row.time_starttransfer,
        )
        if name is not None and before <= name <= total:
            phases["name"][bucket] += name
            before, phase = name, "connect"
        if connect is not None and before <= connect <= total:
            phases["connect"][bucket] += connect - before
            before, phase = connect, "wait"
        if tls is not None and before <= tls <= total:
            phases["tls"][bucket] += tls - before
            before = tls
        if first is not None and before <= first <= total:
            phases["wait"][bucket] += first - before
            before, phase = first, "receive"
        phases[phase][bucket] += total - before

    def _response(self, row: Row, size: int) -> None:
        code = row.response_code
        if code is None and row.error is not None and _STATUS.fullmatch(row.error):
            code = int(row.error[-3:])  # in text rows, the status is part of the error
        self._codes[code] += 1
        if row.content_type is not None:
            name = row.content_type.partition(";")[0].strip().lower()
            self._types.add(name if len(name) <= MAX_WORD else one_line(name, MAX_WORD), size)
        if row.http_version:
            self._versions.add(row.http_version[:MAX_WORD])
        if row.remote_ip:
            self._addresses.add(row.remote_ip[:MAX_WORD])
        if row.num_redirects is not None:
            self._hops[min(row.num_redirects, MAX_HOPS)] += 1
            if row.num_redirects and row.url[:5] != "https" and (row.url_effective or "")[:6] == "https:":
                self._to_https += 1
        if row.num_retries:
            self._retries += row.num_retries
            self._retried += 1
            self._retried_ok += row.error is None

    def _seconds(self, timestamp: str) -> float | None:
        """Return a timestamp as a number. The last second is cached, since rows are mostly in the order of
        time."""
        second, fraction = timestamp[:19], timestamp[19:]
        known, start = self._last_second
        if second != known:
            parsed = seconds_of(f"{second}Z")
            if parsed is None or len(second) < 19:
                return seconds_of(timestamp)
            self._last_second = second, parsed
            start = parsed
        if fraction == "Z":
            return start
        if len(fraction) == 5 and fraction[0] == "." and fraction[4] == "Z" and fraction[1:4].isdecimal():
            return start + int(fraction[1:4]) / 1000
        return seconds_of(timestamp)

    # Numbers

    def result(self) -> Numbers:
        """Return the numbers of all rows so far."""
        self._timeline.coarsen(max(FEWEST_BINS, self.total // ROWS_PER_BIN))
        times = results.spread(self._times)
        ranked = sorted(self._kinds.items(), key=lambda item: (-item[1].rows, item[0]))
        hosts = self._hosts.all()
        return Numbers(
            generator=numbers.GENERATOR,
            total=self.total,
            ok=self.total - self.failed,
            failed=self.failed,
            failures={kind: examples.rows for kind, examples in ranked},
            p50=times.p50 if times else None,
            p90=times.p90 if times else None,
            p95=times.p95 if times else None,
            p99=times.p99 if times else None,
            size_delivered=self._delivered,
            size_download=self._downloaded,
            kinds=tuple(results.kind(kind, examples, self.total, hosts) for kind, examples in ranked),
            statuses=results.statuses(self._codes, self.total > self.failed),
            response_codes=tuple(
                numbers.Named(str(code), rows)
                for code, rows in sorted(self._codes.items(), key=lambda item: (-item[1], item[0] or 0))
                if code is not None
            )[:LISTED],
            times=times,
            sizes=results.spread(self._sizes),
            phases=results.phases(self._times.distribution, self._phases),
            course=results.course(self._timeline),
            hosts=results.hosts(self._hosts, hosts),
            slowest=tuple(
                numbers.Slow(one_line(url, MAX_URL), round(value, 6)) for value, url in self._slowest.ranked()
            ),
            largest=tuple(
                numbers.Large(one_line(url, MAX_URL), int(value)) for value, url in self._largest.ranked()
            ),
            redirects=self._redirects(),
            content_types=results.content_types(self._types),
            http_versions=results.named(self._versions, LARGEST),
            addresses=results.named(self._addresses, LARGEST),
        )

    def _redirects(self) -> numbers.Redirects | None:
        if not self._hops:
            return None
        return numbers.Redirects(
            hops=tuple(
                numbers.Named(f"{hops} or more" if hops == MAX_HOPS else str(hops), self._hops[hops])
                for hops in sorted(self._hops)
            ),
            to_https=self._to_https,
            retried=self._retried,
            retried_ok=self._retried_ok,
            retries=self._retries,
        )
