"""Remedies: options that would make a run faster, and by how much.

In: the last `Snapshot` and the configuration. Out: a `Remedy`, or None if nothing is known to help. Pure.

Each estimate is the minimum time of a second run: the time that the option does not change, the time that it
shortens, and its cost. An option with little gain is not a remedy.
"""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING

from msgspec import Struct

from fetchpool.engine.events import Snapshot

if TYPE_CHECKING:  # loaded by the caller already
    from fetchpool.config.run_config import RunConfig

WORTHWHILE = 1.3
"""The speed-up from which an option is worth trying."""
MORE_WORKERS = 4
"""Factor by which more workers are suggested: a step that shows at once whether more workers help."""
MORE_PER_HOST = 2
MANY_THREADS = 64
"""Threads beyond which the async executor is suggested: it needs no thread for a fetch."""
MAX_WORKERS = 10_000
CPU_SHARE = 0.7
"""The share of a core that one thread of Python code can use while other threads compete for it."""
MOST_PROMISED = 5.0
"""The highest factor that is promised; a higher one would depend on times too short to estimate."""
OVERHEAD = 1.1
START = 0.1
"""Seconds that a run takes at least, whatever its concurrency."""
MORE_CPU = 0.3
"""Seconds lost for each CPU second of the first run, in which work was done while waiting for fetches."""
SPARE_SHARE = 0.85
"""The share of idle cores that worker processes can use."""
PROCESS_START = 0.5
"""Seconds until all worker processes are running."""
INITIAL_WINDOW = 14_600
"""Bytes that a server sends before the first acknowledgement (RFC 6928); then twice as many each time."""
HOST_PAUSE = 5.0
"""Seconds for which a host is paused after several attempts without a response (`scheduler/host.py`)."""
FETCHING_BOUND = 0.5
"""Share of the workers' time below which they were busy with something other than fetching."""
BODIES_BOUND = 0.7
"""Share of the fetch time spent receiving bodies from which bandwidth may be the bottleneck."""
LONG_RESPONSE = 5.0
"""Seconds: a shorter response is not worth a timeout."""
TIMEOUT_OPTIONS = (
    ("timeout_connect", "connect_timeout", "--connect-timeout"),
    ("timeout_read", "read_timeout", "--read-timeout"),
    ("timeout_total", "max_time", "--max-time"),
)


class Remedy(Struct, frozen=True):
    """Options to add, and the speed-up that they promise."""

    options: tuple[str, ...]
    factor: float

    @property
    def promise(self) -> str:
        """`about 1.6 times as fast`, rounded down."""
        return f"about {int(self.factor * 10) / 10:g} times as fast"


def remedy(options: tuple[str, ...], elapsed: float, predicted: float) -> Remedy | None:
    """Return the remedy that takes a run from `elapsed` to `predicted` seconds, if that is worthwhile."""
    factor = min(elapsed / (predicted * OVERHEAD + START), MOST_PROMISED)
    return Remedy(options, factor) if factor >= WORTHWHILE else None


def more_workers(snapshot: Snapshot, config: RunConfig) -> Remedy | None:
    """Return more workers, with what they need: a higher limit per host, another executor."""
    waits = snapshot.wait_times
    workers = snapshot.workers if snapshot.workers_reason else config.workers
    urls = max(snapshot.done, snapshot.total or 0) - snapshot.done_before
    wanted = min(workers * MORE_WORKERS, urls, MAX_WORKERS)
    if wanted <= workers or is_limited_by_bandwidth(snapshot, config):
        return None
    options: tuple[str, ...] = (f"--max-workers {wanted}" if config.auto_workers else f"-w {wanted}",)
    needs_per_host = ceil(wanted / max(snapshot.hosts_at_once, 1))
    if config.per_host is not None and config.per_host < needs_per_host:
        options = (*options, f"--per-host {needs_per_host}")
    if config.executor == "thread" and wanted > MANY_THREADS and _may_be_async(config):
        options = ("--executor async", *options)
    cores = waits.cores if config.executor == "process" else CPU_SHARE
    fetching = waits.workers + waits.ending
    # In rounds, of which the last takes as long as the others.
    shortened = fetching * ceil(urls / wanted) / ceil(urls / workers)
    rest = snapshot.elapsed - waits.workers - waits.ending
    busy = waits.cpu * MORE_CPU
    predicted = max(rest + max(shortened, snapshot.time_max) + busy, waits.cpu / cores)
    return remedy(options, snapshot.elapsed, max(predicted, least_time(snapshot, config)))


def _may_be_async(config: RunConfig) -> bool:
    return config.fetch.transport == "curl" and not config.fetch.has_slow_parsers


def higher_host_limit(snapshot: Snapshot, config: RunConfig) -> Remedy | None:
    """Return more fetches per host."""
    per_host = (config.per_host or 0) * MORE_PER_HOST
    options: tuple[str, ...] = (f"--per-host {per_host}",)
    if per_host > config.workers:
        options = (*options, f"-w {per_host}")
    waits = snapshot.wait_times
    saved = waits.host_limit * (1 - 1 / MORE_PER_HOST)
    cores = waits.cores if config.executor == "process" else CPU_SHARE
    predicted = max(snapshot.elapsed - saved, snapshot.time_max, waits.cpu / cores)
    return remedy(options, snapshot.elapsed, max(predicted, least_time(snapshot, config)))


def all_cores(snapshot: Snapshot, config: RunConfig) -> Remedy | None:
    """Return worker processes, if the machine has cores to spare."""
    waits = snapshot.wait_times
    used = waits.cpu / snapshot.elapsed
    if config.executor in ("process", "cluster") or waits.idle is None or used <= 0:
        return None
    spare = max(min(waits.idle / snapshot.elapsed, waits.cores - used), 0.0)
    predicted = PROCESS_START + snapshot.elapsed * used / (used + SPARE_SHARE * spare)
    return remedy(("--executor process",), snapshot.elapsed, max(predicted, least_time(snapshot, config)))


def shorter_timeout(snapshot: Snapshot, config: RunConfig) -> Remedy | None:
    """Return a shorter timeout, if most of the fetch time went into timeouts. It would not have cut off any
    response that arrived."""
    spent = dict(snapshot.time_in_timeouts)
    if sum(spent.values()) < 0.5 * (snapshot.time_waiting + snapshot.time_receiving):
        return None
    kind, field, option = max(TIMEOUT_OPTIONS, key=lambda each: spent.get(each[0], 0.0))
    limit: float = getattr(config.fetch, field)
    sooner = max(ceil(1.5 * snapshot.time_longest_response), 1)
    if not spent.get(kind) or sooner >= limit:
        return None
    pauses = config.retry_delay * (2**config.retry - 1)
    if snapshot.wait_times.retries > HOST_PAUSE / 2:
        pauses += HOST_PAUSE
    return remedy((f"{option} {sooner}s",), snapshot.elapsed, snapshot.elapsed * sooner / limit + pauses)


def shorter_ending(snapshot: Snapshot, config: RunConfig) -> Remedy | None:
    """Return a time limit for the slowest responses."""
    limit = config.fetch.max_time
    sooner = max(round(snapshot.time_p95 * 2), 1)
    if snapshot.time_max < LONG_RESPONSE or sooner >= min(snapshot.time_max, limit):
        return None
    ending = snapshot.wait_times.ending + snapshot.wait_times.retries
    tail = sooner * (config.retry + 1) + config.retry_delay * (2**config.retry - 1)
    options: tuple[str, ...] = (f"--max-time {sooner}s",)
    if tail > ending / 2 and config.retry:
        tail, options = float(sooner), (*options, "--retry 0")
    return remedy(options, snapshot.elapsed, snapshot.elapsed - ending + min(tail, ending))


def no_retries(snapshot: Snapshot) -> Remedy | None:
    """Return a run without retries."""
    return remedy(("--retry 0",), snapshot.elapsed, snapshot.elapsed - snapshot.wait_times.retries)


def least_time(snapshot: Snapshot, config: RunConfig) -> float:
    """Return the seconds that the bodies take at --limit-rate; 0 without a limit."""
    limit = config.fetch.limit_rate
    return 0.0 if limit is None else snapshot.size_download / limit


def is_limited_by_bandwidth(snapshot: Snapshot, config: RunConfig) -> bool:
    """Whether more concurrent fetches would only share the bandwidth of the network or the servers."""
    return is_receiving(snapshot, config) and not is_far(snapshot)


def is_receiving(snapshot: Snapshot, config: RunConfig) -> bool:
    """Whether the workers spent most of their time receiving bodies."""
    if config.executor != "process" and config.fetch.parse:
        return False  # threads wait for the GIL while they receive; this time is not spent on the network
    in_all = snapshot.time_waiting + snapshot.time_receiving
    mostly = in_all >= FETCHING_BOUND * config.workers * snapshot.elapsed
    return mostly and snapshot.time_receiving >= BODIES_BOUND * in_all


def is_far(snapshot: Snapshot) -> bool:
    """Whether the distance to the servers explains the time spent receiving: about as many round trips as
    TCP's slow start takes. If not, bandwidth or the servers limit it, and more concurrent fetches gain
    nothing."""
    rows = max(snapshot.done - snapshot.done_before, 1)
    rounds = 2 + log2(1 + snapshot.size_download / rows / INITIAL_WINDOW)
    return snapshot.time_receiving <= snapshot.time_waiting * rounds
