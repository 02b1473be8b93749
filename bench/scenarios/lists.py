"""The contents of the lists, as iterators of URLs.

No URL occurs twice: some programs would fetch it once (wget2), others twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

from msgspec import Struct

from bench.scenarios.servers import LARGE_FILES, SMALL_FILES, SMALL_SIZE, Delay, Nginx


class Servers(Struct, frozen=True):
    """The servers of a scenario."""

    nginx: Nginx
    delay: Delay

    def answered(self) -> int:
        """Return the number of requests so far."""
        return self.nginx.answered() + self.delay.answered()


def small_files(servers: Servers, count: int) -> Iterator[str]:
    return paths(f"{servers.nginx.plain}/small/", ".html", SMALL_FILES, count)


def small_files_tls(servers: Servers, count: int) -> Iterator[str]:
    return paths(f"{servers.nginx.tls}/small/", ".html", SMALL_FILES, count)


def large_files(servers: Servers, count: int) -> Iterator[str]:
    return paths(f"{servers.nginx.plain}/large/", ".bin", LARGE_FILES, count)


def paths(before: str, after: str, files: int, count: int) -> Iterator[str]:
    return (f"{before}{number % files}{after}?{number // files}" for number in range(count))


def answered_after(milliseconds: int) -> Callable[[Servers, int], Iterator[str]]:
    def urls(servers: Servers, count: int) -> Iterator[str]:
        before = f"http://127.0.0.1:{servers.delay.port}/{milliseconds}/{SMALL_SIZE}/"
        return (f"{before}{number}" for number in range(count))

    return urls


def busy(servers: Servers, count: int) -> Iterator[str]:
    """Return URLs of a server that slows down, and responds 503 beyond 50 requests at once."""
    before = f"http://127.0.0.1:{servers.delay.port}/50/{SMALL_SIZE}/busy"
    return (f"{before}{number}" for number in range(count))


HOSTS = 200
HOST_DELAYS = [round(10 * 50 ** (number / (HOSTS - 1))) for number in range(HOSTS)]
"""Milliseconds, from 10 to 500: each host a little slower than the one before."""
Random(1).shuffle(HOST_DELAYS)
HOSTS_WORKERS = 500
PER_HOST = 10


def hosts_of_different_speed(servers: Servers, count: int) -> Iterator[str]:
    """Return URLs sorted by host, as lists often are."""
    for number in range(count):
        host = number * HOSTS // count
        yield f"http://127.0.1.{host + 1}:{servers.delay.port}/{HOST_DELAYS[host]}/{SMALL_SIZE}/{number}"


def hosts_ideal(count: int) -> float:
    """Return the shortest time, in which all workers are busy; the slowest host, `PER_HOST` at once, takes as
    long."""
    each = count / HOSTS
    busy = sum(HOST_DELAYS) / 1000 * each / HOSTS_WORKERS
    slowest = max(HOST_DELAYS) / 1000 * each / PER_HOST
    return float(max(busy, slowest) if count > 1 else HOST_DELAYS[0] / 1000)
