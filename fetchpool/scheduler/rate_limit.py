"""An even pace over all hosts (`--rate`). Pure: it is handed `now`."""

from __future__ import annotations

CATCH_UP = 0.01
"""Seconds of delay that may be made good. A loop can't wake up every 200 µs; below a hundred starts a
second nothing is ever made good, so that two starts are never closer than the pace."""


class RateLimiter:
    """Lets one start through every `interval` seconds, from the first on (no opening burst)."""

    __slots__ = ("_catch_up", "_interval", "next_at")

    def __init__(self, rate: float | None) -> None:
        """`rate`: starts per second; None is no limit."""
        self._interval = 1.0 / rate if rate else 0.0
        self._catch_up = CATCH_UP if self._interval < CATCH_UP else 0.0
        self.next_at = float("-inf")
        """When the next start may be."""

    def started(self, now: float) -> None:
        if self._interval:
            self.next_at = max(self.next_at, now - self._catch_up) + self._interval
