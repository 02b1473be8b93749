"""The servers of a simulated run: they determine how long each response takes, and check the limits. In: the
starts and ends of fetches, with their times. Out: durations and statuses, and counts of violations, from the
servers' point of view, whatever the driver believes.
"""

from __future__ import annotations

from collections import OrderedDict
from random import Random
from zlib import crc32

from msgspec import Struct

SLACK = 1e-6
"""Seconds by which two starts may be too close, because of rounding."""
LEARNS = 1.5
"""Seconds after a 429 in which requests in transit may still start, until the driver knows of it and recalls
the requests that wait in a station."""


FORGET_AFTER = 60.0
"""Seconds after its last start for which a host is remembered: longer than any pause and any delay between
two starts. So the memory of a simulated run is that of the driver, however many hosts there are."""


class Behaviour(Struct, frozen=True):
    """The behaviour of the servers."""

    shortest: float = 0.1
    mean: float = 1.1
    """Seconds of a response, exponentially distributed above the shortest."""
    longest: float = 20.0
    throttling: float = 0.0
    """Share of the hosts that respond with 429 to every tenth request."""
    retry_after: int = 5


class Host:
    """A host, from its server's point of view."""

    __slots__ = ("last_start", "open", "silent_from", "silent_until")

    def __init__(self) -> None:
        self.open = 0
        self.last_start = float("-inf")
        self.silent_from = self.silent_until = float("-inf")


class Servers:
    """All hosts."""

    def __init__(
        self, behaviour: Behaviour, *, workers: int, per_host: int, host_delay: float, seed: int
    ) -> None:
        self._behaviour = behaviour
        self.retry_after = behaviour.retry_after
        self._random = Random(seed)
        self._workers, self._per_host, self._host_delay = workers, per_host, host_delay
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        """The hosts by name, in the order of their latest request."""
        self.open = 0
        """Number of fetches in progress."""
        self.starts = 0
        self.above_total = self.above_host = self.too_close = self.in_silence = 0
        """Numbers of starts that exceeded a limit: of the run, of a host, between two starts, after a
        Retry-After."""
        self._busy = 0.0
        self._busy_since = 0.0

    @property
    def violations(self) -> int:
        """Number of starts that exceeded any limit except the time between two starts."""
        return self.above_total + self.above_host + self.in_silence

    def start(self, name: str, now: float) -> tuple[float, int]:
        """Start a fetch; return its duration and status."""
        host = self._hosts.get(name)
        if host is None:
            host = self._hosts[name] = Host()
        else:
            self._hosts.move_to_end(name)
        self._count(now, 1)
        host.open += 1
        self.starts += 1
        self.above_total += self.open > self._workers
        self.above_host += host.open > self._per_host
        self.too_close += now - host.last_start < self._host_delay - SLACK
        self.in_silence += host.silent_from < now < host.silent_until - SLACK
        host.last_start = now
        self._forget(now)
        behaviour, random = self._behaviour, self._random
        seconds = behaviour.shortest + random.expovariate(1.0 / (behaviour.mean - behaviour.shortest))
        throttles = behaviour.throttling and random.random() < 0.1
        if throttles and crc32(name.encode()) % 1000 < 1000 * behaviour.throttling:
            return 0.05, 429
        return min(seconds, behaviour.longest), 200

    def end(self, name: str, now: float, status: int = 200) -> None:
        """End a fetch, with or without its response."""
        host = self._hosts[name]
        host.open -= 1
        self._count(now, -1)
        if status == 429:
            host.silent_from, host.silent_until = now + LEARNS, now + self._behaviour.retry_after

    def end_silence(self, name: str) -> None:
        """Expect no pause of a host any more."""
        if (host := self._hosts.get(name)) is not None:
            host.silent_until = float("-inf")

    def busy(self, now: float) -> float:
        """Return the seconds that all fetches have taken so far."""
        self._count(now, 0)
        return self._busy

    def _forget(self, now: float) -> None:
        """Forget the hosts whose latest request was long ago."""
        hosts = self._hosts
        while (oldest := next(iter(hosts.items())))[1].last_start < now - FORGET_AFTER:
            name, host = oldest
            if host.open:
                return
            del hosts[name]

    def _count(self, now: float, change: int) -> None:
        self._busy += self.open * (now - self._busy_since)
        self._busy_since = now
        self.open += change
