"""The interface between the engine and the pools that fetch.

A pool is `submit(request) -> LightFuture` and `shutdown()`; to the engine all pools are alike, except that an
`InlinePool` can run in the engine's thread. A pool has no policy: it neither retries nor delays.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import Collector, LightFuture


class Pool(Protocol):
    """Runs at most `max_workers` fetches at once."""

    max_workers: int

    @property
    def keeps_spacing(self) -> bool:
        """Whether the pool keeps `FetchRequest.spacing` between the actual starts, so that requests to spaced
        hosts may also wait in it for a worker."""

    @property
    def max_pending(self) -> int:
        """Number of submitted requests that keeps the workers busy: more than `max_workers` where requests
        are sent in batches."""

    @property
    def queued(self) -> int:
        """Number of submitted requests that no worker has started."""

    @property
    def stuck(self) -> int:
        """Number of parsers that timed out and may run forever, since a thread can't be ended."""

    def submit(self, request: FetchRequest, *, alone: bool = False) -> LightFuture:
        """Queue a request, without blocking. `alone`: its worker runs no other request meanwhile, if a crash
        of one worker leaves others alive. Raises `PoolClosedError` after `shutdown()`. The only exception
        that the future can carry is `WorkerLostError`."""

    def resize(self, workers: int) -> None:
        """Set `max_workers`, up to the number that the pool was opened with. Fetches in flight beyond it
        complete. With 0, requests wait until the pool is resized again, or shut down."""

    def space_hops(self, spaced: bool) -> None:
        """With `spaced`, return every redirect, to be scheduled like a request, and start each request at
        once; otherwise follow redirects as the options say."""

    def cancel_pending(self, host: str | None = None) -> None:
        """Cancel the submitted requests for a host that no worker has started. Without a host, cancel those
        for all hosts, and start none until the next `submit()`."""

    def shutdown(self, *, abort: bool = False) -> None:
        """Wait for the fetches in flight; with `abort`, end them first: their futures are cancelled, return
        an `aborted` outcome, or raise `WorkerLostError`. Idempotent. If called in a future's callback, it
        does not wait: the pool closes when the last fetch has ended."""

    def release(self) -> None:
        """Announce that nothing more will be submitted: the pool closes when the last fetch has ended. Takes
        no lock and does not wait, so that a finalizer may call it in any thread."""


@runtime_checkable
class InlinePool(Pool, Protocol):
    """A pool whose loop can run in the caller's thread, without a thread of its own. Futures are then
    completed in the caller's thread."""

    def run_once(self, timeout: float) -> None:
        """Run the pool's loop until a fetch has ended or `wake()` is called, but at most for `timeout`
        seconds. The first call must precede the first submission, or the pool starts its own thread. Nothing
        proceeds between calls, although deadlines pass."""

    def wake(self) -> None:
        """End the current call of `run_once()`, or the next one, at once. Any thread may call it."""


@runtime_checkable
class CollectingPool(InlinePool, Protocol):
    """An inline pool that does without futures."""

    def collect(self, request: FetchRequest, collector: Collector) -> None:
        """Fetch a request, and add its outcome to the collector. Only for the thread that calls
        `run_once()`."""
