"""Rotation: the order in which hosts start their requests.

In: hosts, with the mean time of their requests. Out: the next host. Hosts take turns; every second turn goes
to the hosts whose queued requests will take much longer than those of others. With equal turns, a host that
is slow or has many URLs would reach its limit only when the others are done, and the run would end with that
host alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from fetchpool.scheduler.host import HostSlot

SLOW_FACTOR = 2.5
"""Multiple of the typical work of a host from which a host counts as one of the slowest."""
WEIGHT = 0.02
"""Weight of one host in the average of the typical work."""


class Rotation:
    """The hosts that may start a request, each at most once."""

    __slots__ = ("_slowest_is_next", "_typical", "regular", "slowest")

    def __init__(self) -> None:
        self.regular: deque[HostSlot] = deque()
        """The ordinary hosts. A host whose times are not measured is added here directly."""
        self.slowest: deque[HostSlot] = deque()
        self._typical = 0.0
        """The typical work of a host: seconds for all of its queued requests, one after the other."""
        self._slowest_is_next = True

    def __len__(self) -> int:
        return len(self.regular) + len(self.slowest)

    def __iter__(self) -> Iterator[HostSlot]:
        yield from self.regular
        yield from self.slowest

    def add(self, slot: HostSlot) -> None:
        """Add a host at the end of one of the two queues."""
        work = slot.seconds * len(slot.queue)
        self._typical += WEIGHT * (work - self._typical) if self._typical else work
        if work > SLOW_FACTOR * self._typical:
            self.slowest.append(slot)
        else:
            self.regular.append(slot)

    def take(self) -> HostSlot:
        """Remove and return the next host; there must be one."""
        if self.slowest and (self._slowest_is_next or not self.regular):
            self._slowest_is_next = False
            return self.slowest.popleft()
        self._slowest_is_next = True
        return self.regular.popleft()
