"""Opens the pool of an executor; only the chosen module is imported."""

from __future__ import annotations

from fetchpool.config.choices import EXECUTORS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.pools.base import Pool


def open_pool(executor: str, max_workers: int, options: FetchOptions) -> Pool:
    """Return a running pool. Raises `UsageError` for an unknown name, or a parser that the workers can't
    load."""
    if executor == "thread":
        from fetchpool.pools.thread import ThreadPool

        return ThreadPool(max_workers, options)
    if executor == "process":
        from fetchpool.pools.process.pool import ProcessPool

        return ProcessPool(max_workers, options)
    if executor == "async":
        from fetchpool.pools.async_.pool import AsyncPool

        return AsyncPool(max_workers, options)
    raise UsageError(f"no executor {executor!r}; there are: {', '.join(EXECUTORS)}")
