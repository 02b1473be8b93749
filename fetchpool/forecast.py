"""What a list would cost, before anything is fetched (`--dry-run`).

In: a source, read to its end. Out: how many URLs, hosts, duplicates and broken lines there are, and the
shortest time in which they can be fetched politely. No network. Memory grows with the hosts, not with
the URLs.
"""

from __future__ import annotations

import threading
from collections import Counter

from msgspec import Struct

from fetchpool.config.config import RunConfig
from fetchpool.history.seen import Seen
from fetchpool.model import fingerprint
from fetchpool.sources.base import Source

BATCH = 1_000


class Forecast(Struct, frozen=True):
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


def forecast(source: Source, config: RunConfig) -> Forecast:
    """Reads the source to its end."""
    more = threading.Event()
    source.start(more.set)
    seen = Seen()
    hosts: Counter[str] = Counter()
    duplicates = refused = 0
    while not source.exhausted:
        more.clear()
        requests = source.take(BATCH)
        if not requests and not source.exhausted:
            more.wait()
        for request in requests:
            if request.url and not seen.add(fingerprint.of_request(request)):
                duplicates += 1
            elif request.refused is not None:
                refused += 1
            else:
                hosts[request.host] += 1
    shortest, held_by = shortest_time(hosts, config)
    most = tuple(hosts.most_common())
    return Forecast(hosts.total(), duplicates, refused, most, shortest, held_by, source.failure)


def shortest_time(hosts: Counter[str], config: RunConfig) -> tuple[float, str]:
    """The longest of what each limit asks for, and that limit's flag."""
    most = max(hosts.values(), default=0)
    limits = []
    if config.host_delay and most:
        limits.append((config.host_delay * (most - 1), "--host-delay"))
    if config.rate and hosts:
        limits.append(((hosts.total() - 1) / config.rate, "--rate"))
    return max(limits, default=(0.0, ""))
