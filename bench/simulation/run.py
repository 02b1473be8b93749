"""A run over a cluster in virtual time: the real engine, scheduler and cluster pool, simulated stations.

`python -m bench.simulation.run [--urls N] [--workers N] [--places N] [--scenario NAME]`, or `make
simulation`. There is no network and no waiting: a day's run takes as long as the driver computes. Workers are
killed and cut off, messages take 2 to 50 ms, hosts respond with 429. Servers count what must not happen: too
many fetches at once, at a host or in all, and starts too close to each other. Exit code 1 if there are any,
or if less than 90 % of the places are busy.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from time import process_time

from msgspec import Struct
from msgspec.structs import replace

from bench.simulation.cluster import SimulatedCluster, Transit
from bench.simulation.servers import Behaviour, Servers
from bench.simulation.virtual import VirtualTime
from fetchpool.cli.session import GC_THRESHOLD
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.engine.build import assemble
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.pools.cluster.pool import ClusterPool
from fetchpool.pools.wakeup import Wakeup
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler

TURN = 0.01
"""Seconds of an iteration of the driver's loop; messages that arrive within it are handled together."""
WARM_UP = 5.0
"""Seconds before the share of busy places is measured."""
LOOK = 0.25
"""Seconds between two checks of the run."""


class Scenario(Struct, frozen=True, kw_only=True):
    """The simulated run."""

    urls: int = 10_000_000
    hosts: int = 200_000
    order: str = "shuffled"
    """`shuffled`, `sorted` by host, or `skewed`: some hosts have a thousand times as many as others."""
    workers: int = 100
    places: int = 200
    """Number of places of each worker."""
    per_host: int = 10
    host_delay: float = 0.0
    behaviour: Behaviour = Behaviour(throttling=0.01)
    kill_every: float = 10.0
    """Seconds between two workers that are killed,"""
    cut_off_every: float = 60.0
    """and between two that are cut off for half a minute."""
    seed: int = 1
    parts: int = 10
    """Number of parts of the run for which time and memory are measured."""

    @property
    def ceiling(self) -> float:
        """Maximum number of places that the hosts could keep busy if each received as many requests as
        allowed."""
        mean = self.behaviour.mean
        each = min(float(self.per_host), mean / self.host_delay if self.host_delay else float("inf"))
        return self.hosts * each


class Part(Struct, frozen=True):
    """The n-th part of a run."""

    urls: int
    """Number of rows so far."""
    cpu: float
    """CPU seconds so far."""
    memory: int
    """Memory of the process in bytes."""
    violations: int
    too_close: int
    busy: float
    """Share of the places that were busy since the warm-up."""


class Result(Struct, frozen=True, kw_only=True):
    """The result of a run."""

    rows: int
    repeated_rows: int
    internal_rows: int
    starts: int
    violations: int
    too_close: int
    busy: float
    """Share of the places that were busy, from the beginning until fewer URLs are left than places."""
    seconds: float
    """Virtual, of the complete run."""
    rate: float
    """URLs per virtual second, until then."""
    messages: float
    """Calls and reports per virtual second."""
    workers_lost: int
    attempts_lost: int
    parts: tuple[Part, ...]


class SimulatedList:
    """A list of URLs, generated as it is read."""

    lazy = False
    exhausted = False
    bytes_read = 0
    bytes_total = None
    failure = None

    def __init__(self, scenario: Scenario) -> None:
        self.notices: list[str] = []
        self._scenario = scenario
        self._random = Random(scenario.seed)
        self.taken = 0

    def start(self, notify: Callable[[], None]) -> None: ...

    def take(self, limit: int) -> list[FetchRequest]:
        scenario, first = self._scenario, self.taken
        numbers = range(first, min(first + limit, scenario.urls))
        self.taken = numbers.stop
        self.exhausted = self.taken == scenario.urls
        hosts = scenario.hosts
        if scenario.order == "sorted":
            places = [number * hosts // scenario.urls for number in numbers]
        elif scenario.order == "skewed":
            random = self._random.random
            places = [int(hosts * random() ** 2) for _ in numbers]
        else:
            places = [number * 7_368_787 % hosts for number in numbers]
        names = [f"h{place}.example" for place in places]
        urls = [f"http://{name}/{number}" for name, number in zip(names, numbers, strict=True)]
        return [
            FetchRequest(number, url, url, name, weight=len(url))
            for number, url, name in zip(numbers, urls, names, strict=True)
        ]

    def close(self) -> None: ...


class Rows:
    """A sink that counts rows."""

    name = "rows"
    is_nonblocking = True

    def __init__(self, urls: int, parts: int, on_part: Callable[[int], None]) -> None:
        self._have = bytearray(b"\0") * (urls // 8 + 1)
        self._on_part = on_part
        self._part = max(1, urls // parts)
        self.number = self.repeated = self.internal = 0

    def write(self, records: Sequence[Record]) -> None:
        have = self._have
        for record in records:
            place, bit = record.urlnum >> 3, 1 << (record.urlnum & 7)
            if have[place] & bit:
                self.repeated += 1
            have[place] |= bit
            if record.error is not None and record.error == "internal":
                self.internal += 1
        before = self.number // self._part
        self.number += len(records)
        if self.number // self._part != before:
            self._on_part(self.number)

    def flush(self) -> None: ...

    def close(self) -> None: ...


class VirtualPoll:
    """Advances virtual time instead of waiting."""

    def __init__(self, cluster: SimulatedCluster, time: VirtualTime) -> None:
        self._cluster = cluster
        self._time = time
        self._handled = 0
        """Number of events that the pool has handled so far."""

    def __call__(self, wakeup: Wakeup, timeout: float) -> None:
        cluster, time = self._cluster, self._time
        if wakeup.pending:
            with suppress(BlockingIOError):
                wakeup.drain()
        elif cluster.events == self._handled:
            time.run(time.now + timeout, stop=lambda: cluster.events > self._handled)
        time.run(time.now + TURN, stop=lambda: False)
        self._handled = cluster.events


def simulate(scenario: Scenario, on_part: Callable[[Part], object] = lambda _: None) -> Result:
    """Run to the end."""
    time = VirtualTime()
    most = scenario.workers * scenario.places
    servers = Servers(
        scenario.behaviour,
        workers=most,
        per_host=scenario.per_host,
        host_delay=scenario.host_delay,
        seed=scenario.seed,
    )
    cluster = SimulatedCluster(time, servers, scenario.workers, transit=Transit(), seed=scenario.seed)
    poll = VirtualPoll(cluster, time)
    pool = ClusterPool(most, FetchOptions(), cluster, wait=300.0, clock=time, poll=poll)
    scheduler = Scheduler(per_host=scenario.per_host, host_delay=scenario.host_delay)
    source = SimulatedList(scenario)
    parts: list[Part] = []
    cpu_at_begin = process_time()

    def note(rows: int) -> None:
        cpu, now = process_time() - cpu_at_begin, time.now
        busy = (servers.busy(now) - warm[1]) / most / max(now - warm[0], 1e-9)
        parts.append(Part(rows, cpu, memory(), servers.violations, servers.too_close, busy))
        on_part(parts[-1])

    rows = Rows(scenario.urls, scenario.parts, note)
    jitter = Random(scenario.seed).random
    engine = assemble(
        source,
        pool,
        Writer([rows], DuplicateFilter(dedupe=False)),
        scheduler=scheduler,
        retry=RetryPolicy(retry=5, jitter=jitter),
        clock=time,
    )
    begin = time.now
    warm = (begin + WARM_UP, 0.0)
    tail: list[tuple[float, float, int]] = []

    def look() -> None:
        nonlocal warm
        left = scenario.urls - source.taken + scheduler.queued
        if left < most:
            tail.append((time.now, servers.busy(time.now), rows.number))
            return
        if time.now <= begin + WARM_UP:
            warm = (time.now, servers.busy(time.now))
        time.at(time.now + LOOK, look)

    def every(seconds: float, action: Callable[[], object]) -> None:
        if rows.number < scenario.urls:
            action()
            time.at(time.now + seconds, every, seconds, action)

    look()
    if scenario.kill_every:
        time.at(begin + scenario.kill_every, every, scenario.kill_every, cluster.kill)
    if scenario.cut_off_every:
        cut_off = scenario.cut_off_every
        time.at(begin + cut_off / 2, every, cut_off, lambda: cluster.cut_off(30.0))
    shot = engine.run().snapshot
    ended, busy, done = tail[0]
    return Result(
        rows=rows.number,
        repeated_rows=rows.repeated,
        internal_rows=rows.internal,
        starts=servers.starts,
        violations=servers.violations,
        too_close=servers.too_close,
        busy=(busy - warm[1]) / most / max(ended - warm[0], 1e-9),
        seconds=time.now - begin,
        rate=done / (ended - begin),
        messages=cluster.messages / (time.now - begin),
        workers_lost=shot.workers_lost,
        attempts_lost=shot.attempts_lost,
        parts=tuple(parts),
    )


def memory() -> int:
    """Return the memory of this process in bytes; 0 if the system does not say."""
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) << 10


SCENARIOS = {
    "shuffled": Scenario(),
    "sorted": Scenario(order="sorted"),
    "skewed": Scenario(order="skewed"),
    "delayed": Scenario(host_delay=2.0, behaviour=Behaviour()),
}


def describe(name: str, result: Result) -> str:
    """Return a row of a table."""
    first, last = result.parts[0], result.parts[-1]
    each_first = first.cpu / first.urls * 1e6
    each_last = each_first
    if len(result.parts) > 1:
        before = result.parts[-2]
        each_last = (last.cpu - before.cpu) / (last.urls - before.urls) * 1e6
    return (
        f"| {name} | {result.rows:,} | {result.violations} | {result.too_close} | {100 * result.busy:.1f} % "
        f"| {result.rate:,.0f} | {result.workers_lost} | {result.attempts_lost:,} | {result.messages:,.0f} "
        f"| {each_first:.0f} / {each_last:.0f} | {first.memory >> 20} / {last.memory >> 20} |"
    )


def write_part(part: Part) -> None:
    """Write an intermediate result: a run may take hours."""
    sys.stderr.write(
        f"{part.urls:,} rows, {part.cpu:.1f} s CPU, {part.memory >> 20} MiB, {part.violations} above a "
        f"limit, {part.too_close} too close, {100 * part.busy:.1f} % busy\n"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--urls", type=int, default=10_000_000)
    parser.add_argument("--hosts", type=int, default=200_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--places", type=int, default=200)
    parser.add_argument("--parts", type=int, default=10, help="intermediate results, as they come")
    parser.add_argument("--scenario", choices=[*SCENARIOS, "all"], default="all")
    given = parser.parse_args()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)  # as the command does
    failed = False
    for name, scenario in SCENARIOS.items():
        if given.scenario not in (name, "all"):
            continue
        chosen = replace(
            scenario,
            urls=given.urls,
            hosts=given.hosts,
            workers=given.workers,
            places=given.places,
            parts=given.parts,
        )
        if chosen.ceiling < given.workers * given.places:
            parser.error(f"{name}: {given.hosts:,} hosts keep at most {chosen.ceiling:,.0f} places busy")
        result = simulate(chosen, write_part)
        sys.stdout.write(describe(name, result) + "\n")
        sys.stdout.flush()
        failed |= bool(result.violations or result.too_close or result.repeated_rows)
        failed |= result.rows != given.urls or result.busy < 0.9
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
