"""Options of the group "Speed": how much is fetched at once, in all and per host."""

from __future__ import annotations

from fetchpool.config import param_types as types
from fetchpool.config.choices import EXECUTORS, TRANSPORTS
from fetchpool.config.option import Option, Scope, Settable

OPTIONS: tuple[Option, ...] = (
    Option(
        "number",
        "-n --number N",
        types.COUNT,
        "Number of URLs to fetch.",
        Scope.FLAG,
        settable=Settable.TYPED,
    ),
    Option(
        "workers",
        "-w --workers N",
        types.WORKERS,
        "Maximum number of concurrent fetches, or 'auto' to adapt it during the run. With --executor "
        "cluster, the total of all workers, by default 100 per worker.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "max_workers",
        "--max-workers N",
        types.MAX_WORKERS,
        "Upper limit of the workers, for -w auto and for changes during the run. (default: 1000)",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "executor",
        "--executor NAME",
        types.one_of(EXECUTORS),
        "Worker type: thread, async (one event loop), process (an event loop in each of several "
        "processes; uses all cores, also for --parse), or cluster (worker processes on other machines).",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
    Option(
        "processes",
        "--processes N",
        types.PROCESSES,
        "Number of worker processes, with --executor process. (default: the number of cores, at most -w)",
        Scope.POOL,
        settable=Settable.ANYWHERE,
        only_with=("executor", "process"),
    ),
    Option(
        "cluster",
        "--cluster WHERE",
        types.CLUSTER,
        "The cluster, with --executor cluster: tcp://HOST:PORT or tls://HOST:PORT of a Dask scheduler, a "
        "scheduler file, or local[:N] for N workers on this machine, or one per core. (default: Dask's "
        "configuration)",
        Scope.POOL,
        only_with=("executor", "cluster"),
    ),
    Option(
        "cluster_wait",
        "--cluster-wait TIME",
        types.DURATION,
        "Maximum time to wait for a worker while the cluster has none; 0 does not wait.",
        Scope.POOL,
        only_with=("executor", "cluster"),
    ),
    Option(
        "paused",
        "--paused",
        types.SWITCH,
        "Start paused; continue from the web page or with the key p. The pause counts towards --max-runtime.",
        Scope.CONFIG,
    ),
    Option(
        "per_host",
        "--per-host N",
        types.PER_HOST,
        "Maximum number of concurrent fetches per host; 0 is no limit. (default: 10, or 4 with --recursive)",
        settable=Settable.ANYWHERE,
    ),
    Option(
        "transport",
        "--transport NAME",
        types.one_of(TRANSPORTS),
        "HTTP library: curl (pycurl) or requests. Both write the same rows.",
        Scope.POOL,
        settable=Settable.ANYWHERE,
    ),
)
