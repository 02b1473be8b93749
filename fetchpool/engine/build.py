"""The composition root: builds an engine, with all its parts, from a checked configuration.

In: a `RunConfig`. Out: an `Engine` that is ready to run. The only module that opens every adapter; the
command line and the library both use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.config.outputs import field_types
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.dispatcher import Dispatcher
from fetchpool.engine.engine import Engine
from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.inbox import Inbox
from fetchpool.engine.lifecycle import Lifecycle, Limits
from fetchpool.engine.monitor import Monitor
from fetchpool.engine.observers import Observer, Observers, RecordCounter
from fetchpool.engine.open_source import open_source
from fetchpool.engine.parser_columns import parser_columns
from fetchpool.engine.preflight import Preflight
from fetchpool.engine.reader import RequestReader
from fetchpool.engine.stats import Stats
from fetchpool.engine.steering import Steering
from fetchpool.engine.workers import Workers
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.steering import Pause
from fetchpool.pools.base import Pool
from fetchpool.pools.open import open_pool
from fetchpool.scheduler.autoscale import AutoScaler
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sinks.base import ResumableSink, Sink
from fetchpool.sinks.open import RowOptions, open_sink
from fetchpool.sources.base import Source
from fetchpool.transports.dns import HostLookups
from fetchpool.transports.resolver import Resolver
from fetchpool.transports.resolver import shared as shared_resolver

if TYPE_CHECKING:  # loaded only if needed
    from fetchpool.engine.crawl import Crawl
    from fetchpool.engine.open_crawl import CrawlParts
    from fetchpool.history.refresh import PreviousRun
    from fetchpool.http.cookie_store import CookieJar
    from fetchpool.scheduler.robots import RobotsCache
    from fetchpool.sinks.overwrite import OldOutputs
    from fetchpool.sinks.spool import SpoolDirectory
    from fetchpool.sinks.warc import WarcFile

NO_LIMITS = Limits()


def build(
    config: RunConfig,
    *,
    observers: Sequence[Observer] = (),
    source: Source | None = None,
    sinks: Sequence[Sink] | None = None,
    old: PreviousRun | None = None,
    resolver: Resolver | None = None,
) -> Engine:
    """Return an engine for the configuration's inputs and outputs, or for `source` and `sinks`. `old` is the
    earlier output that `--refresh` names, if the caller has opened it; `resolver` is used in place of the
    process's own.

    Raises `UsageError` if something can't be opened, before anything is fetched.
    """
    if config.executor == "process":
        from fetchpool.pools.process.fork_server import exit_if_spawning

        exit_if_spawning()  # before the child opens an archive that its parent process holds open
    parts: CrawlParts | None = None
    if config.recursive:
        from fetchpool.engine.open_crawl import CrawlParts, start_config

        urls = open_source(start_config(config), source)
        source = urls.source
        parts = CrawlParts(config, source)
    else:
        urls = open_source(config, source, old)
        source = urls.source
    notices = [*config.notices, *source.notices]
    source.notices.clear()
    if urls.old is not None:
        observers = [*observers, RecordCounter(urls.old.count)]
    opened: list[ResumableSink] = []
    spools: list[SpoolDirectory] = []
    archive: WarcFile | None = None
    overwritten: OldOutputs | None = None
    try:
        if config.overwrite and sinks is None:
            from fetchpool.sinks.overwrite import OldOutputs

            overwritten = OldOutputs(
                [*((output.path, output.format) for output in config.outputs), *link_files(config)]
            )
        if sinks is None:
            fields = tuple(dict.fromkeys((*config.extra_fields, *urls.columns)))
            parsed = parser_columns(config)
            notices += () if parsed is None else parsed.notices
            rows = RowOptions(
                extra_fields=fields,
                types=field_types(config.fetch),
                parser_fields=None if parsed is None else parsed.names,
                fields=config.fields,
                single_files=True,
                template=config.write_out,
            )
            opened.extend(open_sink(output.path, output.format, rows=rows) for output in config.outputs)
            sinks = opened
        known = DuplicateFilter(
            dedupe=config.dedupe,
            stored_rows=[sink.stored_rows() for sink in opened] if config.resume else (),
            retry_errors=config.retry_failed,
            memory=config.seen_memory,
            claims=parts is not None,
            has_depths=config.depth is not None,
            shard=config.shard,
        )
        crawl: Crawl | None = None
        if parts is not None:
            parts.open_links(known)
            source = frontier = parts.frontier(known)
            crawl = parts.crawl(frontier, known)
            observers = [*observers, crawl]
        # With a rate limit, a delay or robots.txt rules, every hop has to be scheduled.
        spaced = bool(config.robots or config.rate or config.host_delay)
        jar = open_jar(config)
        fetch = config.fetch if parts is None else parts.fetch_options(config.fetch)
        fetch = replace(fetch, follow_across_hosts=False, follow_within_hosts=not spaced)
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
        if jar is not None:
            fetch = replace(fetch, cookies=(), report_cookies=True)
        most = config.ceiling or (0 if config.workers_by_cluster else config.workers)
        pool = open_pool(
            config.executor,
            most,
            fetch,
            processes=config.processes,
            cluster=config.cluster,
            cluster_wait=config.cluster_wait,
        )
    except BaseException:
        source.close()
        if parts is not None:
            parts.close()
        for each in spools:
            each.close()
        if archive is not None:
            archive.close()
        for sink in opened:
            sink.close()
        if overwritten is not None:
            overwritten.restore()
        raise
    if overwritten is not None:
        overwritten.remove()
    number = config.workers
    if config.cluster is not None:
        from fetchpool.engine import on_cluster

        resolver = resolver or on_cluster.resolver_of(pool)
        number = on_cluster.workers_of(pool, config)
    # A proxy resolves host names itself, and may know names that this machine doesn't; so does libcurl with
    # --dns-servers.
    lookups = None
    if not config.fetch.has_proxy and not config.fetch.dns_servers:
        timeout = min(config.fetch.connect_timeout, config.fetch.max_time)
        fixed = {where.rpartition(":")[0]: () for where, _ in config.fetch.resolve}
        lookups = HostLookups(
            resolver or shared_resolver(config.fetch.ip_version), timeout=timeout, fixed=fixed
        )
    robots = None
    if config.robots:
        from fetchpool.scheduler.robots import RobotsCache

        robots = RobotsCache(config.fetch.user_agent, public_only=config.fetch.public_only)
        if parts is not None:
            parts.mark_disallowed(robots)
    writer = Writer(
        sinks,
        known,
        archive=archive,
        spools=spools,
        resumable=opened,
        jar=jar,
        first=() if parts is None else parts.written_first,
    )
    run_observers = Observers(observers)
    try:
        engine = assemble(
            source,
            pool,
            writer,
            scheduler=Scheduler(
                per_host=config.per_host,
                host_delay=config.host_delay,
                rate=config.rate,
                resolve_hosts=lookups is not None,
                proxied=config.fetch.has_proxy,
            ),
            retry=RetryPolicy(
                retry=config.retry,
                retry_delay=config.retry_delay,
                retry_max_time=config.retry_max_time,
                retry_after_max=config.retry_after_max,
            ),
            lookups=lookups,
            robots=robots,
            limits=Limits(
                run=config.max_runtime, attempt=config.fetch.max_time, failures=config.max_failures
            ),
            workers=Workers(
                pool, AutoScaler(pool.max_workers, monotonic()) if config.auto_workers else None, number
            ),
            observers=run_observers,
            crawl=crawl,
        )
        if config.cluster is not None:
            on_cluster.connect(engine, pool)
        for text in [*notices, *_notices_of(config, opened)]:
            run_observers.notify(text)
        if config.paused:
            engine.steer(Pause(), "by --paused")
    except BaseException:
        source.close()
        pool.shutdown(abort=True)
        writer.close()
        raise
    return engine


def assemble(
    source: Source,
    pool: Pool,
    writer: Writer,
    *,
    scheduler: Scheduler,
    retry: RetryPolicy,
    lookups: HostLookups | None = None,
    robots: RobotsCache | None = None,
    limits: Limits = NO_LIMITS,
    workers: Workers | None = None,
    observers: Observers | None = None,
    crawl: Crawl | None = None,
    clock: Callable[[], float] = monotonic,
) -> Engine:
    """Create and connect the parts of an engine, start the source and notify the observers.
    `crawl`: the crawl, if the source is its frontier."""
    if observers is None:
        observers = Observers()
    inbox = Inbox()
    deadline = None if limits.run is None else clock() + limits.run
    lifecycle = Lifecycle(deadline, limits.failures)
    stats = Stats(clock)
    reader = RequestReader(source, writer.known, stats, crawl)
    in_flight = InFlightRequests(
        pool,
        scheduler,
        retry,
        writer,
        inbox=inbox,
        lifecycle=lifecycle,
        stats=stats,
        observers=observers,
        crawl=crawl,
        clock=clock,
    )
    if crawl is not None:
        crawl.connect(lambda: not in_flight and not scheduler.queued, observers.notify)
    if workers is None:
        workers = Workers(pool)
    steering = Steering(pool, scheduler, in_flight, workers, lifecycle=lifecycle, observers=observers)
    preflight = Preflight(scheduler, lookups, robots, in_flight, crawl)
    dispatcher = Dispatcher(
        reader,
        scheduler,
        preflight,
        in_flight,
        pool,
        writer,
        workers,
        inbox=inbox,
        lifecycle=lifecycle,
        observers=observers,
        clock=clock,
    )
    monitor = Monitor(
        pool,
        scheduler,
        in_flight,
        reader,
        workers,
        steering,
        stats=stats,
        observers=observers,
        max_time=limits.attempt,
        clock=clock,
    )
    engine = Engine(
        pool,
        dispatcher,
        preflight,
        in_flight,
        writer,
        inbox=inbox,
        lifecycle=lifecycle,
        monitor=monitor,
        stats=stats,
        observers=observers,
        steering=steering,
        clock=clock,
    )
    reader.start(inbox.wake)
    if lookups is not None:
        lookups.start(inbox.post)
    monitor.start()
    return engine


def link_files(config: RunConfig) -> tuple[tuple[str, str], ...]:
    """Return the files of `--links`, each with its format."""
    if not config.links:
        return ()
    from fetchpool.sinks.links.open import files_of

    return files_of(config.links)


def open_jar(config: RunConfig) -> CookieJar | None:
    """Return the jar of `--cookie-jar` with the cookies of `--cookie`, or None."""
    if not config.cookie_jar:
        return None
    from fetchpool.http.cookie_store import CookieJar

    return CookieJar(config.cookie_jar, config.fetch.cookies)


def _notices_of(config: RunConfig, opened: Sequence[ResumableSink]) -> list[str]:
    """Return a notice for each output that already has rows."""
    appends = [sink.name for sink in opened if sink.appends]
    if config.resume:
        return [f"resuming from {name}" for name in appends]
    if config.refresh_in_place:
        return []
    return [f"{name} already contains rows; appending (use --resume to skip them)" for name in appends]
