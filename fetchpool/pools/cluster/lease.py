"""The lease of a station: how long it may start fetches without a sign of life from the driver. Pure.

The driver abandons a station that has sent no report for `ABANDONED` seconds, and routes its hosts to other
stations. By then the station must have ended, even if its process was stopped or cut off. Each call of the
driver names the last report that has reached it, and the lease counts from the time at which that report was
sent: so it always ends before the driver abandons the station, however long a message took, and without
comparing clocks.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable

LEASE = 15.0
"""Seconds for which a station may continue after a report that has reached the driver."""
ABANDONED = 20.0
"""Seconds without a report after which the driver abandons a station."""
PING = 2.0
"""Seconds between two reports, and between two calls, if there is nothing to send."""


def boottime() -> float:
    """Return the time of a clock that keeps running while the machine is suspended."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Lease:
    """The lease of one station. Any thread may call it, one at a time."""

    def __init__(self, clock: Callable[[], float] = boottime) -> None:
        self._clock = clock
        self._ends = clock() + LEASE
        self._sent: deque[tuple[int, float]] = deque()
        """The numbers of the reports that the driver may not have received, and when each was sent."""
        self._is_over = False

    @property
    def holds(self) -> bool:
        """Whether fetches may be started. A lease that has ended does not begin again."""
        if not self._is_over and self._clock() >= self._ends:
            self._is_over = True
        return not self._is_over

    def sending(self, number: int) -> None:
        """Record that a report is about to be sent."""
        self._sent.append((number, self._clock()))

    def renew(self, received: int) -> bool:
        """Restart the lease from the last report that has reached the driver; return whether the lease
        holds."""
        if not self.holds:
            return False
        sent = self._sent
        while sent and sent[0][0] <= received:
            _, at = sent.popleft()
            self._ends = max(self._ends, at + LEASE)
        return self.holds
