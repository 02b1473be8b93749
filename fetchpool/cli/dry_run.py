"""`--dry-run`: prints what a run would fetch, and the minimum time. Nothing is fetched, and no output is
opened.

In: a checked configuration. Out: lines on standard output, and an exit code.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.outputs import Output
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.open_source import open_source
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.record import StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import count, counted, duration
from fetchpool.sinks.read_back import stored_rows
from fetchpool.sources.base import Source

BATCH = 1_000


class DryRunEstimate(Struct, frozen=True):
    """The result of reading the complete input. Times are seconds."""

    urls: int
    """Distinct URLs that would be requested."""
    duplicates: int
    invalid: int
    """URLs that can't be fetched: malformed, or neither http nor https."""
    hosts: tuple[tuple[str, int], ...]
    """Each host with its number of URLs, the largest first."""
    min_time: float
    """The time that the limits alone require, if responses took no time."""
    limited_by: str
    """The option that requires `min_time`; empty if there is none."""
    finished: int = 0
    """URLs that the outputs contain (`--resume`)."""
    failure: str | None = None
    """An error while reading the input, in one line."""


def estimate(source: Source, config: RunConfig) -> DryRunEstimate:
    """Read the source to its end."""
    more = threading.Event()
    source.start(more.set)
    known = DuplicateFilter(
        dedupe=config.dedupe,
        stored_rows=[_stored_rows(output) for output in config.outputs] if config.resume else (),
        retry_errors=config.retry_failed,
        memory=config.seen_memory,
        shard=config.shard,
    )
    while known.load():
        pass
    hosts: Counter[str] = Counter()
    invalid = finished = 0
    while not source.exhausted:
        more.clear()
        requests = source.take(BATCH)
        if not requests and not source.exhausted:
            more.wait()
        wanted, earlier = known.filter(requests)
        finished += len(earlier)
        for request in wanted:
            if request.error is not None:
                invalid += 1
            else:
                hosts[request.host] += 1
    min_time, limited_by = minimum_time(hosts, config)
    ranked = tuple(hosts.most_common())
    return DryRunEstimate(
        hosts.total(),
        known.duplicates,
        invalid,
        ranked,
        min_time,
        limited_by,
        finished=finished,
        failure=source.failure,
    )


def _stored_rows(output: Output) -> Iterator[list[StoredRow | None]]:
    """Return the rows of an output, which may not exist yet."""
    return stored_rows(output.path, output.format) if Path(output.path).exists() else iter(())


def minimum_time(hosts: Counter[str], config: RunConfig) -> tuple[float, str]:
    """Return the time that the slowest limit requires, and its option."""
    most = max(hosts.values(), default=0)
    limits = []
    if config.host_delay and most:
        limits.append((config.host_delay * (most - 1), "--host-delay"))
    if config.rate and hosts:
        limits.append(((hosts.total() - 1) / config.rate, "--rate"))
    return max(limits, default=(0.0, ""))


SHOWN = 20
"""Maximum number of hosts that are listed."""


def dry_run(config: RunConfig) -> ExitCode:
    """Read the inputs and print the estimate."""
    source = open_source(config).source
    try:
        found = estimate(source, config)
    finally:
        source.close()
    with suppress(OSError):  # stderr is closed
        sys.stderr.writelines(f"{notice}\n" for notice in [*config.notices, *source.notices])
    sys.stdout.writelines(f"{line}\n" for line in lines(found, config))
    if found.failure is not None:
        print_error(found.failure)
        return ExitCode.USAGE
    return ExitCode.OK


def lines(found: DryRunEstimate, config: RunConfig) -> list[str]:
    """Return the lines to print."""
    done = f", {count(found.finished)} done by earlier runs" if config.resume else ""
    text = [
        f"would fetch {counted(found.urls, 'URL')} from {counted(len(found.hosts), 'host')}; "
        f"{counted(found.duplicates, 'duplicate')}, {counted(found.invalid, 'invalid URL')}{done}"
    ]
    width = max((len(count(number)) for _, number in found.hosts[:SHOWN]), default=0)
    text += [f"  {count(number):>{width}}  {escape_invisible(host)}" for host, number in found.hosts[:SHOWN]]
    if rest := found.hosts[SHOWN:]:
        urls = sum(number for _, number in rest)
        text.append(f"  and {counted(urls, 'URL')} from {counted(len(rest), 'more host')}")
    if found.limited_by:
        text.append(f"minimum time: {duration(found.min_time)} ({found.limited_by})")
    else:
        text.append("minimum time: none (no --host-delay or --rate given)")
    if config.robots:
        text.append("robots.txt rules are not included (a dry run fetches nothing)")
    return text
