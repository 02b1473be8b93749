"""The seam between the engine and those who do the work.

A pool is `submit(request) -> Future[Outcome]` and `shutdown()`; the engine can't tell one from
another. A pool holds no policy: it neither retries nor waits for a host's turn.
"""

from __future__ import annotations

from concurrent.futures import Future
from typing import Protocol

from fetchpool.model import FetchRequest, Outcome


class WorkerLostError(Exception):
    """The worker died under the request (killed, out of memory): it may be submitted again.
    The only exception a pool's future carries."""


class WorkerPool(Protocol):
    """At most `workers` fetches at once."""

    workers: int

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        """Never blocks. Raises `PoolClosedError` after `shutdown()`."""

    def shutdown(self, *, abort: bool = False) -> None:
        """Waits for what is in flight; with `abort` ends it first: those futures are cancelled or
        finish with an `aborted` outcome. Idempotent."""
