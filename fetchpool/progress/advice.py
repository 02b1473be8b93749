"""What held a run back, and which flag would change it: one line of advice from the numbers.

In: the last `Snapshot` and the settings in question. Out: the spans of one line. Pure.

The engine says for every second what it waited for (`WaitTimes`), and the process how much CPU it
used. CPU comes first, since a busy machine makes everything else look slow:

    CPU used up         ──▶ the CPU, and another executor where that helps
    all workers busy    ──▶ the network, when their time went into bodies; else the workers
    hosts' turns        ──▶ the limit per host, the pace, hosts that asked for a pause, or what failed
    hosts' names        ──▶ the name servers
    nothing to read     ──▶ the input
    only the last left  ──▶ the slowest answers
"""

from __future__ import annotations

from msgspec.structs import replace

from fetchpool.engine.events import Snapshot, WaitTimes
from fetchpool.progress.format import Span, Style, count, counted, duration, percent, size

WORTH_ADVICE = 1.0
"""Seconds: of a shorter run, most is starting up, whatever the numbers say."""
CPU_BOUND = 0.9
"""Share of a core (threads), or of all (processes), from which it is the CPU that is short."""
CPU_SHORT = 0.7
"""Share of a core from which more threads, or transfers in one thread, are more CPU that isn't there."""
FETCHING_BOUND = 0.5
"""Share of the workers' time below which fetching isn't what they were busy with."""
BODIES_BOUND = 0.7
"""Share of the workers' time spent receiving bodies from which bandwidth is short, not workers."""
MORE_WORKERS = 4
"""A step that shows at once whether more workers help."""
LONG_ANSWER = 5.0
"""Seconds: an answer shorter than this is nothing to cut short."""


def held_back(
    snapshot: Snapshot,
    *,
    workers: int,
    executor: str,
    per_host: int | None,
    paced: bool = False,
    robots: bool = False,
    max_time: float | None = None,
    parses: bool = False,
    aborted: bool = False,
    auto: bool = False,
    fd_limited: bool = False,
) -> list[Span]:
    """The line after "held back by: "; its `HINT` span, where it has one, names a flag. Empty for a run
    too short to say. `max_time`: the seconds an attempt may take now; `parses`: there is a parser;
    `aborted`: what was in flight was ended with the run; `auto`: `-w auto`; `fd_limited`: there are
    fewer workers than were wanted, since the system allows no more open files."""
    limits = snapshot.limits
    snapshot = replace(snapshot, elapsed=snapshot.elapsed - limits.stopping)  # what held it until then
    if snapshot.elapsed < WORTH_ADVICE:
        return []
    if limits.cpu >= CPU_BOUND * _cores_of(executor, limits) * snapshot.elapsed:
        return _cpu(snapshot, executor, parses)
    hosts = limits.turns + limits.pace + limits.pauses + limits.retries
    most = max(limits.workers, hosts, limits.names, limits.source, limits.ending)
    share = _share(most, snapshot)
    if most == limits.names:
        return [Span(f"the name servers (for {share} of the time hosts were being looked up)")]
    if most == limits.workers:
        chosen = not snapshot.workers_reason
        if executor != "process" and chosen and _near_a_core(limits, snapshot.elapsed):
            return _cpu(snapshot, executor, parses)
        if chosen and not aborted and _fetching(snapshot, workers) < FETCHING_BOUND:
            if executor == "process":
                return _around_fetching(snapshot, workers)
            if executor == "thread" and parses:
                return _parsing(snapshot, workers)
        if fd_limited and snapshot.workers >= workers:
            return _files(workers, share)
        # Beside a parser, threads wait for the interpreter while they receive: that is no network's time.
        on_bodies = (executor == "process" or not parses) and _on_bodies(snapshot, workers)
        more = _more_processes(workers, limits.cores) if auto else _more(workers, per_host)
        return _workers(snapshot, workers, more, share, on_bodies=on_bodies)
    if most == hosts:
        return _hosts(snapshot, per_host, paced=paced, robots=robots)
    if most == limits.source:
        return [Span(f"the input (for {share} of the time the workers waited for it to say more)")]
    return _ending(snapshot, share, max_time)


def _share(seconds: float, snapshot: Snapshot) -> str:
    return percent(min(seconds / snapshot.elapsed, 1.0))


def _cores_of(executor: str, limits: WaitTimes) -> int:
    """Cores that the executor can make use of. Threads share one as long as they run Python."""
    return limits.cores if executor == "process" else 1


def _cpu(snapshot: Snapshot, executor: str, parses: bool) -> list[Span]:
    limits = snapshot.limits
    used = limits.cpu / snapshot.elapsed
    if limits.cores == 1:
        return [Span(f"this machine's CPU (its one core was busy {percent(min(used, 1.0))} of the time)")]
    if executor == "process" or used >= CPU_BOUND * limits.cores:
        busy = percent(min(used / limits.cores, 1.0))
        return [Span(f"this machine's CPU (all its {limits.cores} cores were busy {busy} of the time)")]
    shared = f"this machine's CPU ({used:.1f} of {limits.cores} cores busy; threads share one for Python); "
    if executor == "thread" and not parses:  # a parser costs the same wherever it runs
        return [Span(shared), Span("--executor async", Style.HINT), Span(" needs half as much for a URL")]
    return [Span(shared), Span("--executor process", Style.HINT), Span(" uses them all")]


def _near_a_core(limits: WaitTimes, elapsed: float) -> bool:
    return limits.cpu > CPU_SHORT * elapsed


def _fetching(snapshot: Snapshot, workers: int) -> float:
    """Share of the workers' time in which something was being fetched."""
    return (snapshot.time_waiting + snapshot.time_receiving) / (workers * snapshot.elapsed)


def _around_fetching(snapshot: Snapshot, workers: int) -> list[Span]:
    """More processes would only start more slowly."""
    share = percent(_fetching(snapshot, workers))
    return [
        Span("starting the processes, handing over to them and what they do with a page "),
        Span(f"(fetching took {share} of their time)"),
    ]


def _parsing(snapshot: Snapshot, workers: int) -> list[Span]:
    share = percent(_fetching(snapshot, workers))
    return [
        Span(f"what --parse does with a page (fetching took {share} of the workers' time); if it computes: "),
        Span("--executor process", Style.HINT),
    ]


def _on_bodies(snapshot: Snapshot, workers: int) -> bool:
    """Whether the workers spent their time on bodies."""
    in_all = snapshot.time_waiting + snapshot.time_receiving
    return _fetching(snapshot, workers) >= FETCHING_BOUND and snapshot.time_receiving >= BODIES_BOUND * in_all


def _more(workers: int, per_host: int | None) -> list[Span]:
    """What lets there be more workers."""
    wanted = workers * MORE_WORKERS
    more = [Span(f"-w {wanted}", Style.HINT)]
    if per_host is not None and per_host < wanted:
        more += [Span(" (if most is on one host: "), Span(f"--per-host {wanted}", Style.HINT), Span(" too)")]
    return more


def _more_processes(workers: int, cores: int) -> list[Span]:
    """With `-w auto`, that is one for each core, or fewer."""
    if workers < cores:
        return [Span(f"--max-workers {cores}", Style.HINT)]
    return [Span("--executor async", Style.HINT), Span(" (one process for each core is all of -w auto)")]


def _files(workers: int, share: str) -> list[Span]:
    room = counted(workers, "worker")
    return [
        Span(f"the limit of open files (it leaves room for {room}, busy {share} of the time); to raise it: "),
        Span("ulimit -Hn", Style.HINT),
    ]


def _workers(
    snapshot: Snapshot, workers: int, more: list[Span], share: str, *, on_bodies: bool
) -> list[Span]:
    if snapshot.workers_reason:
        found = f"{count(snapshot.workers)} at once, found by -w auto: {snapshot.workers_reason}"
        return [Span(f"the workers ({found})")]
    busy = f"the one worker was busy {share}" if workers == 1 else f"all {count(workers)} were busy {share}"
    if on_bodies:
        receiving = percent(snapshot.time_receiving / (snapshot.time_waiting + snapshot.time_receiving))
        speed = size(snapshot.size_download / snapshot.elapsed)
        return [
            Span(f"the network or the servers ({receiving} of the time that fetches took went into "),
            Span(f"receiving bodies, at {speed}/s in all); if there is more to be had: "),
            *more,
        ]
    return [Span(f"the workers ({busy} of the time); more at once: "), *more]


def _hosts(snapshot: Snapshot, per_host: int | None, *, paced: bool, robots: bool) -> list[Span]:
    limits = snapshot.limits
    most = max(limits.turns, limits.pace, limits.pauses, limits.retries)
    share = _share(most, snapshot)
    if most == limits.turns and per_host is not None:
        return [
            Span(f"the limit of {per_host} at once per host ({share} of the time workers were free but "),
            Span("every host had its share); if the hosts can take it: "),
            Span(f"--per-host {per_host * 2}", Style.HINT),
        ]
    if most == limits.retries:
        waits = f"waits before what failed is tried again: {share} of the time"
        if not snapshot.retries:
            return [Span(waits)]
        return [Span(f"{waits}; "), Span("--retry 0", Style.HINT), Span(" gives up at once")]
    if most == limits.pace and paced:
        return [
            Span(f"the pace that was asked for ({share} of the time); "),
            Span("--rate", Style.HINT),
            Span(" and "),
            Span("--host-delay", Style.HINT),
            Span(" set it"),
        ]
    why = "their robots.txt's Crawl-delay" if most == limits.pace and robots else "429, 503 or Retry-After"
    return [Span(f"hosts that asked for a pause ({why}): {share} of the time")]


def _ending(snapshot: Snapshot, share: str, max_time: float | None) -> list[Span]:
    longest = duration(snapshot.time_max)
    awaited = f"the slowest answers (for {share} of the time only the last few were awaited; "
    sooner = max(round(snapshot.time_p95 * 2), 1)
    helps = sooner < snapshot.time_max and (max_time is None or sooner < max_time)
    if snapshot.time_max < LONG_ANSWER or not helps:
        return [Span(f"{awaited}the longest took {longest})")]
    return [
        Span(f"{awaited}the longest took {longest}); to give up sooner: "),
        Span(f"--max-time {sooner}s", Style.HINT),
    ]
