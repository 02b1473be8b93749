"""How fetches are divided among processes. Pure.

In: how many fetches run at once, and how many processes. Out: each one's share; and for a number of requests,
how many of them each process is sent.
"""

from __future__ import annotations

from collections.abc import Sequence

AHEAD = 0.025
"""Seconds of work that a process is sent beyond its share: for the time until its outcomes are replaced by
requests. An outcome waits up to 10 ms for others, and a message takes some ms on a busy machine."""
MOST_AHEAD = 256
"""Requests that a process is sent beyond its share, at most."""
MEASURED = 0.02
"""Seconds over which a rate is measured, at least."""


def shares(most: int, processes: int) -> list[int]:
    """Divide `most` fetches at once among the processes; the sum is exact."""
    share, more = divmod(most, processes)
    return [share + (place < more) for place in range(processes)]


def portions(number: int, capacities: Sequence[int]) -> list[int]:
    """Divide up to `number` requests by the capacity that each process has."""
    total = sum(capacities)
    if number >= total:
        return list(capacities)
    parts: list[int] = []
    for capacity in capacities:
        # Rounded up: a single request goes somewhere.
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
