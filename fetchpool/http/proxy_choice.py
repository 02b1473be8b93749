"""Chooses the proxy of each hop, if it depends on the URL (`--proxy env`, `--noproxy`).

In: the run's options, and each hop's URL. Out: the proxy; the choice for an origin is cached. Pure.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.proxy_options import is_direct
from fetchpool.model import urls

MAX_CACHED = 10_000
"""Maximum number of cached origins."""


class ProxyChoice:
    """The proxies of a run."""

    def __init__(self, options: FetchOptions) -> None:
        self._always = options.proxy or ""
        self._by_scheme = dict(options.proxies)
        self._direct = options.noproxy
        self.depends_on_url = bool(options.proxies or options.noproxy)
        self._known: dict[str, str] = {}

    def of(self, href: str) -> str:
        """Return the proxy of a URL; empty if there is none."""
        if not self.depends_on_url:
            return self._always
        origin = urls.origin(href)
        proxy = self._known.get(origin)
        if proxy is None:
            proxy = self._by_scheme.get(origin.partition(":")[0], self._always)
            host, _, port = urls.authority(href).rpartition(":")
            if proxy and is_direct(host, port, self._direct):
                proxy = ""
            if len(self._known) >= MAX_CACHED:
                self._known.clear()
            self._known[origin] = proxy
        return proxy
