"""What libcurl is told of where hosts are: it dials what was looked up beforehand, and looks up nothing.

In: each hop's host and addresses, when it begins and when it ends. Out: lines for CURLOPT_RESOLVE. A book
belongs to one DNS cache of libcurl's: a multi's, or that of an easy handle by itself.

What libcurl is told stays until it is told otherwise. An entry that ended by itself after a minute would be
missed by a redirect, or by a connection that is made again, and somebody else would be asked. Nor is libcurl
to look for entries that have ended: it looks at all of them for each transfer, which took ten times as long
as the fetch once there were some ten thousand hosts.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions

KEPT = 1000
"""Hosts of which libcurl still knows when nothing is fetched from them."""
FOR_EVER = -1
A_MINUTE = 60


def may_resolve(options: FetchOptions) -> bool:
    """Whether libcurl looks names up by itself: where it is told whom to ask."""
    return bool(options.dns_servers)


def cache_timeout(options: FetchOptions) -> int:
    """For CURLOPT_DNS_CACHE_TIMEOUT, seconds: of libcurl's own lookups."""
    return A_MINUTE if may_resolve(options) else FOR_EVER


class ResolveCache:
    """By `host:port`, as `urls.authority()` writes it.

    libcurl reads a hop's lines when that hop's transfer starts, and of several that were handed to it
    together nobody says which starts first. So each tells what no hop that has ended has told."""

    def __init__(self) -> None:
        self._addresses: dict[str, tuple[str, ...]] = {}
        """What libcurl certainly knows."""
        self._hops: dict[str, int] = {}
        """In flight."""
        self._idle: dict[str, None] = {}
        """Those without any, the one that was used longest ago first."""
        self._leaving: set[str] = set()
        """Those that a hop in flight makes libcurl forget."""

    def open(self, where: str, addresses: tuple[str, ...]) -> list[str]:
        """A hop there begins; what libcurl is to be told with it, mostly nothing. Without addresses libcurl
        looks by itself."""
        lines: list[str] = []
        hops = self._hops.get(where, 0)
        self._hops[where] = hops + 1
        if not hops:
            self._idle.pop(where, None)
            if len(self._idle) > KEPT:
                lines.append(forgetting(self._forget()))
        if addresses:
            known = self._addresses.get(where)
            if known is not addresses and known != addresses:
                lines.append(telling(where, addresses))
        return lines

    def close(self, where: str, lines: list[str], addresses: tuple[str, ...] | None) -> None:
        """A hop there has ended, for which `open()` gave these lines. `addresses`: what it was opened with;
        None when it failed, maybe before libcurl had read them."""
        self._hops[where] -= 1
        if not self._hops[where]:
            self._idle[where] = None
        if lines:
            self._leaving.difference_update(line[1:] for line in lines if line[0] == "-")  # `forgetting()`
            if addresses and where not in self._leaving:
                self._addresses[where] = addresses

    def _forget(self) -> str:
        """The host that was used longest ago."""
        oldest = next(iter(self._idle))
        del self._idle[oldest], self._hops[oldest]
        self._addresses.pop(oldest, None)
        self._leaving.add(oldest)
        return oldest


def telling(where: str, addresses: tuple[str, ...]) -> str:
    """Where a host is. To libcurl a line that begins with a hyphen takes an entry back, and one with a plus
    sign adds an entry that ends with DNS_CACHE_TIMEOUT; so a host whose name begins with a hyphen, which real
    ones do, stands behind a plus sign. `*`, which would be every host, is no host (`urls.parse()`)."""
    sign = "+" if where[0] == "-" else ""
    return f"{sign}{where}:{','.join(addresses)}"


def forgetting(where: str) -> str:
    """That libcurl need no longer know where a host is."""
    return f"-{where}"
