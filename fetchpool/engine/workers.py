"""The number of workers of a run: fixed, or adapted (`-w auto`), and changed by commands.

In: the pool and the autoscaler. Out: the maximum number of concurrent fetches. Only the engine's thread calls
these methods.
"""

from __future__ import annotations

from typing import Literal

from fetchpool.model.steering import AUTO
from fetchpool.pools.base import Pool
from fetchpool.scheduler.autoscale import AutoScaler


class Workers:
    """Sets the number of workers. A fixed number is the pool's `max_workers`. With an autoscaler the pool has
    its full size, and the autoscaler's `target` is the maximum number of requests in flight."""

    def __init__(self, pool: Pool, autoscaler: AutoScaler | None = None, number: int | None = None) -> None:
        """The pool's size is the upper limit. `number`: the initial number, if it is lower."""
        self._pool = pool
        self.ceiling = pool.max_workers
        self.autoscaler = autoscaler
        """None while the number is fixed."""
        self._idle_autoscaler: AutoScaler | None = None
        """The autoscaler that a fixed number has replaced; `adapt()` uses it again."""
        if autoscaler is None and number is not None and number < self.ceiling:
            pool.resize(number)

    @property
    def number(self) -> int:
        """The maximum number of concurrent fetches."""
        return self._pool.max_workers if self.autoscaler is None else self.autoscaler.target

    @property
    def setting(self) -> int | Literal["auto"]:
        """The number as set by the user."""
        return self._pool.max_workers if self.autoscaler is None else AUTO

    @property
    def reason(self) -> str:
        """Why `-w auto` chose the number; empty if the user did."""
        return "" if self.autoscaler is None else self.autoscaler.reason

    def fix(self, number: int) -> int:
        """Set the number, limited by the ceiling, and return it."""
        number = min(number, self.ceiling)
        if self.autoscaler is not None:
            self._idle_autoscaler, self.autoscaler = self.autoscaler, None
        self._pool.resize(number)
        return number

    def adapt(self, now: float) -> None:
        """Adapt the number from now on."""
        if self.autoscaler is None:
            self.autoscaler = self._idle_autoscaler or AutoScaler(self.ceiling, now)
            self.autoscaler.start_round(now)
            self._pool.resize(self.ceiling)
