"""The state of a run: running, stopping or aborted.

In: commands, and the limits of time and failures. Out: the state, for every part of the engine that depends
on it. Only the engine's thread calls it.
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


class Limits(Struct, frozen=True):
    """Limits of a run, times in seconds; None is no limit."""

    run: float | None = None
    """Of the run, which is stopped then (`--max-runtime`)."""
    attempt: float | None = None
    """Of each attempt (`--max-time`)."""
    failures: int | None = None
    """How many failed URLs stop the run (`--max-failures`)."""


class Lifecycle:
    """Holds the state of one run, which only changes from RUNNING to STOPPING to ABORTED."""

    def __init__(self, deadline: float | None = None, max_failures: int | None = None) -> None:
        """`deadline`: when the run is stopped, on the engine's clock (`--max-runtime`). `max_failures`: how
        many failed URLs stop it."""
        self._state = RunState.RUNNING
        self._deadline = deadline
        self.failures_left = max_failures
        """How many more failed URLs stop the run; None without a limit."""
        self.stopped_by = ""
        """The option whose limit stopped the run."""

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
        self.stopped_by = "--max-runtime"
        self._state = RunState.STOPPING
        return True

    def count_failures(self, failed: int) -> bool:
        """Stop the run if too many URLs have failed; return whether that was the case."""
        assert self.failures_left is not None
        self.failures_left -= failed
        if self.failures_left > 0 or self._state is not RunState.RUNNING:
            return False
        self.stopped_by = "--max-failures"
        self._state = RunState.STOPPING
        return True

    def stop(self) -> None:
        if self._state is RunState.RUNNING:
            self._state = RunState.STOPPING

    def abort(self) -> None:
        self._state = RunState.ABORTED
