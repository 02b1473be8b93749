"""Divides fetches among processes. Pure. In: the number of concurrent fetches and of processes. Out: the
share of each process and, for a number of requests, how many of them each process is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

AHEAD = 0.025
"""Seconds of work that a process is sent beyond its share, to cover the time until its outcomes are replaced
by requests. An outcome waits up to 10 ms for others, and a message takes a few ms on a busy machine."""
MOST_AHEAD = 256
"""Maximum number of requests that a process is sent beyond its share."""
MEASURED = 0.02
"""Minimum seconds over which a rate is measured."""


def shares(most: int, processes: int) -> list[int]:
    """Divide `most` concurrent fetches among the processes; the sum is exact."""
    share, more = divmod(most, processes)
    return [share + (place < more) for place in range(processes)]


def portions(number: int, capacities: Sequence[int]) -> list[int]:
    """Divide up to `number` requests by the capacity that each process has."""
    total = sum(capacities)
    if number >= total:
        return list(capacities)
    parts: list[int] = []
    for capacity in capacities:
        # Rounded up, so that a single request is assigned.
        part = -(-number * capacity // total) if capacity else 0
        parts.append(part)
        number -= part
        total -= capacity
    return parts


class Rate:
    """Measures how many fetches a process completes in `AHEAD` seconds."""

    def __init__(self) -> None:
        self.ahead = 0
        self._since = 0.0
        self._count = 0

    def add(self, completed: int, now: float) -> None:
        """Update `ahead`."""
        self._count += completed
        seconds = now - self._since
        if seconds >= MEASURED:
            self.ahead = min(MOST_AHEAD, int(self._count / seconds * AHEAD))
            self._since, self._count = now, 0

    def clear(self) -> None:
        """Send nothing ahead until fetches are completed again."""
        self.ahead = self._count = 0
