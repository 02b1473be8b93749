"""The driver's CPU time per URL with a cluster, and that of the engine alone.

`python -m bench.endurance.echo_stations [--urls N] [--hosts N] [--stations N] [--workers N] [--profile]`: the
real engine and cluster pool, and stations in processes of their own that return an outcome for each request
at once, as bytes in the real format. The engine alone runs with a pool that returns every result immediately,
as in `bench.endurance.engine`; the two take turns. Threads that read reports count as the driver's, as those
of a Dask client would. Exit code 1 if the cluster costs more than 10 µs a URL, or if there are fewer than
20,000 URLs a second.
"""

from __future__ import annotations

import argparse
import cProfile
import gc
import multiprocessing
import pstats
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from statistics import median
from threading import Thread
from time import perf_counter, process_time

from msgspec import Struct

from bench.endurance.engine import AnswersAtOnce, Counts, outcome
from fetchpool.cli.session import GC_THRESHOLD
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.engine.build import assemble
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.version import VERSION
from fetchpool.pools import wire
from fetchpool.pools.base import Pool
from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.cluster import Delivered, Event, Opened, Reported, Worker
from fetchpool.pools.cluster.messages import Kind, Opening, Report
from fetchpool.pools.cluster.pool import ClusterPool
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sources.iterable import IterableSource
from fetchpool.transports import resolver
from fetchpool.transports.dns import HostLookups

MOST = 10.0
"""Maximum µs of CPU per URL that the cluster may cost the driver."""
LEAST = 20_000
"""Minimum URLs per second."""


class Cost(Struct, frozen=True):
    """The cost of one run."""

    cpu: float
    """In µs per URL."""
    rate: float
    """URLs a second."""


def run_station(connection: Connection) -> None:
    """Answer calls until the driver closes the connection: the target of a station's process."""
    reports = 0
    with connection:
        while True:
            try:
                data = connection.recv_bytes()
            except EOFError:
                return
            reports += 1
            connection.send_bytes(report(data, reports))


def report(commands: bytes, number: int) -> bytes:
    """Return the report of a station that has fetched everything in a call."""
    settled, outcomes = 0, []
    for kind, payload in messages.decode_commands(commands).commands:
        if kind == Kind.REQUESTS:
            outcomes += [outcome(request, None) for request in wire.decode_requests(payload)]
        elif kind == Kind.PLACES:
            settled = int(payload.split()[0])
    encoded = wire.encode_outcomes(outcomes) if outcomes else b""
    return messages.encode(Report(messages.VERSION, number, settled, 0.0, encoded))


class EchoCluster:
    """A cluster whose workers are processes that echo."""

    def __init__(self, stations: int) -> None:
        self._workers = [Worker(f"echo://{number}") for number in range(stations)]
        self._connections: dict[str, Connection] = {}
        self._processes: list[multiprocessing.process.BaseProcess] = []
        self._threads: list[Thread] = []
        self._on_event: Callable[[Event], None] = lambda _: None

    def listen(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event

    def workers(self) -> list[Worker]:
        return self._workers

    def open(self, station: str, worker: str, arguments: bytes) -> None:  # noqa: ARG002
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=run_station, args=(theirs,))
        process.start()
        theirs.close()
        self._processes.append(process)
        self._connections[station] = ours
        self._threads.append(Thread(target=self._read, args=(station, ours)))
        self._threads[-1].start()
        self._on_event(Opened(station, messages.encode(Opening(VERSION, limit=1_000_000))))

    def put(self, station: str, number: int, commands: bytes) -> None:  # noqa: ARG002
        self._connections[station].send_bytes(commands)

    def drop(self, station: str) -> None: ...

    def request_worker(self) -> None: ...

    def close(self) -> None:
        """End all processes. Nothing relevant is in transit."""
        for process in self._processes:
            process.terminate()
            process.join()
        for thread in self._threads:
            thread.join()
        for connection in self._connections.values():
            connection.close()

    def _read(self, station: str, connection: Connection) -> None:
        """Deliver a station's reports to the pool: the target of a thread."""
        while True:
            try:
                data = connection.recv_bytes()
            except (EOFError, OSError):
                return
            self._on_event(Delivered(station))
            self._on_event(Reported(station, data))


def cost(options: argparse.Namespace, pool: Pool) -> Cost:
    """Return the cost of one run."""
    roots = [
        f"http://127.{host // 62500}.{host // 250 % 250}.{1 + host % 250}/" for host in range(options.hosts)
    ]
    urls = (f"{roots[number % options.hosts]}{number}" for number in range(options.urls))
    engine = assemble(
        IterableSource(urls),
        pool,
        Writer([Counts()], DuplicateFilter(dedupe=False)),
        scheduler=Scheduler(resolve_hosts=True),
        lookups=HostLookups(resolver.shared(), timeout=5),
        retry=RetryPolicy(retry=0),
    )
    cpu, time = process_time(), perf_counter()
    rows = engine.run().snapshot.done
    cpu, time = process_time() - cpu, perf_counter() - time
    if rows != options.urls:
        raise RuntimeError(f"{rows} rows for {options.urls} URLs")
    return Cost(cpu / rows * 1e6, rows / time)


def cost_of_cluster(options: argparse.Namespace) -> Cost:
    """Return the cost of one run with stations."""
    return cost(options, ClusterPool(options.workers, FetchOptions(), EchoCluster(options.stations), wait=60))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance.echo_stations")
    parser.add_argument("--urls", type=int, default=200_000)
    parser.add_argument("--hosts", type=int, default=1_000)
    parser.add_argument("--stations", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--profile", action="store_true", help="where the driver's time goes, instead")
    options = parser.parse_args()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)  # as the command does
    if options.profile:
        with cProfile.Profile() as profile:
            cost_of_cluster(options)
        pstats.Stats(profile).sort_stats("tottime").print_stats(30)
        return 0
    alone, cluster = [], []
    for _ in range(options.rounds):
        alone.append(cost(options, AnswersAtOnce(options.workers, 0.0)))
        cluster.append(cost_of_cluster(options))
    more = median(each.cpu for each in cluster) - median(each.cpu for each in alone)
    fastest = max(each.rate for each in cluster)
    for name, costs in (("engine alone", alone), (f"{options.stations} stations", cluster)):
        cpu = sorted(each.cpu for each in costs)
        sys.stdout.write(
            f"{name}: {median(cpu):.1f} µs of CPU a URL ({cpu[0]:.1f} to {cpu[-1]:.1f}), "
            f"{median(each.rate for each in costs):,.0f} URLs/s\n"
        )
    sys.stdout.write(f"the cluster costs {more:.1f} µs a URL; at best {fastest:,.0f} URLs/s\n")
    return int(more > MOST or fastest < LEAST)


if __name__ == "__main__":
    sys.exit(main())
