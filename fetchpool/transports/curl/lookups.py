"""Finds the names that must be resolved before a hop, so that libcurl never resolves names itself.

In: hops without addresses: those of a program's own `Pool`, of redirects and of proxies. Out: the name that
must be resolved next, and the addresses for libcurl. libcurl's own lookups can't be cancelled: closing its
handle waits for them (fault 63), and their errors don't distinguish a dead name server from a name that does
not exist.
"""

from __future__ import annotations

from functools import lru_cache

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.proxies import proxy_of, proxy_unreachable
from fetchpool.transports.resolver import Resolver


class HopNames:
    """Finds the names for the hops of one run. Stores nothing of a hop."""

    def __init__(self, options: FetchOptions, resolver: Resolver) -> None:
        self._resolver = resolver
        self._has_own_servers = bool(options.dns_servers)
        """Whether libcurl resolves names itself, with name servers set by the user."""
        self._of_run = of_proxy(options.proxy)
        self._is_direct = not self._of_run[0]
        self._by_proxy: dict[str, tuple[str, bool]] = {}

    def missing(self, hop: HopRequest) -> str:
        """Return a name that must be resolved before the hop. If there is none, return an empty string, after
        setting the hop's addresses."""
        if self._has_own_servers:
            return ""
        if self._is_direct and hop.proxy is None and (hop.addresses or _has_address(hop.authority)):
            return ""  # nearly always
        proxy, resolves_hosts = self._of_run if hop.proxy is None else self._of_hop(hop.proxy)
        if proxy:
            hop.proxy_addresses = self._known(proxy)
            if not hop.proxy_addresses:
                return proxy
        if hop.addresses or not resolves_hosts:
            return ""
        if _has_address(hop.authority):
            return ""
        host = hop.authority.rpartition(":")[0]
        hop.addresses = self._known(host)
        return "" if hop.addresses else host

    def failure(self, host: str, kind: FailureKind, message: str) -> Failure:
        """Return the failure of a hop whose name has no address."""
        names = {self._of_run[0], *(name for name, _ in self._by_proxy.values())}
        if host in names and kind is not FailureKind.ABORTED:
            return proxy_unreachable(kind, message)
        return Failure(kind, message)

    def _of_hop(self, proxy: str) -> tuple[str, bool]:
        if proxy not in self._by_proxy:
            self._by_proxy[proxy] = of_proxy(proxy)
        return self._by_proxy[proxy]

    def _known(self, host: str) -> tuple[str, ...]:
        kept = self._resolver.cached(host)
        return () if kept is None else kept.ips


@lru_cache(maxsize=1024)  # a list has many URLs of each host
def _has_address(authority: str) -> bool:
    """Whether the host is an IP address."""
    return urls.is_address(authority.rpartition(":")[0])


def of_proxy(text: str | None) -> tuple[str, bool]:
    """Return the name of a proxy that must be resolved, empty if there is none; and whether the hosts of URLs
    are resolved locally. Most proxies are given the name."""
    proxy = proxy_of(text)
    name = "" if proxy is None else proxy.host
    needs_lookup = bool(name) and ":" not in name and not urls.is_address(name)
    return name if needs_lookup else "", proxy is None or proxy.takes_addresses
