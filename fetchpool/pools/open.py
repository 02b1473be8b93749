"""Opens the pool of an executor. Imports only the chosen module."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from fetchpool.config.choices import EXECUTORS
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.machine import usable_cores
from fetchpool.model.errors import UsageError
from fetchpool.pools.base import Pool

if TYPE_CHECKING:  # loaded only with the executor
    from fetchpool.config.cluster_options import ClusterTarget


def open_pool(
    executor: str,
    max_workers: int,
    options: FetchOptions,
    *,
    processes: int | None = None,
    cluster: ClusterTarget | None = None,
    cluster_wait: float = 0.0,
) -> Pool:
    """Return a running pool. `processes`: the number for the process pool, by default one per core.
    `cluster`: for the cluster pool, with the time that it waits for a worker. Raises `UsageError` for an
    unknown name, a parser that the workers can't load, or a cluster that can't be used."""
    if executor == "thread":
        from fetchpool.pools.thread import ThreadPool

        return ThreadPool(max_workers, options)
    if executor == "process":
        gevent = sys.modules.get("gevent.monkey")
        if gevent is not None and gevent.is_module_patched("threading"):
            raise UsageError(
                "--executor process: worker processes don't start in a program that gevent has patched; use "
                "--executor async"
            )
        from fetchpool.pools.process.pool import ProcessPool

        count = min(max_workers, processes or usable_cores())
        return ProcessPool(max_workers, options, count)
    if executor == "async":
        from fetchpool.pools.async_.pool import AsyncPool

        return AsyncPool(max_workers, options)
    if executor == "cluster" and cluster is not None:
        from fetchpool.pools.cluster.dask_cluster import open_cluster
        from fetchpool.pools.cluster.pool import ClusterPool

        return ClusterPool(max_workers, options, open_cluster(cluster), wait=cluster_wait)
    raise UsageError(f"no executor {executor!r}; the executors are: {', '.join(EXECUTORS)}")
