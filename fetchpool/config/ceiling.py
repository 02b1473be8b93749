"""The ceiling of a run that can be steered: the maximum number of workers that can be set while it runs.

In: the configuration. Out: the same with a `ceiling`, for which the pool is opened. Threads and connections
are only created when needed, so a high ceiling costs nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from fetchpool.config import machine
from fetchpool.config.configure import AUTO_CEILING
from fetchpool.config.run_config import RunConfig


def with_ceiling(config: RunConfig) -> RunConfig:
    """Return the configuration with a ceiling: `--max-workers`, or `AUTO_CEILING`, as far as the limit of
    open files allows without closing connections early."""
    if config.auto_workers or config.fetch.few_descriptors:  # `workers` is the ceiling
        return config
    wanted = max(config.max_workers or AUTO_CEILING, config.workers)
    if config.cluster is not None:  # each station limits its own
        return replace(config, ceiling=wanted)
    fit = machine.workers_with_kept_connections(
        wanted, config.executor, config.fetch.transport, config.processes or 1
    )
    return replace(config, ceiling=max(fit, config.workers))
