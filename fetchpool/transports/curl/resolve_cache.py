"""Maintains libcurl's CURLOPT_RESOLVE entries, so that it uses resolved addresses and makes no lookups.

In: each hop's host and addresses, at its start and at its end. Out: lines for CURLOPT_RESOLVE. A cache
belongs to one DNS cache of libcurl: a multi's, or that of a single easy handle.

Entries stay until they are removed. An entry that expired after a minute would be missing for a redirect or a
new connection, and libcurl would query a name server. Nor must libcurl search for expired entries: it checks
all of them for each transfer, which took ten times as long as the fetch with some ten thousand hosts.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions

MAX_IDLE = 1000
"""Maximum number of hosts without a hop in flight whose entries stay."""
MAX_IDLE_OF_THREAD = 100
"""The same in the cache of a thread's handle, which keeps five connections: with hundreds of threads and a
thousand hosts in each, the entries took 100 MB."""
FOREVER = -1
A_MINUTE = 60


def may_resolve(options: FetchOptions) -> bool:
    """Whether libcurl resolves names itself, which it does only with name servers set by the user."""
    return bool(options.dns_servers)


def cache_timeout(options: FetchOptions) -> int:
    """Return the seconds for CURLOPT_DNS_CACHE_TIMEOUT, which applies to libcurl's own lookups."""
    return A_MINUTE if may_resolve(options) else FOREVER


class ResolveCache:
    """Tracks which entries libcurl has, by `host:port`, as `urls.authority()` writes it.

    libcurl reads a hop's lines when the transfer starts, and the order of transfers added together is
    undefined. So each hop carries all lines that no finished hop has carried."""

    def __init__(self, max_idle: int = MAX_IDLE) -> None:
        self._max_idle = max_idle
        self._addresses: dict[str, tuple[str, ...]] = {}
        """The entries that libcurl certainly has."""
        self._hops: dict[str, int] = {}
        """The number of hops in flight."""
        self._idle: dict[str, None] = {}
        """The hosts without a hop in flight, least recently used first."""
        self._leaving: set[str] = set()
        """The hosts whose entries a hop in flight removes."""

    def open(self, where: str, addresses: tuple[str, ...]) -> list[str]:
        """Start a hop; return its lines for CURLOPT_RESOLVE, usually none. Without addresses libcurl resolves
        the host by itself."""
        lines: list[str] = []
        hops = self._hops.get(where, 0)
        self._hops[where] = hops + 1
        if not hops:
            self._idle.pop(where, None)
            if len(self._idle) > self._max_idle:
                lines.append(line_to_remove(self._forget()))
        if addresses:
            known = self._addresses.get(where)
            if known is not addresses and known != addresses:
                lines.append(line_to_add(where, addresses))
        return lines

    def close(self, where: str, lines: list[str], addresses: tuple[str, ...] | None) -> None:
        """End a hop. `lines`: the result of `open()`. `addresses`: the argument of `open()`; None if the hop
        failed, possibly before libcurl read the lines."""
        self._hops[where] -= 1
        if not self._hops[where]:
            self._idle[where] = None
        if lines:
            # A line that begins with a hyphen is from `line_to_remove()`.
            self._leaving.difference_update(line[1:] for line in lines if line[0] == "-")
            if addresses and where not in self._leaving:
                self._addresses[where] = addresses

    def _forget(self) -> str:
        """Remove the least recently used host; return it."""
        oldest = next(iter(self._idle))
        del self._idle[oldest], self._hops[oldest]
        self._addresses.pop(oldest, None)
        self._leaving.add(oldest)
        return oldest


def line_to_add(where: str, addresses: tuple[str, ...]) -> str:
    """Return the line that adds an entry. In libcurl a line that begins with a hyphen removes an entry, and
    one with a plus sign adds an entry that expires with DNS_CACHE_TIMEOUT; so a host whose name begins with a
    hyphen, as some do, is preceded by a plus sign. `*`, which matches every host, is not a valid host
    (`urls.parse()`)."""
    sign = "+" if where[0] == "-" else ""
    return f"{sign}{where}:{','.join(addresses)}"


def line_to_remove(where: str) -> str:
    """Return the line that removes an entry."""
    return f"-{where}"
