"""Counts failures by kind and by host, in bounded memory.

In: final rows with an error, and no others. Out: the kinds with examples, and the hosts that failed most.
Only the engine's thread calls it.
"""

from __future__ import annotations

from heapq import nlargest

from fetchpool.engine.events import MOST_EXAMPLES, MOST_HOSTS, FailingHost, FailureCount
from fetchpool.model.record import Record

HOSTS_KEPT = 1000
"""Number of hosts that are kept when there are twice as many: those with the most failures."""


class _Host:
    """The failures of a host; at most `missed` more occurred before it was counted."""

    __slots__ = ("count", "kind", "missed")

    def __init__(self, missed: int) -> None:
        self.count = 0
        self.missed = missed
        self.kind = ""


class FailureCounter:
    """Counts the failures of a run."""

    def __init__(self) -> None:
        self._kinds: dict[str, int] = {}
        self._examples: dict[str, list[str]] = {}
        self._hosts: dict[str, _Host] = {}
        self._missed = 0
        """Maximum number of failures of a host that is not in `_hosts`."""

    def add(self, kind: str, record: Record) -> None:
        """Count a row with an error."""
        self.count(kind, record.url)
        host = host_of(record.url_effective)
        if not host:
            return
        counted = self._hosts.get(host)
        if counted is None:
            if len(self._hosts) >= 2 * HOSTS_KEPT:
                self._drop_half()
            counted = self._hosts[host] = _Host(self._missed)
        counted.count += 1
        counted.kind = kind

    def count(self, kind: str, url: str) -> None:
        """Count a failure by its kind only, as of an earlier run."""
        number = self._kinds.get(kind, 0)
        self._kinds[kind] = number + 1
        if number < MOST_EXAMPLES:
            self._examples.setdefault(kind, []).append(url)

    def kinds(self) -> tuple[FailureCount, ...]:
        """Return all kinds, the most frequent first."""
        kinds = [
            FailureCount(kind, number, tuple(self._examples[kind])) for kind, number in self._kinds.items()
        ]
        kinds.sort(key=lambda kind: (-kind.count, kind.kind))
        return tuple(kinds)

    def hosts(self) -> tuple[FailingHost, ...]:
        """Return the hosts with the most failures, in descending order."""
        most = nlargest(MOST_HOSTS, self._hosts.items(), key=lambda each: each[1].count)
        return tuple(FailingHost(host, counted.count, counted.kind) for host, counted in most)

    def _drop_half(self) -> None:
        """Drop the hosts with the fewest failures, and remember how many failures were lost, so that a host
        that reappears is not dropped before hosts with fewer (the Space-Saving algorithm)."""
        kept = nlargest(HOSTS_KEPT + 1, self._hosts.items(), key=lambda each: each[1].count + each[1].missed)
        _, highest = kept.pop()
        self._missed = max(self._missed, highest.count + highest.missed)
        self._hosts = dict(kept)


def host_of(url: str) -> str:
    """Return the host of a URL without its port; empty if the text is not a URL."""
    scheme, separator, rest = url.partition("://")
    if not separator or not scheme.isalnum():
        return ""
    for end in "/?#":
        rest = rest.partition(end)[0]
    host = rest.rpartition("@")[2]
    name, _, port = host.rpartition(":")
    return name if name and port.isdecimal() else host
