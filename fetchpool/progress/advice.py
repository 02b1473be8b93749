"""Advice: what limited the run, and which option would change that, in one line.

In: the last `Snapshot` and the configuration. Out: the spans of one line. Pure.

The engine accounts each second of the run to what it waited for (`WaitTimes`), and the process reports how
much CPU it used. CPU comes first, since a busy machine makes everything else look slow:

    CPU used up             ──▶ the CPU, and another executor where that helps
    all workers busy        ──▶ the network, if their time went into bodies; else the number of workers
    hosts at their limits   ──▶ --per-host, the rate limit, server backoff, or retries
    DNS                     ──▶ DNS lookups
    nothing to read         ──▶ the input
    last requests running   ──▶ the slowest responses
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.engine.events import Snapshot, WaitTimes
from fetchpool.progress.format import Span, Style, count, counted, duration, percent, size

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig

MIN_ELAPSED = 1.0
"""Seconds: of a shorter run, most is start-up, whatever the numbers say."""
CPU_BOUND = 0.9
"""Share of a core (threads), or of all cores (processes), from which CPU is the bottleneck."""
CPU_SHORT = 0.7
"""Share of a core from which more threads, or more transfers in one thread, need CPU that isn't there."""
FETCHING_BOUND = 0.5
"""Share of the workers' time below which they were busy with something other than fetching."""
BODIES_BOUND = 0.7
"""Share of the fetch time spent receiving bodies from which bandwidth is the bottleneck, not workers."""
MORE_WORKERS = 4
"""Factor of a suggested number of workers: a step that shows at once whether more workers help."""
LONG_RESPONSE = 5.0
"""Seconds: a shorter response is not worth a timeout."""


def advice(snapshot: Snapshot, config: RunConfig, *, aborted: bool = False) -> list[Span]:
    """Return the text after "bottleneck: "; its `HINT` spans name options. Empty for a very short run.

    `aborted`: in-flight requests were cancelled with the run.
    """
    waits = snapshot.wait_times
    executor, workers = config.executor, config.workers
    parses = bool(config.fetch.parse)
    snapshot = replace(snapshot, elapsed=snapshot.elapsed - waits.stopping)  # until the run was stopped
    if snapshot.elapsed < MIN_ELAPSED:
        return []
    if waits.cpu >= CPU_BOUND * _cores_of(executor, waits) * snapshot.elapsed:
        return _cpu(snapshot, executor, parses)
    hosts = waits.host_limit + waits.rate_limit + waits.backoff + waits.retries
    most = max(waits.workers, hosts, waits.proxy, waits.dns, waits.source, waits.ending, waits.output)
    share = _share(most, snapshot)
    if most == waits.proxy:
        return [Span(f"the proxy, which did not respond ({share} of the time)")]
    if most == waits.output:
        return [Span(f"the reader of standard output (rows waited for it {share} of the time)")]
    if most == waits.dns:
        return [Span(f"DNS lookups (workers waited for them {share} of the time)")]
    if most == waits.workers:
        chosen = not snapshot.workers_reason
        if executor != "process" and chosen and waits.cpu > CPU_SHORT * snapshot.elapsed:
            return _cpu(snapshot, executor, parses)
        if chosen and not aborted and _fetching(snapshot, workers) < FETCHING_BOUND:
            if executor == "process":
                return _around_fetching(snapshot, workers)
            if executor == "thread" and parses:
                return _parsing(snapshot, workers)
        if config.fd_limited and snapshot.workers >= workers:
            return _open_files(workers, share)
        return _workers(snapshot, config, share)
    if most == hosts:
        return _hosts(snapshot, config)
    if most == waits.source:
        return [Span(f"input (workers were idle {share} of the time)")]
    return _ending(snapshot, share, config.fetch.max_time)


def _share(seconds: float, snapshot: Snapshot) -> str:
    return percent(min(seconds / snapshot.elapsed, 1.0))


def _cores_of(executor: str, waits: WaitTimes) -> int:
    """Return how many cores the executor can use. Threads share one while they run Python."""
    return waits.cores if executor == "process" else 1


def _cpu(snapshot: Snapshot, executor: str, parses: bool) -> list[Span]:
    waits = snapshot.wait_times
    used = waits.cpu / snapshot.elapsed
    if waits.cores == 1:
        return [Span(f"CPU (the only core busy {percent(min(used, 1.0))} of the time)")]
    if executor == "process" or used >= CPU_BOUND * waits.cores:
        busy = percent(min(used / waits.cores, 1.0))
        return [Span(f"CPU (all {waits.cores} cores busy {busy} of the time)")]
    shared = f"CPU ({used:.1f} of {waits.cores} cores busy; threads share one core for Python code); "
    if executor == "thread" and not parses:  # a parser costs the same in every executor
        return [
            Span(shared),
            Span("--executor async", Style.HINT),
            Span(" uses about half the CPU per URL"),
        ]
    return [Span(shared), Span("--executor process", Style.HINT), Span(" uses all cores")]


def _fetching(snapshot: Snapshot, workers: int) -> float:
    """Return the share of the workers' time that was spent fetching."""
    return (snapshot.time_waiting + snapshot.time_receiving) / (workers * snapshot.elapsed)


def _around_fetching(snapshot: Snapshot, workers: int) -> list[Span]:
    # No hint: more processes would only start more slowly.
    share = percent(_fetching(snapshot, workers))
    return [Span(f"process start, communication and parsing (workers spent {share} of the time fetching)")]


def _parsing(snapshot: Snapshot, workers: int) -> list[Span]:
    share = percent(_fetching(snapshot, workers))
    return [
        Span(f"--parse (workers spent {share} of the time fetching); if the parser uses the CPU, try "),
        Span("--executor process", Style.HINT),
    ]


def _open_files(workers: int, share: str) -> list[Span]:
    limited = counted(workers, "worker")
    return [
        Span(f"limit of open files (allows {limited}, busy {share} of the time); to raise it: "),
        Span("ulimit -Hn", Style.HINT),
    ]


def _workers(snapshot: Snapshot, config: RunConfig, share: str) -> list[Span]:
    if snapshot.workers_reason:
        return [Span(f"workers ({count(snapshot.workers)}, chosen by -w auto: {snapshot.workers_reason})")]
    workers = config.workers
    more = [Span("; try "), *_more_workers(config)]
    # Threads wait for the GIL while they receive if there is a parser: that is not the network's time.
    if (config.executor == "process" or not config.fetch.parse) and _on_bodies(snapshot, workers):
        receiving = percent(snapshot.time_receiving / (snapshot.time_waiting + snapshot.time_receiving))
        speed = size(snapshot.size_download / snapshot.elapsed)
        return [
            Span(f"network or servers ({receiving} of the fetch time was spent receiving bodies, "),
            Span(f"at {speed}/s in total)"),
            *more,
        ]
    busy = "the only one" if workers == 1 else f"all {count(workers)}"
    return [Span(f"workers ({busy} busy {share} of the time)"), *more]


def _on_bodies(snapshot: Snapshot, workers: int) -> bool:
    """Whether the workers spent their time receiving bodies."""
    in_all = snapshot.time_waiting + snapshot.time_receiving
    return _fetching(snapshot, workers) >= FETCHING_BOUND and snapshot.time_receiving >= BODIES_BOUND * in_all


def _more_workers(config: RunConfig) -> list[Span]:
    """Return the options that allow more workers."""
    wanted = config.workers * MORE_WORKERS
    if config.auto_workers:
        return [Span(f"--max-workers {wanted}", Style.HINT)]
    more = [Span(f"-w {wanted}", Style.HINT)]
    if config.per_host is not None and config.per_host < wanted:
        more += [Span(" (for a single host also "), Span(f"--per-host {wanted}", Style.HINT), Span(")")]
    return more


def _hosts(snapshot: Snapshot, config: RunConfig) -> list[Span]:
    waits = snapshot.wait_times
    most = max(waits.host_limit, waits.rate_limit, waits.backoff, waits.retries)
    share = _share(most, snapshot)
    if most == waits.host_limit and config.per_host:
        return [
            Span(f"--per-host {config.per_host} (all hosts at their limit {share} of the time); try "),
            Span(f"--per-host {config.per_host * 2}", Style.HINT),
        ]
    if most == waits.retries:
        if not snapshot.retries:
            return [Span(f"hosts that did not respond ({share} of the time)")]
        return [
            Span(f"retry delays ({share} of the time); "),
            Span("--retry 0", Style.HINT),
            Span(" turns retries off"),
        ]
    if most == waits.rate_limit and (config.rate or config.host_delay):
        return [
            Span(f"rate limit ({share} of the time); see "),
            Span("--rate", Style.HINT),
            Span(" and "),
            Span("--host-delay", Style.HINT),
        ]
    if most == waits.rate_limit and config.robots:
        return [Span(f"Crawl-delay in robots.txt ({share} of the time)")]
    return [Span(f"server backoff: 429, 503 or Retry-After ({share} of the time)")]


def _ending(snapshot: Snapshot, share: str, max_time: float) -> list[Span]:
    longest = duration(snapshot.time_max)
    text = f"slowest responses (only the last few in flight {share} of the time, the longest took {longest})"
    sooner = max(round(snapshot.time_p95 * 2), 1)
    if snapshot.time_max < LONG_RESPONSE or sooner >= min(snapshot.time_max, max_time):
        return [Span(text)]
    return [Span(f"{text}; try "), Span(f"--max-time {sooner}s", Style.HINT)]
