"""Runs on a cluster whose workers are killed, stopped and joined at random moments: rows must be exact.

    python -m bench.endurance.cluster_torture --runs 100

A real Dask scheduler on this machine has three workers, some under a nanny, when a run begins. Meanwhile
workers are killed (kill -9), stopped (SIGSTOP; some are continued within their lease, some after it, some
never), and new ones join, each time after a random number of requests. After it every URL must have exactly
one row without an error, no more requests may have been repeated than the lost workers had in flight, no
more may have been in progress at once, and workers that were continued too late must start nothing.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from subprocess import Popen

from distributed import Client
from msgspec import Struct

import fetchpool
from fetchpool.pools.cluster.lease import LEASE
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer, Handler

URLS = 240
WORKERS = 12
FIRST = 3
"""Workers that are there at the start of a run."""
HOSTS = 7
DELAY = 0.05
"""Seconds that the server takes for a response."""
SETTLED = 0.5
"""Seconds after which a worker that was continued would have sent a request."""
JOINING = 60.0
"""Seconds that workers get to join: the machine may be busy."""
HALT = 5.0
"""Seconds without a turn after which the machine, or this process, has stood still."""

HEADER = (
    f"{'run':>4} {'kills':>5} {'stops':>5} {'cont.':>5} {'joins':>5} {'again':>5} {'most':>4} {'s':>6}  rows"
)


class Server(GaugedServer):
    """Listens at all addresses of this machine."""

    def __init__(self) -> None:
        super().__init__("0.0.0.0", SlowHandler)


class SlowHandler(Handler):
    """Answers after `DELAY`, and counts what it holds."""

    def do_GET(self) -> None:  # noqa: N802 - the name in http.server
        with self.server.lock:
            self.server.held += 1
            self.server.most = max(self.server.most, self.server.held)
            self.server.enough.notify_all()
        time.sleep(DELAY)
        with self.server.lock:
            self.server.held -= 1
        super().do_GET()


class Hurt(Struct):
    """What was done to the workers of a run."""

    kills: int = 0
    stops: int = 0
    continued: int = 0
    joins: int = 0
    halts: int = 0
    """How often the machine itself stood still: all leases may have ended then."""

    @property
    def lost(self) -> int:
        """The most stations that were lost."""
        return self.kills + self.stops + self.halts * (FIRST + self.joins)


class Stopped(Struct):
    """A worker that was stopped."""

    worker: Popen[bytes]
    since: float
    until: float
    """When it is continued; infinite for one that is not."""


class Workers:
    """The workers of the cluster: those that run, and those that are stopped."""

    def __init__(self, dask: DaskProcesses, client: Client) -> None:
        self._dask = dask
        self._client = client
        self.address = dask.address
        self.running: list[Popen[bytes]] = []
        self.stopped: list[Stopped] = []

    def join(self, chance: random.Random) -> None:
        """Start a worker: some under a nanny, which starts another one when that is killed."""
        self.running.append(self._dask.add_worker(chance.choice(["--nanny", *["--no-nanny"] * 5])))

    def begin(self, chance: random.Random) -> None:
        """Have as many workers as a run begins with."""
        for each in self.stopped:
            self._dask.end(each.worker)
        self.stopped.clear()
        while len(self.running) > FIRST:
            self._dask.end(self.running.pop(0))
        while len(self.running) < FIRST:
            self.join(chance)
        until = time.monotonic() + JOINING
        while len(self._client.scheduler_info(n_workers=-1)["workers"]) != FIRST:
            assert time.monotonic() < until, self._dask.log
            time.sleep(0.02)

    def kill(self, worker: Popen[bytes]) -> None:
        """Kill -9 a worker. Its nanny, if it has one, starts another."""
        process = fetching(worker)
        if process == worker.pid:
            self.running.remove(worker)
        os.kill(process, signal.SIGKILL)

    def stop(self, worker: Popen[bytes], until: float) -> None:
        """SIGSTOP a worker."""
        os.kill(fetching(worker), signal.SIGSTOP)
        self.running.remove(worker)
        self.stopped.append(Stopped(worker, time.monotonic(), until))

    def resume(self, each: Stopped) -> None:
        """SIGCONT a worker."""
        self.stopped.remove(each)
        self.running.append(each.worker)
        os.kill(fetching(each.worker), signal.SIGCONT)


def fetching(worker: Popen[bytes]) -> int:
    """Return the process that has the station: the worker, or the child of its nanny."""
    for child in Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split():
        if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return worker.pid


class Torturer(threading.Thread):
    """Hurts the workers of one run."""

    def __init__(self, workers: Workers, server: GaugedServer, chance: random.Random) -> None:
        super().__init__()
        self._workers = workers
        self._server = server
        self._chance = chance
        self.hurt = Hurt()
        self.done = threading.Event()
        self.failure = ""

    def run(self) -> None:
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 - a run that was not tortured counts as failed
            self.failure = repr(error)

    def _run(self) -> None:
        moments = sorted(self._chance.randrange(URLS) for _ in range(self._chance.randint(1, 4)))
        looked = time.monotonic()
        while not self.done.wait(0.01):
            now = time.monotonic()
            if now - looked > HALT:
                self.hurt.halts += 1
            looked = now
            for each in [each for each in self._workers.stopped if now >= each.until]:
                self._workers.resume(each)
                self.hurt.continued += 1
            if moments and len(self._server.asked) >= moments[0]:
                moments.pop(0)
                self._act()

    def _act(self) -> None:
        workers, chance = self._workers, self._chance
        what = chance.choices(["kill", "stop", "join"], [5, 3, 2])[0]
        if what == "join" or not workers.running:
            workers.join(chance)
            self.hurt.joins += 1
            return
        victim = chance.choice(workers.running)
        if what == "kill":
            workers.kill(victim)
            self.hurt.kills += 1
        else:
            after = chance.choice([chance.uniform(0.1, LEASE), chance.uniform(LEASE, 2 * LEASE), math.inf])
            workers.stop(victim, time.monotonic() + after)
            self.hurt.stops += 1
        if not workers.running or chance.random() < 0.5:
            workers.join(chance)
            self.hurt.joins += 1


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    arguments = parser.parse_args()
    write(f"seed {arguments.seed}", HEADER)
    total = Hurt()
    with tempfile.TemporaryDirectory() as directory:
        dask = DaskProcesses(Path(directory))
        client = Client(dask.address, set_as_default=False)
        workers = Workers(dask, client)
        try:
            for number in range(arguments.runs):
                problem = torture(number, workers, random.Random(arguments.seed + number), total)
                if problem:
                    write(dask.log[-20_000:])
                    return 1
        finally:
            client.close()
            dask.close()
    write(
        f"{arguments.runs} runs exact: {total.kills} workers killed, {total.stops} stopped, "
        f"{total.continued} of them continued, {total.joins} joined"
    )
    return 0


def write(*lines: str) -> None:
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def torture(number: int, workers: Workers, chance: random.Random, total: Hurt) -> str:
    """Run once, and write a line about it; return what was wrong, or nothing."""
    workers.begin(chance)
    with Server() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        torturer = Torturer(workers, server, chance)
        torturer.start()
        began = time.monotonic()
        try:
            problem = torturer.failure or run(workers, server, torturer)
        finally:
            torturer.done.set()
            torturer.join()
            server.shutdown()
            serving.join()
    hurt = torturer.hurt
    repeated = len(server.asked) - URLS
    write(
        f"{number:4} {hurt.kills:5} {hurt.stops:5} {hurt.continued:5} {hurt.joins:5} {repeated:5} "
        f"{server.most:4} {time.monotonic() - began:6.1f}  {problem or 'exact'}"
        + (f" (the machine stood still {hurt.halts} times)" if hurt.halts else "")
    )
    for name in ("kills", "stops", "continued", "joins"):
        setattr(total, name, getattr(total, name) + getattr(hurt, name))
    return problem


def run(workers: Workers, server: GaugedServer, torturer: Torturer) -> str:
    """Fetch, and return what was wrong."""
    port = server.server_port
    urls = [f"http://127.0.0.{1 + number % HOSTS}:{port}/{number}" for number in range(URLS)]
    address = workers.address
    rows = list(fetchpool.fetch(urls, executor="cluster", cluster=address, workers=WORKERS, per_host=0))
    torturer.done.set()
    torturer.join()
    hurt = torturer.hurt
    if Counter(row.url for row in rows) != Counter(urls):
        return f"{len(rows)} rows of {len(urls)} URLs"
    if errors := Counter(row.error for row in rows if row.error):
        return f"errors: {errors}"
    if server.most > WORKERS * (1 + hurt.lost):  # the server still holds what lost workers have asked for
        return f"{server.most} requests at once"
    asked = len(server.asked)
    if asked - URLS > WORKERS * hurt.lost:
        return f"{asked - URLS} requests repeated"
    now = time.monotonic()
    if late := [each for each in workers.stopped if now - each.since > LEASE]:
        for each in late:
            workers.resume(each)
        time.sleep(SETTLED)
        if len(server.asked) > asked:
            return f"{len(server.asked) - asked} requests after the end of a lease"
    return ""


if __name__ == "__main__":
    sys.exit(main())
