"""Virtual time: a clock that only events advance, and the queue of events. In: functions and their times.
Out: calls of the functions, in the order of their times. Nothing waits.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

BEGIN = 1000.0
"""The initial time, so that no time is 0."""


class VirtualTime:
    """The clock: call it for the time in seconds."""

    def __init__(self) -> None:
        self.now = BEGIN
        self._count = 0
        self._events: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    def __call__(self) -> float:
        return self.now

    def at(self, when: float, function: Callable[..., object], *arguments: Any) -> None:
        """Call a function at a time; calls at equal times keep their order."""
        self._count += 1
        heappush(self._events, (when, self._count, function, arguments))

    def run(self, until: float, *, stop: Callable[[], object]) -> None:
        """Advance to a time, or to the first event after which `stop()` is true."""
        events = self._events
        while events and events[0][0] <= until:
            when, _, function, arguments = heappop(events)
            if when > self.now:
                self.now = when
            function(*arguments)
            if stop():
                return
        self.now = max(self.now, until)
