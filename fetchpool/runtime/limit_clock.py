"""The clock for timeouts: it stands still while this process does not run.

In: signs of life of a loop or thread that enforces limits, several times a second. Out: the time. If a sign
comes much too late, the process was stopped, the machine suspended or the interpreter blocked: nothing could
be received, and the time counts against no limit.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

INTERVAL = 0.1
"""Seconds between two signs of life, at most, while limits run."""
LATE = 0.25
"""Seconds that a sign may be late on a busy machine."""
NEVER = float("inf")


class LimitClock:
    """Any thread may read it; one gives the signs of life."""

    __slots__ = ("_clock", "_due", "_is_running", "_last_sign", "lost")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.lost = 0.0
        """Seconds in which the clock stood still."""
        self._last_sign = clock()
        self._is_running = False
        """Signs of life are due."""
        self._due = NEVER
        """When the next sign is late, on the machine's clock."""

    def now(self) -> float:
        """Return the time in seconds."""
        lost = self.lost
        now = self._clock()
        while lost != self.lost:  # noticed by another thread meanwhile: `now` may be from before
            lost = self.lost
            now = self._clock()
        if now > self._due:  # not noticed yet
            now = self._due - LATE
        return now - lost

    def sign(self) -> None:
        """Note that the process runs; to be called every `INTERVAL`."""
        now = self._clock()
        if now > self._due:
            self.lost += now - self._last_sign - INTERVAL
        self._last_sign = now
        if self._is_running:
            self._due = now + INTERVAL + LATE

    def run(self) -> None:
        """Note that limits run from now on, and that signs are due."""
        if not self._is_running:
            self._is_running = True
            self.sign()

    def rest(self) -> None:
        """Note that no limit runs, so that no sign is due."""
        self._is_running = False
        self._due = NEVER
