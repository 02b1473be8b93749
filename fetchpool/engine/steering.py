"""Applies the commands of the user to a run, and notifies the observers.

In: commands from the inbox. Out: changes of the run's state, its number of workers and its limits. A command
that changes nothing is ignored, so that a button can be pressed twice. Only the engine's thread
calls these methods.
"""

from __future__ import annotations

from fetchpool.engine.events import EventKind
from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.lifecycle import Lifecycle, RunState
from fetchpool.engine.observers import Observers
from fetchpool.engine.workers import Workers
from fetchpool.model.steering import (
    AUTO,
    Abort,
    Command,
    Pause,
    PerHost,
    Rate,
    Resize,
    Resume,
    Settings,
    State,
    Stop,
)
from fetchpool.pools.base import Pool
from fetchpool.scheduler.scheduler import Scheduler


class Steering:
    """Changes a run that is in progress."""

    def __init__(
        self,
        pool: Pool,
        scheduler: Scheduler,
        in_flight: InFlightRequests,
        workers: Workers,
        *,
        lifecycle: Lifecycle,
        observers: Observers,
    ) -> None:
        self._pool = pool
        self._scheduler = scheduler
        self._in_flight = in_flight
        self.workers = workers
        self._lifecycle = lifecycle
        self._observers = observers
        self._has_ended = False

    def follow(self, command: Command, by: str, now: float) -> None:
        """Apply a command. `by`: its origin, such as "by a key"; empty for a signal, which gets no notice."""
        text = self._change(command, by, now)
        if text and by:
            self._observers.notify(text, EventKind.STEERED)

    def state(self) -> State:
        """Return the current state of the run."""
        if self._has_ended:
            return State.ENDED
        if self._lifecycle.is_paused:
            return State.PAUSING if self._in_flight else State.PAUSED
        return State.STOPPING if self._lifecycle.is_stopped else State.RUNNING

    def settings(self) -> Settings:
        """Return the current settings."""
        return Settings(
            workers=self.workers.setting,
            ceiling=self.workers.ceiling,
            rate=self._scheduler.rate,
            per_host=self._scheduler.per_host,
        )

    def end(self) -> None:
        """Record that the run has ended."""
        self._has_ended = True

    def _change(self, command: Command, by: str, now: float) -> str:
        """Apply a command; return the notice about it, which is empty if nothing has changed."""
        match command:
            case Pause():
                return self._pause(by)
            case Resume():
                return self._resume(by, now)
            case Resize(workers=workers):
                return self._resize(workers, by, now)
            case Rate(rate=rate):
                return self._set_rate(rate, by, now)
            case PerHost(limit=limit):
                return self._set_per_host(limit, by, now)
            case Stop():
                return self._stop(by)
            case Abort():
                return self._abort(by)

    def _pause(self, by: str) -> str:
        if not self._lifecycle.pause():
            return ""
        self._pool.cancel_pending()
        return f"paused {by}"

    def _resume(self, by: str, now: float) -> str:
        if not self._lifecycle.resume():
            return ""
        if self.workers.autoscaler is not None:  # a pause is no measurement for the autoscaler
            self.workers.autoscaler.start_round(now)
        return f"resumed {by}"

    def _stop(self, by: str) -> str:
        if not self._lifecycle.stop(by):
            return ""
        self._pool.cancel_pending()
        return f"stopped {by}"

    def _abort(self, by: str) -> str:
        if not self._lifecycle.abort(by):
            return ""
        self._pool.cancel_pending()
        self._pool.shutdown(abort=True)
        return f"aborted {by}"

    def _resize(self, workers: int | str, by: str, now: float) -> str:
        before, ceiling = self.workers.setting, self.workers.ceiling
        if isinstance(workers, str):
            self.workers.adapt(now)
            return "" if before == AUTO else f"workers adapted {by} (auto)"
        number = self.workers.fix(workers)
        limit = f" (at most {ceiling}: --max-workers)" if workers > ceiling else ""
        return f"workers set to {number} {by}{limit}" if number != before or limit else ""

    def _set_rate(self, rate: float | None, by: str, now: float) -> str:
        if rate == self._scheduler.rate:
            return ""
        self._scheduler.set_rate(rate, now)
        self._pool.space_hops(rate is not None)
        self._recall_queued()
        return f"rate set to {rate:g}/s {by}" if rate else f"rate limit removed {by}"

    def _set_per_host(self, limit: int | None, by: str, now: float) -> str:
        if limit == self._scheduler.per_host:
            return ""
        self._scheduler.set_per_host(limit, now)
        self._recall_queued()
        return f"requests per host set to {limit} {by}" if limit else f"limit per host removed {by}"

    def _recall_queued(self) -> None:
        """Recall requests that no worker has started, so that the scheduler schedules them again."""
        if self._lifecycle.state is RunState.RUNNING:
            self._pool.cancel_pending()
