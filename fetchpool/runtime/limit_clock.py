"""The clock for timeouts, which stops while this process does not run.

In: signs of life, several times a second, from a loop or thread that enforces limits. Out: the time. If a
sign is much too late, the process was stopped, the machine suspended or the interpreter blocked: nothing
could be received, and this time counts towards no limit.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

INTERVAL = 0.1
"""Maximum seconds between two signs of life while limits run."""
LATE = 0.25
"""Seconds that a sign may be late on a busy machine."""
NEVER = float("inf")


class LimitClock:
    """The clock. Any thread may read it; one thread gives the signs of life."""

    __slots__ = ("_clock", "_due", "_is_running", "_last_sign", "lost")

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self.lost = 0.0
        """Seconds for which the clock was stopped."""
        self._last_sign = clock()
        self._is_running = False
        """Whether signs of life are due."""
        self._due = NEVER
        """The time, on the machine's clock, from which the next sign is late."""

    def now(self) -> float:
        """Return the time in seconds."""
        lost = self.lost
        now = self._clock()
        while lost != self.lost:  # another thread has noticed it meanwhile; `now` may be older
            lost = self.lost
            now = self._clock()
        if now > self._due:  # not noticed yet
            now = self._due - LATE
        return now - lost

    def sign(self) -> None:
        """Record that the process runs. Must be called every `INTERVAL`."""
        now = self._clock()
        if now > self._due:
            self.lost += now - self._last_sign - INTERVAL
        self._last_sign = now
        if self._is_running:
            self._due = now + INTERVAL + LATE

    def run(self) -> None:
        """Record that limits run from now on, so that signs are due."""
        if not self._is_running:
            self._is_running = True
            self.sign()

    def rest(self) -> None:
        """Record that no limit runs, so that no sign is due."""
        self._is_running = False
        self._due = NEVER
