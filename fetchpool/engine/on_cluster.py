"""The parts of the engine that only a run on a cluster needs: its resolver, its number of workers, and its
notices. In: the open pool. Imported only with `--executor cluster`.
"""

from __future__ import annotations

from typing import cast

from fetchpool.config.run_config import RunConfig
from fetchpool.engine.engine import Engine
from fetchpool.pools.base import Pool
from fetchpool.pools.cluster.pool import ClusterPool
from fetchpool.transports.resolver import Resolver


def resolver_of(pool: Pool) -> Resolver:
    """Return the resolver of the stations, which has the methods that the engine's lookups call."""
    assert isinstance(pool, ClusterPool)
    return cast("Resolver", pool.resolver)


def workers_of(pool: Pool, config: RunConfig) -> int:
    """Return the maximum number of concurrent fetches; by default a fixed number for each worker present."""
    assert isinstance(pool, ClusterPool)
    return min(pool.default_workers, pool.max_workers) if config.workers_by_cluster else config.workers


def connect(engine: Engine, pool: Pool) -> None:
    """Make the pool notify its engine."""
    assert isinstance(pool, ClusterPool)
    pool.notify, pool.on_lost = engine.notify, engine.lose_pool
    engine.measure_stations(pool.stations_cpu)
