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
    window: int
    """Submissions it likes to hold: more than `workers` where they are handed on in batches."""

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        """Never blocks. Raises `PoolClosedError` after `shutdown()`. The only exception the future
        can carry is `WorkerLostError`."""

    def shutdown(self, *, abort: bool = False) -> None:
        """Waits for what is in flight; with `abort` ends it first: those futures are cancelled,
        finish with an `aborted` outcome, or fail with `WorkerLostError`. Idempotent."""
