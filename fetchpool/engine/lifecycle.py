"""The state of a run: running, paused, stopping or aborted.

In: commands, and the limits of time and failures. Out: the state, for every part of the engine that depends
on it. Only the engine's thread calls it.
"""

from __future__ import annotations

from enum import Enum, auto

from msgspec import Struct


class RunState(Enum):
    """Whether requests may start, and whether those in flight may complete."""

    RUNNING = auto()
    PAUSED = auto()
    """No request is started until the run is resumed; requests in flight complete."""
    STOPPING = auto()
    """No request is started; requests in flight complete."""
    ABORTED = auto()
    """No request is started; requests in flight are cancelled."""


class Limits(Struct, frozen=True):
    """Limits of a run, times in seconds; None is no limit."""

    run: float | None = None
    """The time after which the run is stopped (`--max-runtime`)."""
    attempt: float | None = None
    """The time limit of each attempt (`--max-time`)."""
    failures: int | None = None
    """The number of failed URLs that stops the run (`--max-failures`)."""


class Lifecycle:
    """Holds the state of one run. A pause can be ended, and so can a stop that a command has caused."""

    def __init__(self, deadline: float | None = None, max_failures: int | None = None) -> None:
        """`deadline`: when the run is stopped, on the engine's clock (`--max-runtime`). `max_failures`: the
        number of failed URLs that stops it."""
        self._state = RunState.RUNNING
        self._deadline = deadline
        self.failures_left = max_failures
        """The number of further failed URLs that stops the run; None without a limit."""
        self.stopped_by = ""
        """The option whose limit stopped the run."""
        self.lost = ""
        """Why the pool was lost, which aborted the run; empty if it was not lost."""
        self.steered_by = ""
        """The origin of the command that stopped or aborted the run: `from the web page`."""

    @property
    def state(self) -> RunState:
        return self._state

    @property
    def is_running(self) -> bool:
        """Whether requests may start."""
        return self._state is RunState.RUNNING

    @property
    def is_paused(self) -> bool:
        return self._state is RunState.PAUSED

    @property
    def is_stopped(self) -> bool:
        """Whether the run ends when nothing is in flight, even if URLs are left."""
        return self._state is RunState.STOPPING or self._state is RunState.ABORTED

    @property
    def deadline(self) -> float | None:
        """When the run will be stopped; None without a limit, or if it is stopped already."""
        return None if self.is_stopped else self._deadline

    def expire(self, now: float) -> bool:
        """Stop the run if its deadline has passed; return whether it was stopped."""
        if self._deadline is None or now < self._deadline or self.is_stopped:
            return False
        self.stopped_by = "--max-runtime"
        self._state = RunState.STOPPING
        return True

    def count_failures(self, failed: int) -> bool:
        """Stop the run if too many URLs have failed; return whether it was stopped."""
        assert self.failures_left is not None
        self.failures_left -= failed
        if self.failures_left > 0 or self.is_stopped:
            return False
        self.stopped_by = "--max-failures"
        self._state = RunState.STOPPING
        return True

    def pause(self) -> bool:
        """Pause the run if it is running; return whether it was paused."""
        if self._state is not RunState.RUNNING:
            return False
        self._state = RunState.PAUSED
        return True

    def resume(self) -> bool:
        """End a pause, or cancel a stop by a command; return whether the state has changed."""
        if self._state is RunState.STOPPING and self.steered_by:
            self.steered_by = ""
        elif self._state is not RunState.PAUSED:
            return False
        self._state = RunState.RUNNING
        return True

    def stop(self, by: str = "") -> bool:
        """Stop the run, unless it is stopped already; return whether it was stopped. `by`: the origin of the
        command, if there is one."""
        if self.is_stopped:
            if not by:  # a signal can't be undone
                self.steered_by = ""
            return False
        self._state = RunState.STOPPING
        self.steered_by = by
        return True

    def lose(self, reason: str) -> bool:
        """Abort the run because its pool is lost; return whether it was not aborted before."""
        if not self.abort():
            return False
        self.lost = reason
        return True

    def abort(self, by: str = "") -> bool:
        """Abort the run; return whether it was not aborted before."""
        if self._state is RunState.ABORTED:
            return False
        self._state = RunState.ABORTED
        self.steered_by = by
        return True
