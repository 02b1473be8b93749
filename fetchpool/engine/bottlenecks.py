"""Where a run's seconds go, so that the end can say what held it back.

In: the engine's word, once per turn of its loop, on what it is waiting for. Out: `WaitTimes`.
Adds up and judges nothing: what to make of it is the report's business.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum

from fetchpool.config.machine import usable_cores
from fetchpool.engine.events import WaitTimes


class Bottleneck(Enum):
    """What keeps the next request from starting. Each is a field of `WaitTimes`."""

    WORKERS = 0
    TURNS = 1
    PACE = 2
    PAUSES = 3
    RETRIES = 4
    NAMES = 5
    SOURCE = 6
    ENDING = 7
    STOPPING = 8


def cpu_seconds() -> float:
    """CPU seconds of this process and of its children that have ended (POSIX counts a child when
    it is waited for)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


class BottleneckTimer:
    """A stopwatch with one face for each of `Bottleneck`. `now` is always the engine's monotonic clock."""

    __slots__ = ("_cores", "_cpu", "_cpu_before", "_seconds", "_since", "_state")

    def __init__(
        self, now: float, *, cpu: Callable[[], float] = cpu_seconds, cores: int | None = None
    ) -> None:
        self._seconds = [0.0] * len(Bottleneck)
        self._since = now
        self._state = Bottleneck.SOURCE.value  # until the first URL is there, the input is what is waited for
        self._cpu = cpu
        self._cpu_before = cpu()
        self._cores = usable_cores() if cores is None else cores

    def account(self, now: float, state: Bottleneck) -> None:
        """From `now` on, `state` holds the run back; the time up to `now` goes to the state before.

        So the engine calls it when it has started all it may, just before it waits.
        """
        self._seconds[self._state] += now - self._since
        self._since = now
        self._state = state.value

    def limits(self, now: float) -> WaitTimes:
        """All seconds up to `now`; the current state's are in it."""
        self._seconds[self._state] += now - self._since
        self._since = now
        workers, turns, pace, pauses, retries, names, source, ending, stopping = self._seconds
        return WaitTimes(
            workers=workers,
            turns=turns,
            pace=pace,
            pauses=pauses,
            retries=retries,
            names=names,
            source=source,
            ending=ending,
            stopping=stopping,
            cpu=self._cpu() - self._cpu_before,
            cores=self._cores,
        )
