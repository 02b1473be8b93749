"""Measures what limited a run: the seconds that it waited for each possible bottleneck.

In: the current bottleneck, once per iteration of the engine's loop. Out: `WaitTimes`, which
`progress/advice.py` interprets.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum

from fetchpool.config import machine
from fetchpool.config.machine import usable_cores
from fetchpool.engine.events import WaitTimes


class Bottleneck(Enum):
    """What keeps the next request from starting. Each member is a field of `WaitTimes`."""

    WORKERS = 0
    HOST_LIMIT = 1
    RATE_LIMIT = 2
    BACKOFF = 3
    RETRIES = 4
    PROXY = 5
    DNS = 6
    SOURCE = 7
    ENDING = 8
    STOPPING = 9
    OUTPUT = 10
    PAUSED = 11


def cpu_seconds() -> float:
    """Return the CPU seconds of this process and of its children that have ended (POSIX counts a child
    when it is waited for)."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def no_stations() -> tuple[float, float]:
    """Return 0 and 0: there is no cluster."""
    return 0.0, 0.0


class BottleneckTimer:
    """Adds up the seconds spent at each `Bottleneck`. `now` is always the engine's monotonic clock."""

    __slots__ = (
        "_cores",
        "_cpu",
        "_cpu_before",
        "_idle_before",
        "_seconds",
        "_since",
        "_state",
        "stations",
    )

    def __init__(
        self, now: float, *, cpu: Callable[[], float] = cpu_seconds, cores: int | None = None
    ) -> None:
        self._seconds = [0.0] * len(Bottleneck)
        self._since = now
        self._state = Bottleneck.SOURCE.value  # until the first URL is read
        self._cpu = cpu
        self._cpu_before = cpu()
        self._idle_before = machine.idle_seconds()
        self._cores = usable_cores() if cores is None else cores
        self.stations: Callable[[], tuple[float, float]] = no_stations
        """Returns the seconds for which the stations of a cluster have worked, and their CPU seconds."""

    def _idle_since_start(self) -> float | None:
        idle = machine.idle_seconds()
        return None if idle is None or self._idle_before is None else idle - self._idle_before

    def switch_to(self, now: float, state: Bottleneck) -> None:
        """Attribute the time up to `now` to the previous state, and the time from `now` on to `state`."""
        self._seconds[self._state] += now - self._since
        self._since = now
        self._state = state.value

    def wait_times(self, now: float) -> WaitTimes:
        """Return all seconds up to `now`, including those of the current state."""
        self._seconds[self._state] += now - self._since
        self._since = now
        (
            workers,
            host_limit,
            rate_limit,
            backoff,
            retries,
            proxy,
            dns,
            source,
            ending,
            stopping,
            output,
            paused,
        ) = self._seconds
        stations, stations_cpu = self.stations()
        return WaitTimes(
            workers=workers,
            host_limit=host_limit,
            rate_limit=rate_limit,
            backoff=backoff,
            retries=retries,
            proxy=proxy,
            dns=dns,
            source=source,
            ending=ending,
            stopping=stopping,
            output=output,
            paused=paused,
            cpu=self._cpu() - self._cpu_before,
            cores=self._cores,
            idle=self._idle_since_start(),
            stations=stations,
            stations_cpu=stations_cpu,
        )
