"""Rate limit over all hosts (`--rate`). Pure: the time is a parameter."""

from __future__ import annotations

CATCH_UP = 0.01
"""Seconds of delay that later starts may make up for. A loop can't wake up every 200 µs. Below a hundred
starts per second nothing is made up for, so that two starts are never closer than the rate allows."""


class RateLimiter:
    """Allows one start every `interval` seconds, without an initial burst."""

    __slots__ = ("_catch_up", "_interval", "next_at")

    def __init__(self, rate: float | None) -> None:
        """`rate`: starts per second; None means no limit."""
        self._interval = self._catch_up = 0.0
        self.next_at = float("-inf")
        """Earliest time of the next start."""
        self.change(rate, 0.0)

    def change(self, rate: float | None, now: float) -> None:
        """Change the rate. The next start is at most one new interval from now."""
        self._interval = 1.0 / rate if rate else 0.0
        self._catch_up = CATCH_UP if self._interval < CATCH_UP else 0.0
        self.next_at = min(self.next_at, now + self._interval)

    def started(self, now: float) -> None:
        """Record a start."""
        if self._interval:
            self.next_at = max(self.next_at, now - self._catch_up) + self._interval

    def least_wait(self, requests: int, now: float) -> float:
        """Return the minimum number of seconds until the last of a number of requests may start."""
        if not self._interval or not requests:
            return 0.0
        return max(self.next_at - now, 0.0) + (requests - 1) * self._interval
