"""The names that libcurl would look up by itself, looked up for it.

In: hops whose request came without addresses: a program's own `Pool` asks no names stage, redirects and
proxies lead to names that nobody has seen yet. Out: which name is still to be asked for, and what libcurl is
to be told of where hosts are. libcurl's own lookups can't be given up: whoever closes its handle waits for
them (fault 63), and it can't tell a name server that is away from a name that doesn't exist.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.proxies import no_way, proxy_of
from fetchpool.transports.resolver import Resolver


class HopNames:
    """For the hops of one run; it holds nothing of any."""

    def __init__(self, options: FetchOptions, resolver: Resolver) -> None:
        self._resolver = resolver
        proxy = proxy_of(options.proxy)
        self._asks_others = bool(options.dns_servers)
        """libcurl asks name servers of the person's choice, by itself."""
        self._looks_for_hosts = proxy is None or proxy.scheme == "socks5"
        """Another proxy is given the name."""
        name = "" if proxy is None else proxy.host
        self._proxy = "" if not name or ":" in name or urls.is_address(name) else name

    def missing(self, hop: HopRequest) -> str:
        """A name that must be looked up before the hop, empty when there is none: then the hop has the
        addresses that are known."""
        if self._asks_others:
            return ""
        if self._proxy:
            hop.proxy_addresses = self._known(self._proxy)
            if not hop.proxy_addresses:
                return self._proxy
        if hop.addresses or not self._looks_for_hosts:
            return ""
        host = hop.authority.rpartition(":")[0]
        if urls.is_address(host):
            return ""
        hop.addresses = self._known(host)
        return "" if hop.addresses else host

    def failure(self, host: str, kind: FailureKind, message: str) -> Failure:
        """Why a hop can't be made, since that name has no address."""
        if host == self._proxy and kind is not FailureKind.ABORTED:
            return no_way(kind, message)
        return Failure(kind, message)

    def _known(self, host: str) -> tuple[str, ...]:
        kept = self._resolver.cached(host)
        return () if kept is None else kept.ips
