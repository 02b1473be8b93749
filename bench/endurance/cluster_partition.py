"""Runs on a cluster one of whose workers is cut off the network: rows must be exact, and limits must hold.

    python -m bench.endurance.cluster_partition --runs 10

Three workers have a network namespace each; root is needed. When all their places are taken, one of them is
cut off. In every other run it is connected again within its lease, and works on. In the others the driver
abandons it, and its URLs are fetched by the other workers; it is connected again when the run is over. It
must have started nothing after its lease: its fetches time out after that, which leaves places for what it
still holds. The server knows by the address which worker has sent a request.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import fetchpool
from fetchpool.pools.cluster.lease import LEASE
from tests.cluster.dask_processes import DaskProcesses
from tests.cluster.networks import Network
from tests.contracts.gauged import GaugedServer, Handler

URLS = 300
WORKERS = 12
NAMESPACES = 3
HOSTS = 5
HEAR = 8.0
"""Seconds after which the connections that a worker has tried to open while it was cut off are there."""


class Server(GaugedServer):
    """Knows who has asked; what comes for `/held` waits until it is released."""

    def __init__(self) -> None:
        super().__init__("0.0.0.0", AddressHandler)
        self.askers: list[tuple[float, str, str]] = []


class AddressHandler(Handler):
    server: Server

    def do_GET(self) -> None:  # noqa: N802 - the name in http.server
        self.server.askers.append((time.monotonic(), str(self.client_address[0]), self.path))
        super().do_GET()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    write(f"seed {arguments.seed}", " run  cut off  again  late     s  rows")
    with Network(NAMESPACES, HOSTS) as network, tempfile.TemporaryDirectory() as directory:
        dask = DaskProcesses(Path(directory), host=network.hosts[0])
        try:
            for number, address in enumerate(network.addresses):
                dask.add_worker("--no-nanny", "--host", address, namespace=network.name(number))
            dask.wait_for(NAMESPACES)
            for number in range(arguments.runs):
                if problem := partition(number, dask, network, chance):
                    write(problem, dask.log[-20_000:])
                    return 1
        finally:
            dask.close()
    write(f"{arguments.runs} runs exact")
    return 0


def write(*lines: str) -> None:
    sys.stdout.write("\n".join([*lines, ""]))
    sys.stdout.flush()


def partition(number: int, dask: DaskProcesses, network: Network, chance: random.Random) -> str:
    """Run once, and write a line about it; return what was wrong, or nothing."""
    is_long, victim = bool(number % 2), chance.randrange(NAMESPACES)
    with Server() as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        serving.start()
        began = time.monotonic()
        seconds = 0.0 if is_long else chance.uniform(1.0, 10.0)
        cut = threading.Thread(target=cut_off, args=(server, network, victim, seconds))
        cut.start()
        try:
            problem = run(dask, server, network, LEASE + 2.0 if is_long else 60.0)
            cut.join()
            late = 0
            if is_long:
                asked = len(server.askers)
                network.connect(victim)
                time.sleep(HEAR)
                late = sum(who == network.addresses[victim] for _, who, _ in server.askers[asked:])
                problem = problem or (f"{late} requests after the end of a lease" if late else "")
        finally:
            network.connect(victim)
            server.release.set()
            server.shutdown()
            serving.join()
    repeated = len(server.asked) - URLS
    if not problem and repeated > WORKERS:
        problem = f"{repeated} requests repeated"
    kind = "for good" if is_long else "shortly"
    write(f"{number:4} {kind:>8} {repeated:6} {late:5} {time.monotonic() - began:5.1f}  {problem or 'exact'}")
    return problem


def cut_off(server: Server, network: Network, victim: int, seconds: float) -> None:
    """Cut a worker off once all places are taken, for so many seconds; 0 is until the run is over."""
    server.wait_until_held(WORKERS)
    network.cut(victim)
    if seconds:
        time.sleep(seconds)
        network.connect(victim)
        server.release.set()
    else:
        # Those that are connected get their answers after the fetches of the other have timed out.
        time.sleep(LEASE)
        server.release.set()


def run(dask: DaskProcesses, server: Server, network: Network, max_time: float) -> str:
    """Fetch, and return what was wrong."""
    port = server.server_port
    urls = [f"http://{network.hosts[number % HOSTS]}:{port}/held?{number}" for number in range(URLS)]
    rows = list(
        fetchpool.fetch(
            urls,
            executor="cluster",
            cluster=dask.address,
            workers=WORKERS,
            per_host=0,
            max_time=max_time,
            read_timeout=max_time,
            connect_timeout=max_time,
        )
    )
    if Counter(row.url for row in rows) != Counter(urls):
        return f"{len(rows)} rows of {len(urls)} URLs"
    if errors := Counter(row.error for row in rows if row.error):
        return f"errors: {errors}"
    return ""


if __name__ == "__main__":
    sys.exit(main())
