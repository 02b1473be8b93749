"""A list in which every URL has its own host: the cost per URL must not grow with the number of hosts.

`python -m bench.endurance.hosts [--hosts N] [--workers N] [--executor NAME]`: CPU time in µs per URL for each
fifth of the list. The hosts are addresses in 127.0.0.0/8, served by one server; each needs a new connection.
Every row is checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from time import process_time

from bench.scenarios.servers import delay
from fetchpool import fetch

FIFTHS = 5


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance.hosts", description=__doc__)
    parser.add_argument("--hosts", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--executor", default="async")
    options = parser.parse_args(arguments)
    with delay() as server:
        rows = fetch(
            urls(options.hosts, server.port), executor=options.executor, workers=options.workers, retry=0
        )
        began, step = process_time(), options.hosts // FIFTHS
        for number, row in enumerate(rows, 1):
            if row.error is not None:
                sys.stderr.write(f"{row.url}: {row.error}\n")
                return 1
            if number % step == 0:
                now = process_time()
                sys.stdout.write(f"{number:>10,} hosts {(now - began) / step * 1e6:>8.0f} µs a URL\n")
                sys.stdout.flush()
                began = now
    return 0


def urls(hosts: int, port: int) -> Iterator[str]:
    """Return a URL for each host."""
    for number in range(hosts):
        high, low = divmod(number, 60_000)
        yield f"http://127.{1 + high}.{low // 240}.{1 + low % 240}:{port}/0/100/x"


if __name__ == "__main__":
    sys.exit(main())
