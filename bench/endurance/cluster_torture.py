"""Runs on a cluster whose workers are killed, stopped and joined at random moments: rows must be exact.

    python -m bench.endurance.cluster_torture --runs 100

Each run has a real Dask scheduler and three workers on this machine. Meanwhile workers are killed (kill -9),
stopped (SIGSTOP, some are continued later), and new ones join. After it every URL must have exactly one row
without an error, no host may have had more requests at once than allowed, and no more requests may have been
repeated than the workers that were lost had in flight.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

import fetchpool
from tests.cluster.dask_processes import DaskProcesses
from tests.contracts.gauged import GaugedServer, Handler

URLS = 600
WORKERS = 12
DELAY = 0.05
"""Seconds that the server takes for a response."""


class SlowHandler(Handler):
    """Answers after `DELAY`, and counts what it holds."""

    def do_GET(self) -> None:  # noqa: N802 - the name in http.server
        with self.server.lock:
            self.server.held += 1
            self.server.most = max(self.server.most, self.server.held)
        threading.Event().wait(DELAY)
        with self.server.lock:
            self.server.held -= 1
        super().do_GET()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    arguments = parser.parse_args()
    sys.stdout.write(f"seed {arguments.seed}\n")
    for number in range(arguments.runs):
        problem = torture(random.Random(arguments.seed + number))
        sys.stdout.write(f"run {number}: {problem or 'exact'}\n")
        sys.stdout.flush()
        if problem:
            return 1
    return 0


def torture(chance: random.Random) -> str:
    """Run once; return what was wrong, or nothing."""
    with tempfile.TemporaryDirectory() as directory, GaugedServer() as server:
        server.RequestHandlerClass = SlowHandler
        threading.Thread(target=server.serve_forever, daemon=True).start()
        dask = DaskProcesses(Path(directory))
        try:
            for _ in range(3):
                dask.add_worker()
            dask.wait_for(3)
            return run(dask, server, chance)
        finally:
            dask.close()
            server.shutdown()


def run(dask: DaskProcesses, server: GaugedServer, chance: random.Random) -> str:
    done, hurt = threading.Event(), [0]

    def hurt_workers() -> None:
        while not done.wait(chance.uniform(0.2, 2.0)):
            alive = [worker for worker in dask.workers if worker.poll() is None]
            victim = chance.choice(alive)
            if len(alive) > 1 and chance.random() < 0.6:
                hurt[0] += 1
                os.kill(victim.pid, chance.choice((signal.SIGKILL, signal.SIGSTOP)))
            elif chance.random() < 0.3:
                os.kill(victim.pid, signal.SIGCONT)
            dask.add_worker()
            if hurt[0] >= 4:
                return

    hurter = threading.Thread(target=hurt_workers)
    hurter.start()
    urls = [server.url(f"/{number}") for number in range(URLS)]
    try:
        found = fetchpool.fetch(urls, executor="cluster", cluster=str(dask.file), workers=WORKERS, per_host=0)
        rows = list(found)
    finally:
        done.set()
        hurter.join()
    if Counter(row.url for row in rows) != Counter(urls):
        return f"{len(rows)} rows of {len(urls)} URLs"
    if errors := Counter(row.error for row in rows if row.error):
        return f"errors: {errors}"
    if server.most > WORKERS * (1 + hurt[0]):  # the server still holds what dead workers have asked for
        return f"{server.most} requests at once"
    repeated = len(server.asked) - URLS
    return f"{repeated} requests repeated" if repeated > WORKERS * hurt[0] else ""


if __name__ == "__main__":
    sys.exit(main())
