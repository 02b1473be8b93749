"""The composition root: a checked configuration in, an engine that is ready to run out.

The only module that opens every adapter. The command line and the library both come through here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.config.outputs import names_parsers_take
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.engine import Engine
from fetchpool.engine.observers import Observer, RecordCounter
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.pools.open import open_pool
from fetchpool.scheduler.autoscale import AutoScaler
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sinks.base import ResumableSink, Sink
from fetchpool.sinks.open import open_sink
from fetchpool.sources.base import Source
from fetchpool.sources.files import FileSource
from fetchpool.sources.table_rows import TableOptions
from fetchpool.transports.dns import HostLookups
from fetchpool.transports.resolver import Resolver
from fetchpool.transports.resolver import shared as shared_resolver

if TYPE_CHECKING:  # loaded by those who use it
    from fetchpool.history.refresh import PreviousRun
    from fetchpool.sinks.spool import SpoolDirectory
    from fetchpool.sinks.warc import WarcFile


def build(
    config: RunConfig,
    *,
    observers: Sequence[Observer] = (),
    source: Source | None = None,
    sinks: Sequence[Sink] | None = None,
    old: PreviousRun | None = None,
    resolver: Resolver | None = None,
) -> Engine:
    """An engine over the configuration's inputs and outputs, or over those handed in. `old` is the
    configuration's earlier result, for whoever wants to know what has changed; `resolver` is where names
    are looked up, if not with the process's own.

    Raises `UsageError` for what can't be opened; nothing has been fetched then.
    """
    if config.executor == "process":
        from fetchpool.pools.process.fork_server import exit_if_spawning

        exit_if_spawning()  # before it asks for an archive that whoever started it has open
    columns: tuple[str, ...] = ()
    notices = [*config.notices]
    if source is None and (config.inputs or not config.refresh):
        source = inputs = open_inputs(config)
        columns = inputs.columns if config.keep_columns else ()
        notices += inputs.notices
    if config.refresh:
        source, old = _refreshed(config, source, old)
        observers = [*observers, RecordCounter(old.count)]
    assert source is not None
    opened: list[ResumableSink] = []
    spools: list[SpoolDirectory] = []
    archive: WarcFile | None = None
    try:
        if sinks is None:
            fields = tuple(dict.fromkeys((*config.extra_fields, *columns)))
            opened.extend(open_sink(output.path, output.format, fields) for output in config.outputs)
            sinks = opened
        known = DuplicateFilter(
            dedupe=config.dedupe,
            journals=[sink.written() for sink in opened] if config.resume else (),
            again=config.retry_failed,
            memory=config.seen_memory,
        )
        # Where starts are spaced, or asked for one by one, every hop is a start.
        spaced = bool(config.robots or config.rate or config.host_delay)
        fetch = replace(config.fetch, follow_across_hosts=False, follow_within_hosts=not spaced)
        if fetch.save:
            from fetchpool.sinks.spool import open_spool

            spools.append(spool := open_spool("--save", fetch.save, "save"))
            fetch = replace(fetch, save_spool=spool.path)
        if config.warc:
            from fetchpool.sinks.spool import open_spool
            from fetchpool.sinks.warc import WarcFile

            archive = WarcFile(config.warc, config.warc_max_size)
            spools.append(spool := open_spool("--warc", str(Path(config.warc).parent), "warc"))
            fetch = replace(fetch, warc_spool=spool.path)
        pool = open_pool(config.executor, config.workers, fetch)
    except BaseException:
        source.close()
        for each in spools:
            each.close()
        if archive is not None:
            archive.close()
        for sink in opened:
            sink.close()
        raise
    # A proxy looks names up itself, it may know others than we do; so does libcurl when it is told
    # whom to ask.
    names = None
    if config.fetch.proxy is None and not config.fetch.dns_servers:
        timeout = min(config.fetch.connect_timeout, config.fetch.max_time)
        fixed = {where.rpartition(":")[0]: () for where, _ in config.fetch.resolve}
        names = HostLookups(resolver or shared_resolver(), timeout=timeout, fixed=fixed)
    robots = None
    if config.robots:
        from fetchpool.scheduler.robots import RobotsCache

        robots = RobotsCache(config.fetch.user_agent, public_only=config.fetch.public_only)
    is_sought = config.auto_workers and config.executor != "process"
    writer = Writer(sinks, known, archive=archive, spools=spools, journals=opened)
    try:
        return Engine(
            source,
            pool,
            writer,
            scheduler=Scheduler(
                per_host=config.per_host,
                host_delay=config.host_delay,
                rate=config.rate,
                ask_hosts=names is not None,
                proxied=config.fetch.proxy is not None,
            ),
            known=known,
            names=names,
            robots=robots,
            max_runtime=config.max_runtime,
            concurrency=AutoScaler(config.workers, monotonic()) if is_sought else None,
            retry=RetryPolicy(
                retry=config.retry,
                retry_delay=config.retry_delay,
                retry_max_time=config.retry_max_time,
                retry_after_max=config.retry_after_max,
            ),
            observers=observers,
            notices=[*notices, *_there_already(config, opened)],
        )
    except BaseException:
        source.close()
        pool.shutdown(abort=True)
        writer.close()
        raise


def _refreshed(
    config: RunConfig, source: Source | None, old: PreviousRun | None
) -> tuple[Source, PreviousRun]:
    """The source, with what an earlier result knows."""
    from fetchpool.history.refresh import PreviousRun, RefreshSource

    try:
        old = old or PreviousRun(config.refresh)
    except BaseException:
        if source is not None:
            source.close()
        raise
    return RefreshSource(old, source), old


def open_source(config: RunConfig) -> Source:
    """What is to be fetched. Raises `UsageError`."""
    source = open_inputs(config) if config.inputs or not config.refresh else None
    if config.refresh:
        return _refreshed(config, source, None)[0]
    assert source is not None
    return source


def open_inputs(config: RunConfig) -> FileSource:
    """The configuration's inputs. Raises `InputError`."""
    table = None
    if config.url_column is not None:
        taken = names_parsers_take(config.fetch.parse)
        table = TableOptions(config.url_column, config.keep_columns, taken)
    return FileSource(config.inputs, table)


def _there_already(config: RunConfig, opened: Sequence[ResumableSink]) -> list[str]:
    """What the person should know of outputs that have rows."""
    appends = [sink.name for sink in opened if sink.appends]
    if config.resume:
        return [f"reading back {name}" for name in appends]
    if config.refresh_in_place:
        return []
    return [f"{name} has rows already; --resume would skip what is there" for name in appends]
