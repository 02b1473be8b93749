"""The state of a run: running, stopping or aborted.

In: commands, and the time limit. Out: the state, for every part of the engine that depends on it. Only the
engine's thread calls it.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct


class RunState(Enum):
    """Whether requests may start, and whether those in flight may complete."""

    RUNNING = auto()
    STOPPING = auto()
    """No request is started; requests in flight complete."""
    ABORTED = auto()
    """No request is started; requests in flight are cancelled."""


class TimeLimits(Struct, frozen=True):
    """Time limits in seconds; None is no limit."""

    run: float | None = None
    """Of the run, which is stopped then (`--max-runtime`)."""
    attempt: float | None = None
    """Of each attempt (`--max-time`)."""


class Lifecycle:
    """Holds the state of one run, which only changes from RUNNING to STOPPING to ABORTED."""

    def __init__(self, deadline: float | None = None) -> None:
        """`deadline`: when the run is stopped, on the engine's clock (`--max-runtime`)."""
        self._state = RunState.RUNNING
        self._deadline = deadline
        self.timed_out = False
        """Whether the deadline stopped the run."""

    @property
    def state(self) -> RunState:
        return self._state

    @property
    def is_running(self) -> bool:
        return self._state is RunState.RUNNING

    @property
    def deadline(self) -> float | None:
        """When the run will be stopped; None without a limit, or if it is stopped already."""
        return self._deadline if self._state is RunState.RUNNING else None

    def expire(self, now: float) -> bool:
        """Stop the run if its deadline has passed; return whether that was the case."""
        if self._deadline is None or now < self._deadline or self._state is not RunState.RUNNING:
            return False
        self.timed_out = True
        self._state = RunState.STOPPING
        return True

    def stop(self) -> None:
        if self._state is RunState.RUNNING:
            self._state = RunState.STOPPING

    def abort(self) -> None:
        self._state = RunState.ABORTED
