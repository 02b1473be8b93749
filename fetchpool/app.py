"""The composition root: a checked configuration in, an engine that is ready to run out.

The only room that knows every adapter's door. The command line and the library both come through here.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from fetchpool import resolver
from fetchpool.config import RunConfig
from fetchpool.engine import Engine
from fetchpool.names import Names
from fetchpool.observe.events import Observer
from fetchpool.pools import open_pool
from fetchpool.retry import RetryPolicy
from fetchpool.scheduler import Scheduler
from fetchpool.sinks import open_sink
from fetchpool.sinks.base import Sink
from fetchpool.sources.base import Source
from fetchpool.sources.files import FileSource


def build(
    config: RunConfig,
    *,
    observers: Sequence[Observer] = (),
    source: Source | None = None,
    sinks: Sequence[Sink] | None = None,
) -> Engine:
    """An engine over the configuration's inputs and outputs, or over those handed in.

    Raises `UsageError` for what can't be opened; nothing has been fetched then.
    """
    source = source if source is not None else FileSource(config.inputs)
    opened: list[Sink] = []
    try:
        if sinks is None:
            opened.extend(open_sink(output.path, output.format) for output in config.outputs)
            sinks = opened
        pool = open_pool(config.executor, config.workers, replace(config.fetch, follow_across_hosts=False))
    except BaseException:
        source.close()
        for sink in opened:
            sink.close()
        raise
    # A proxy looks names up itself, it may know others than we do; so does libcurl when it is told
    # whom to ask.
    names = None
    if config.fetch.proxy is None and not config.fetch.dns_servers:
        timeout = min(config.fetch.connect_timeout, config.fetch.max_time)
        fixed = {where.rpartition(":")[0]: () for where, _ in config.fetch.resolve}
        names = Names(resolver.shared(), timeout=timeout, fixed=fixed)
    robots = None
    if config.robots:
        from fetchpool.robots import Robots

        robots = Robots(config.fetch.user_agent)
    return Engine(
        source,
        pool,
        sinks,
        scheduler=Scheduler(
            per_host=config.per_host,
            host_delay=config.host_delay,
            rate=config.rate,
            ask_hosts=names is not None,
        ),
        names=names,
        robots=robots,
        max_runtime=config.max_runtime,
        retry=RetryPolicy(
            retry=config.retry,
            retry_delay=config.retry_delay,
            retry_max_time=config.retry_max_time,
            retry_after_max=config.retry_after_max,
        ),
        observers=observers,
        notices=config.notices,
    )
