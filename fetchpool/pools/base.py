"""The seam between the engine and those who do the work.

A pool is `submit(request) -> Future[Outcome]` and `shutdown()`; the engine can't tell one from
another. A pool holds no policy: it neither retries nor waits for a host's turn.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from fetchpool.model import FetchRequest, Outcome


class WorkerPool(Protocol):
    """At most `workers` fetches at once."""

    workers: int

    @property
    def window(self) -> int:
        """Submissions it likes to hold just now: more than `workers` where they go in batches."""

    @property
    def spare(self) -> int:
        """Submissions that no worker has begun: what they have to do when nobody submits anything."""

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        """Never blocks. Raises `PoolClosedError` after `shutdown()`. The only exception the future
        can carry is `WorkerLostError`."""

    def recall(self) -> None:
        """Cancels what was submitted and no worker has begun. Nothing is to be submitted later."""

    def shutdown(self, *, abort: bool = False) -> None:
        """Waits for what is in flight; with `abort` ends it first: those futures are cancelled,
        finish with an `aborted` outcome, or fail with `WorkerLostError`. Idempotent."""
