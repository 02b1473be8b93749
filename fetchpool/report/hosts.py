"""Counts numbers by host, for the hosts with the most rows of a list that may have millions of hosts.

In: the host of each row, with its outcome. Out: a `HostNumbers` for each of at least 10,000 hosts with the
most rows. Numbers are exact as long as there were no more than 20,000 hosts; then the hosts with the fewest
rows are dropped (space-saving, Metwally 2005, with many hosts dropped at once), and what was counted of a
host before it appeared again is missing: `missed` says how many rows at most.
"""

from __future__ import annotations

import re

from fetchpool.model.urls import InvalidUrl, parse_line
from fetchpool.report.buckets import TIMES, Distribution

CAPACITY = 20_000
"""Maximum number of hosts in memory."""
KEPT = 10_000
"""Number of hosts that stay when there are too many."""
_HOST = re.compile(r"(?:[a-zA-Z][a-zA-Z0-9+.-]*://)?(?:[^/?#]*@)?(\[[^\]/?#]*\]|[^:/?#]*)")


def host_of(url: str) -> str:
    """Return the host of a URL as a row shows it, without its port; empty if it has none."""
    match = _HOST.match(url)
    host = match[1] if match else ""
    if host.isascii():
        return host.lower()
    parsed = parse_line(url)  # an international name
    return "" if isinstance(parsed, InvalidUrl) else parsed.host


class HostNumbers:
    """The numbers of one host."""

    __slots__ = ("failed", "first_failure", "kinds", "last_failure", "longest", "name", "rows", "times")

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = 0
        self.failed = 0
        self.kinds: dict[str, int] = {}
        """Failures by kind."""
        self.first_failure = ""
        self.last_failure = ""
        """Their timestamps."""
        self.times = Distribution(TIMES)
        self.longest = 0.0

    def fail(self, kind: str, timestamp: str | None) -> None:
        """Count a failure."""
        self.failed += 1
        self.kinds[kind] = self.kinds.get(kind, 0) + 1
        if timestamp:
            self.first_failure = min(self.first_failure or timestamp, timestamp)
            self.last_failure = max(self.last_failure, timestamp)

    @property
    def main_kind(self) -> str:
        """The most frequent kind of its failures; empty without failures."""
        return min(self.kinds, key=lambda kind: (-self.kinds[kind], kind), default="")


class Hosts:
    """The hosts with the most rows."""

    def __init__(self, capacity: int = CAPACITY, kept: int = KEPT) -> None:
        self.missed = 0
        """Maximum number of rows missing in the numbers of each host; 0 if they are exact."""
        self.exact = True
        """Whether all hosts are counted; otherwise there were more than the capacity."""
        self.capacity = capacity
        self._by_name: dict[str, HostNumbers] = {}
        self._kept = kept

    def of(self, name: str) -> HostNumbers:
        """Return the numbers of a host, for adding rows."""
        found = self._by_name.get(name)
        if found is None:
            if len(self._by_name) >= self.capacity:
                self._drop()
            found = self._by_name[name] = HostNumbers(name)
        return found

    def __len__(self) -> int:
        return len(self._by_name)

    def all(self) -> list[HostNumbers]:
        """Return the hosts, by name."""
        return [self._by_name[name] for name in sorted(self._by_name)]

    def _drop(self) -> None:
        ranked = sorted(self._by_name.values(), key=lambda host: (-host.rows, host.name))
        self.missed += ranked[self._kept].rows
        self.exact = False
        self._by_name = {host.name: host for host in ranked[: self._kept]}
