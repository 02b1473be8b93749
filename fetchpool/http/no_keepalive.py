"""Hosts whose connections are not kept for a while: bytes came from them that answer nothing.

In: what each hop tells. Out: whether the next one needs a connection of its own. Such bytes may come at any
moment, also when the next request is on its way, and would be its answer then.
"""

from __future__ import annotations

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model import urls

SECONDS = 300.0
"""For how long."""
MOST = 10_000
"""Hosts that are remembered."""
PROXY = ""
"""Whoever makes our requests for us: its connections carry the answers of all hosts."""


class Unkept:
    """By `host:port`. Worker threads share one: each call is a step or two on a dictionary."""

    def __init__(self, options: FetchOptions) -> None:
        self.until: dict[str, float] = {}
        """Monotonic seconds. Mostly empty, which each hop asks."""
        proxy = options.proxy or ""
        self._forwarded = bool(proxy) and not proxy.startswith("socks")

    def add(self, url: str, now: float) -> None:
        """From where `url` is fetched such bytes came."""
        if len(self.until) >= MOST:
            self.until.pop(next(iter(self.until)), None)
        self.until[self._peer(url)] = now + SECONDS

    def has(self, url: str, now: float) -> bool:
        """Whether they came a short while ago."""
        return self.until.get(self._peer(url), 0.0) > now

    def _peer(self, url: str) -> str:
        return PROXY if self._forwarded and url.startswith("http:") else urls.authority(url)
