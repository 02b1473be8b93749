"""Opens a pool by its executor's name; only the chosen one is imported."""

from __future__ import annotations

from fetchpool.config.choices import EXECUTORS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.pools.base import WorkerPool


def open_pool(executor: str, workers: int, options: FetchOptions) -> WorkerPool:
    """A running pool. Raises `UsageError` for an unknown name, or what the workers can't load."""
    if executor == "thread":
        from fetchpool.pools.thread import ThreadPool

        return ThreadPool(workers, options)
    if executor == "process":
        from fetchpool.pools.process.pool import ProcessPool

        return ProcessPool(workers, options)
    if executor == "async":
        from fetchpool.pools.async_.pool import AsyncPool

        return AsyncPool(workers, options)
    raise UsageError(f"no executor {executor!r}; there are: {', '.join(EXECUTORS)}")
