"""Advice: what limited the run, and which options would change that, in one line.

In: the last `Snapshot` and the configuration. Out: the spans of one line. Pure.

The engine accounts each second of the run to what it waited for (`WaitTimes`), and the process reports how
much CPU it used. CPU comes first, since a busy machine makes everything else look slow:

    CPU used up             ──▶ the CPU, and worker processes if cores are idle
    --limit-rate reached    ──▶ --limit-rate, whatever waits for it
    all workers busy        ──▶ timeouts, the network, or the number of workers
    hosts at their limits   ──▶ --per-host, the rate limit, server backoff, or retries
    DNS                     ──▶ DNS lookups
    nothing to read         ──▶ the input
    last requests running   ──▶ the slowest responses

Options are named with what they bring (`remedies.py`), or not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.config.units import format_size
from fetchpool.engine.events import Snapshot, WaitTimes
from fetchpool.progress import remedies
from fetchpool.progress.format import Span, Style, count, counted, duration, percent, size
from fetchpool.progress.remedies import Remedy
from fetchpool.scheduler.autoscale import CEILING

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig

MIN_ELAPSED = 1.0
"""Seconds: a shorter run is mostly start-up, whatever the numbers say."""
CPU_BOUND = 0.9
"""Share of a core (threads), or of all cores (processes), from which CPU is the bottleneck."""
LIMIT_REACHED = 0.8
"""Share of --limit-rate from which it is the bottleneck."""
ONE_CORE = ("thread", "async")
"""The executors whose workers share a core."""
CPU_SHORT = 0.7
"""Share of a core from which more threads, or more transfers in one thread, would need CPU time that is not
available."""


def advice(snapshot: Snapshot, config: RunConfig, *, aborted: bool = False) -> list[Span]:
    """Return the text after "bottleneck: "; its `HINT` spans name options. Empty for a very short run.

    `aborted`: in-flight requests were cancelled with the run.
    """
    waits = snapshot.wait_times
    executor = config.executor
    # Until the run was stopped, without its pauses.
    snapshot = replace(snapshot, elapsed=snapshot.elapsed - waits.stopping - waits.paused)
    if snapshot.elapsed < MIN_ELAPSED:
        return []
    if waits.cpu >= CPU_BOUND * _cores_of(executor, waits) * snapshot.elapsed:
        return _cpu(snapshot, config)
    if waits.stations_cpu >= CPU_BOUND * waits.stations > 0:
        busy = percent(min(waits.stations_cpu / waits.stations, 1.0))
        return [Span(f"CPU of the cluster's workers (busy {busy} of the time); more of them are faster")]
    if remedies.least_time(snapshot, config) >= LIMIT_REACHED * snapshot.elapsed:
        return _limit_rate(snapshot, config)
    hosts = waits.host_limit + waits.rate_limit + waits.backoff + waits.retries
    most = max(waits.workers, hosts, waits.proxy, waits.dns, waits.source, waits.ending, waits.output)
    share = _share(most, snapshot)
    if most == waits.proxy:
        return [Span(f"the proxy, which did not respond ({share} of the time)")]
    if most == waits.output:
        return [Span(f"the reader of standard output (rows waited for it {share} of the time)")]
    if most == waits.dns:
        return [Span(f"DNS lookups (workers waited for them {share} of the time)")]
    if most in (waits.workers, hosts, waits.ending) and (
        shorter := remedies.shorter_timeout(snapshot, config)
    ):
        return [Span("hosts that did not respond, until each attempt timed out"), *_try(shorter)]
    if most == waits.workers:
        return _workers_busy(snapshot, config, share, aborted=aborted)
    if most == hosts:
        return _hosts(snapshot, config)
    if most == waits.source:
        return [Span(f"input (workers were idle {share} of the time)")]
    return _ending(snapshot, config, share)


def _workers_busy(snapshot: Snapshot, config: RunConfig, share: str, *, aborted: bool) -> list[Span]:
    waits, executor = snapshot.wait_times, config.executor
    chosen = not snapshot.workers_reason
    if executor in ONE_CORE and chosen and waits.cpu > CPU_SHORT * snapshot.elapsed:
        return _cpu(snapshot, config)
    if chosen and not aborted and _fetching(snapshot, config.workers) < remedies.FETCHING_BOUND:
        if executor == "process":
            return _around_fetching(snapshot, config.workers)
        if executor == "thread" and config.fetch.parse:
            return _parsing(snapshot, config)
    if config.fd_limited and snapshot.workers >= config.workers:
        return _open_files(config.workers, share)
    return _workers(snapshot, config, share)


def _best(*found: Remedy | None) -> Remedy | None:
    return max((each for each in found if each is not None), key=lambda each: each.factor, default=None)


def _try(remedy: Remedy | None) -> list[Span]:
    """Return `; try -w 40 (about 4 times as fast)`; nothing without a remedy."""
    if remedy is None:
        return []
    return [Span("; try "), Span(" ".join(remedy.options), Style.HINT), Span(f" ({remedy.promise})")]


def _share(seconds: float, snapshot: Snapshot) -> str:
    return percent(min(seconds / snapshot.elapsed, 1.0))


def _cores_of(executor: str, waits: WaitTimes) -> int:
    """Return how many cores the executor can use. Threads share one while they run Python."""
    return waits.cores if executor == "process" else 1


def _cpu(snapshot: Snapshot, config: RunConfig) -> list[Span]:
    waits = snapshot.wait_times
    used = waits.cpu / snapshot.elapsed
    if config.executor == "cluster":
        busy = percent(min(used, 1.0))
        divide = Span("--shard", Style.HINT)
        return [
            Span(f"CPU of this process (busy {busy} of the time); several of them can divide the list: "),
            divide,
        ]
    if waits.cores == 1:
        return [Span(f"CPU (the only core busy {percent(min(used, 1.0))} of the time)")]
    if config.executor == "process" or used >= CPU_BOUND * waits.cores:
        busy = percent(min(used / waits.cores, 1.0))
        return [Span(f"CPU (all {waits.cores} cores busy {busy} of the time)")]
    shared = f"CPU ({used:.1f} of {waits.cores} cores busy; threads share one core for Python code)"
    return [Span(shared), *_try(remedies.all_cores(snapshot, config))]


def _fetching(snapshot: Snapshot, workers: int) -> float:
    """Return the share of the workers' time that was spent fetching."""
    return (snapshot.time_waiting + snapshot.time_receiving) / (workers * snapshot.elapsed)


def _around_fetching(snapshot: Snapshot, workers: int) -> list[Span]:
    # No hint: more processes would only take longer to start.
    share = percent(_fetching(snapshot, workers))
    return [Span(f"process start, communication and parsing (workers spent {share} of the time fetching)")]


def _parsing(snapshot: Snapshot, config: RunConfig) -> list[Span]:
    share = percent(_fetching(snapshot, config.workers))
    more = _best(remedies.more_workers(snapshot, config), remedies.all_cores(snapshot, config))
    return [Span(f"--parse (workers spent {share} of the time fetching)"), *_try(more)]


def _open_files(workers: int, share: str) -> list[Span]:
    limited = counted(workers, "worker")
    return [
        Span(f"limit of open files (allows {limited}, busy {share} of the time); to raise it: "),
        Span("ulimit -Hn", Style.HINT),
    ]


def _workers(snapshot: Snapshot, config: RunConfig, share: str) -> list[Span]:
    if snapshot.workers_reason:
        found = f"workers ({count(snapshot.workers)}, chosen by -w auto: {snapshot.workers_reason})"
        more = remedies.more_workers(snapshot, config) if snapshot.workers_reason == CEILING else None
        return [Span(found), *_try(more)]
    workers = config.workers
    if remedies.is_receiving(snapshot, config):
        receiving = percent(snapshot.time_receiving / (snapshot.time_waiting + snapshot.time_receiving))
        speed = size(snapshot.size_download / snapshot.elapsed)
        more = remedies.more_workers(snapshot, config)
        return [
            Span(f"network or servers ({receiving} of the fetch time was spent receiving bodies, "),
            Span(f"at {speed}/s in total)"),
            *_try(more),
        ]
    busy = "the only one" if workers == 1 else f"all {count(workers)}"
    more = remedies.more_workers(snapshot, config)
    return [Span(f"workers ({busy} busy {share} of the time)"), *_try(more)]


def _limit_rate(snapshot: Snapshot, config: RunConfig) -> list[Span]:
    limit = format_size(config.fetch.limit_rate or 0)
    speed = size(snapshot.size_download / snapshot.elapsed)
    return [Span(f"--limit-rate {limit} (bodies were received at {speed}/s in total)")]


def _hosts(snapshot: Snapshot, config: RunConfig) -> list[Span]:
    waits = snapshot.wait_times
    most = max(waits.host_limit, waits.rate_limit, waits.backoff, waits.retries)
    share = _share(most, snapshot)
    if most == waits.host_limit and config.per_host:
        return [
            Span(f"--per-host {config.per_host} (all hosts at their limit {share} of the time)"),
            *_try(remedies.higher_host_limit(snapshot, config)),
        ]
    if most == waits.retries:
        if not snapshot.retries:
            return [Span(f"hosts that did not respond ({share} of the time)")]
        return [Span(f"delays between attempts ({share} of the time)"), *_try(remedies.no_retries(snapshot))]
    if most == waits.rate_limit and (config.rate or config.host_delay):
        options = [
            name for name, value in (("--rate", config.rate), ("--host-delay", config.host_delay)) if value
        ]
        return [Span(f"{' and '.join(options)} ({share} of the time)")]
    if most == waits.rate_limit and config.robots:
        return [Span(f"Crawl-delay in robots.txt ({share} of the time)")]
    return [Span(f"server backoff: 429, 503 or Retry-After ({share} of the time)")]


def _ending(snapshot: Snapshot, config: RunConfig, share: str) -> list[Span]:
    longest = duration(snapshot.time_max)
    more = None if snapshot.workers_reason else remedies.more_workers(snapshot, config)
    best = _best(remedies.shorter_ending(snapshot, config), more)
    text = f"slowest responses (only the last few in flight {share} of the time, the longest took {longest})"
    return [Span(text), *_try(best)]
