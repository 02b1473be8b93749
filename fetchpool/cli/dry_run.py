"""`--dry-run`: what the list would cost, on standard output; nothing is fetched, no output opened.

In: a checked configuration. Out: lines for a person, and an exit code.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter

from msgspec import Struct

from fetchpool.cli.errors import print_error
from fetchpool.cli.exit_codes import ExitCode
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.build import open_source
from fetchpool.history.seen import SeenSet
from fetchpool.model import fingerprint
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import count, counted, duration
from fetchpool.sources.base import Source

BATCH = 1_000


class DryRunEstimate(Struct, frozen=True):
    """What `--dry-run` has to say. Times are seconds."""

    urls: int
    """Distinct ones that would be asked for."""
    duplicates: int
    refused: int
    """That can't be fetched: not a URL, or not http(s)."""
    hosts: tuple[tuple[str, int], ...]
    """With their number of URLs, most first."""
    shortest: float
    """What the limits alone come to, if every answer took no time."""
    held_by: str
    """Which limit that is: the flag, or empty when there is none."""
    failure: str | None = None
    """An input broke off; one line."""


def forecast(source: Source, config: RunConfig) -> DryRunEstimate:
    """Reads the source to its end."""
    more = threading.Event()
    source.start(more.set)
    seen = SeenSet()
    hosts: Counter[str] = Counter()
    duplicates = refused = 0
    while not source.exhausted:
        more.clear()
        requests = source.take(BATCH)
        if not requests and not source.exhausted:
            more.wait()
        for request in requests:
            if request.url and not seen.add(fingerprint.from_request(request)):
                duplicates += 1
            elif request.refused is not None:
                refused += 1
            else:
                hosts[request.host] += 1
    shortest, held_by = shortest_time(hosts, config)
    most = tuple(hosts.most_common())
    return DryRunEstimate(hosts.total(), duplicates, refused, most, shortest, held_by, source.failure)


def shortest_time(hosts: Counter[str], config: RunConfig) -> tuple[float, str]:
    """The longest of what each limit asks for, and that limit's flag."""
    most = max(hosts.values(), default=0)
    limits = []
    if config.host_delay and most:
        limits.append((config.host_delay * (most - 1), "--host-delay"))
    if config.rate and hosts:
        limits.append(((hosts.total() - 1) / config.rate, "--rate"))
    return max(limits, default=(0.0, ""))


SHOWN = 20
"""Hosts that get a line of their own."""


def dry_run(config: RunConfig) -> ExitCode:
    """Reads the inputs to their end and says what is in them."""
    source = open_source(config)
    try:
        found = forecast(source, config)
    finally:
        source.close()
    sys.stdout.writelines(f"{line}\n" for line in lines(found, config))
    if found.failure is not None:
        print_error(found.failure)
        return ExitCode.USAGE
    return ExitCode.OK


def lines(found: DryRunEstimate, config: RunConfig) -> list[str]:
    """The words, host by host."""
    said = [
        f"would fetch {counted(found.urls, 'URL')} from {counted(len(found.hosts), 'host')}; "
        f"{counted(found.duplicates, 'duplicate')} and {count(found.refused)} that can't be fetched"
    ]
    width = max((len(count(number)) for _, number in found.hosts[:SHOWN]), default=0)
    said += [f"  {count(number):>{width}}  {escape_invisible(host)}" for host, number in found.hosts[:SHOWN]]
    if rest := found.hosts[SHOWN:]:
        urls = sum(number for _, number in rest)
        said.append(f"  and {counted(urls, 'URL')} from {counted(len(rest), 'more host')}")
    if found.held_by:
        said.append(f"shortest time: {duration(found.shortest)} ({found.held_by})")
    else:
        said.append("shortest time: no limit asks for any (--host-delay and --rate would)")
    if config.robots:
        said.append("not counted: what robots.txt asks for, which would have to be fetched first")
    return said
