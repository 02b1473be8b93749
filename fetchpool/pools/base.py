"""The seam between the engine and those who do the work.

A pool is `submit(request) -> Future[Outcome]` and `shutdown()`; the engine can't tell one from
another. A pool holds no policy: it neither retries nor waits for a host's turn.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest


class WorkerPool(Protocol):
    """At most `workers` fetches at once."""

    workers: int

    @property
    def max_pending(self) -> int:
        """Submissions it likes to hold just now: more than `workers` where they go in batches."""

    @property
    def queued(self) -> int:
        """Submissions that no worker has begun: what they have to do when nobody submits anything."""

    @property
    def stuck(self) -> int:
        """Parsers that were given up and may run for ever: a thread can't be ended."""

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        """Never blocks. Raises `PoolClosedError` after `shutdown()`. The only exception the future
        can carry is `WorkerLostError`."""

    def run_inline(self) -> Callable[[float], None] | None:
        """What the caller's thread can do instead of only waiting for what ends: the pool's work, for so
        many seconds at most, or until something has ended or somebody calls `wake()`. None: the pool has
        threads of its own. Futures are finished in that thread from then on, and nothing goes on but by
        these calls, while deadlines do. To be called before anything is submitted."""

    def wake(self) -> None:
        """Ends the wait of the thread that has taken over, or its next one. From any thread."""

    def cancel_pending(self, host: str | None = None) -> None:
        """Cancels what was submitted for that host and no worker has begun. Without one: for any, and
        nothing is to be submitted later."""

    def shutdown(self, *, abort: bool = False) -> None:
        """Waits for what is in flight; with `abort` ends it first: those futures are cancelled,
        finish with an `aborted` outcome, or fail with `WorkerLostError`. Idempotent. In a future's callback,
        which others wait for, it only says so: the pool closes when all has ended."""

    def release(self) -> None:
        """Nobody will submit anything: the pool closes when all has ended. It takes no lock and doesn't
        wait, so that a finalizer can call it, wherever it runs."""
