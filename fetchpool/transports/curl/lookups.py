"""Finds the names that must be resolved before a hop, so that libcurl resolves none by itself.

In: hops without addresses: those of a program's own `Pool`, of redirects and of proxies. Out: the name that
must be resolved next, and the addresses for libcurl. libcurl's own lookups can't be cancelled: closing its
handle waits for them (fault 63), and their errors don't distinguish a dead name server from a name that does
not exist.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.proxies import no_way, proxy_of
from fetchpool.transports.resolver import Resolver


class HopNames:
    """Finds the names for the hops of one run. Stores nothing of a hop."""

    def __init__(self, options: FetchOptions, resolver: Resolver) -> None:
        self._resolver = resolver
        proxy = proxy_of(options.proxy)
        self._has_own_servers = bool(options.dns_servers)
        """Whether libcurl resolves names by itself, with the name servers that the user set."""
        self._resolves_hosts = proxy is None or proxy.scheme == "socks5"
        """Whether we resolve hosts. Other proxies are given the name."""
        name = "" if proxy is None else proxy.host
        self._proxy = "" if not name or ":" in name or urls.is_address(name) else name

    def missing(self, hop: HopRequest) -> str:
        """Return a name that must be resolved before the hop. If there is none, return an empty string, after
        setting the hop's addresses."""
        if self._has_own_servers:
            return ""
        if self._proxy:
            hop.proxy_addresses = self._known(self._proxy)
            if not hop.proxy_addresses:
                return self._proxy
        if hop.addresses or not self._resolves_hosts:
            return ""
        host = hop.authority.rpartition(":")[0]
        if urls.is_address(host):
            return ""
        hop.addresses = self._known(host)
        return "" if hop.addresses else host

    def failure(self, host: str, kind: FailureKind, message: str) -> Failure:
        """Return the failure of a hop whose name has no address."""
        if host == self._proxy and kind is not FailureKind.ABORTED:
            return no_way(kind, message)
        return Failure(kind, message)

    def _known(self, host: str) -> tuple[str, ...]:
        kept = self._resolver.cached(host)
        return () if kept is None else kept.ips
