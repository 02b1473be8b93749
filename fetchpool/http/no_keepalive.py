"""Remembers hosts whose connections are not reused for a while, since they received bytes that belong to no
response.

In: each hop's result. Out: whether the next hop needs its own connection. Such bytes may arrive at any time,
even after the next request was sent, and would be mistaken for its response.
"""

from __future__ import annotations

from fetchpool.http.proxy_choice import ProxyChoice
from fetchpool.model import urls

SECONDS = 300.0
"""Seconds for which a host is remembered."""
MAX_HOSTS = 10_000
"""Maximum number of hosts that are remembered."""
PROXY = ""
"""The key of a proxy that makes the requests: its connections carry the responses of all hosts."""


class NoKeepalive:
    """The hosts whose connections are not reused, by `host:port`. Worker threads share one object, since each
    call takes only one or two dictionary operations."""

    def __init__(self, proxies: ProxyChoice) -> None:
        self.until: dict[str, float] = {}
        """The monotonic time at which each is forgotten. Usually empty, which each hop checks."""
        self._proxies = proxies

    def add(self, url: str, now: float) -> None:
        """Record that the host of `url` sent such bytes."""
        if len(self.until) >= MAX_HOSTS:
            self.until.pop(next(iter(self.until)), None)
        self.until[self._peer(url)] = now + SECONDS

    def has(self, url: str, now: float) -> bool:
        """Whether the host sent such bytes recently."""
        return self.until.get(self._peer(url), 0.0) > now

    def _peer(self, url: str) -> str:
        proxy = self._proxies.of(url) if url.startswith("http:") else ""
        return PROXY if proxy and not proxy.startswith("socks") else urls.authority(url)
