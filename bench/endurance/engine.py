"""The engine alone: CPU time per URL for scheduling, submitting, callbacks, rows and counting.

`python -m bench.endurance.engine [--urls N] [--hosts N] [--failed SHARE] [--workers N] [--profile]`, with a
pool that returns every result immediately and a sink that counts. `--rows` writes real rows as JSON
instead. There is no network and no transport.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from time import process_time

from fetchpool.engine.build import assemble
from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.failures import FailureKind
from fetchpool.model.fingerprint import display_url
from fetchpool.model.outcome import Outcome
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.sinks.base import Sink
from fetchpool.sinks.open import open_sink
from fetchpool.sources.iterable import IterableSource
from fetchpool.transports import resolver
from fetchpool.transports.dns import HostLookups

ROUNDS = 5


class AnswersAtOnce:
    """A pool that returns finished futures."""

    keeps_spacing = False

    def __init__(self, workers: int, failed: float) -> None:
        self.max_workers = self.max_pending = workers
        self.queued = self.stuck = 0
        self._every = round(1 / failed) if failed else 0

    def submit(self, request: FetchRequest, *, alone: bool = False) -> LightFuture:  # noqa: ARG002
        future = LightFuture()
        future.set_running_or_notify_cancel()
        failed = self._every and request.urlnum % self._every == 0
        future.complete(outcome(request, FailureKind.TRUNCATED if failed else None))
        return future

    def resize(self, workers: int) -> None: ...

    def space_hops(self, spaced: bool) -> None: ...

    def cancel_pending(self, host: str | None = None) -> None: ...

    def shutdown(self, *, abort: bool = False) -> None: ...

    def release(self) -> None: ...


def outcome(request: FetchRequest, error: FailureKind | None) -> Outcome:
    """Return the outcome of 4 KB over a reused connection."""
    return Outcome(
        Record(
            urlnum=request.urlnum,
            url=display_url(request.url),
            url_effective=request.href,
            method="GET",
            response_code=200,
            http_version="1.1",
            content_type="text/html",
            num_redirects=0,
            num_retries=request.num_retries,
            remote_ip="127.0.0.1",
            size_download=4096,
            size_delivered=4096,
            time_namelookup=0.000_012,
            time_connect=0.0,
            time_appconnect=0.0,
            time_starttransfer=0.000_812,
            time_total=0.000_845,
            timestamp="2026-01-01T00:00:00.000Z",
            error=error,
            errormsg=error and error.message,
            exitcode=error.exitcode if error else 0,
        )
    )


class Counts:
    """A sink that only counts rows."""

    name = "nowhere"
    is_nonblocking = True

    def __init__(self) -> None:
        self.rows = 0

    def write(self, records: Sequence[Record]) -> None:
        self.rows += len(records)

    def flush(self) -> None: ...

    def close(self) -> None: ...


def cost(options: argparse.Namespace, sink: Sink) -> float:
    """Return the CPU seconds per URL of one run."""
    roots = [f"http://127.0.{host // 250}.{1 + host % 250}/" for host in range(options.hosts)]
    urls = (f"{roots[number % options.hosts]}{number}" for number in range(options.urls))
    engine = assemble(
        IterableSource(urls),
        AnswersAtOnce(options.workers, options.failed),
        Writer([sink], DuplicateFilter(dedupe=False)),
        scheduler=Scheduler(resolve_hosts=True),
        lookups=HostLookups(resolver.shared(), timeout=5),
        retry=RetryPolicy(retry=0),
    )
    begin = process_time()
    rows = engine.run().snapshot.done
    seconds = process_time() - begin
    if rows != options.urls:
        raise RuntimeError(f"{rows} rows for {options.urls} URLs")
    return float(seconds / options.urls)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.endurance.engine")
    parser.add_argument("--urls", type=int, default=50_000)
    parser.add_argument("--hosts", type=int, default=1)
    parser.add_argument("--failed", type=float, default=0.0, help="share of the URLs that fail")
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--rows", action="store_true", help="write rows as JSON to a file")
    parser.add_argument("--profile", action="store_true", help="where the time goes, instead")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:

        def sink() -> Sink:
            return open_sink(str(Path(directory) / "rows.jsonl")) if options.rows else Counts()

        if options.profile:
            with cProfile.Profile() as profile:
                cost(options, sink())
            pstats.Stats(profile).sort_stats("tottime").print_stats(30)
            return
        costs = sorted(cost(options, sink()) * 1e6 for _ in range(ROUNDS))
    sys.stdout.write(f"{median(costs):.1f} µs per URL ({costs[0]:.1f} to {costs[-1]:.1f})\n")


if __name__ == "__main__":
    main()
