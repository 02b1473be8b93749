"""Decides when workers are to close their idle connections to a host that accepts few.

In: requests that need a connection of their own. Out: the message to the other workers, as often as it is
useful. Pools of processes and of stations use it.
"""

from __future__ import annotations

from fetchpool.model.request import FetchRequest

INTERVAL = 0.5
"""Seconds between two messages about a host: a connection may have become idle since."""
MAX_HOSTS = 1000
"""Maximum number of hosts that are remembered."""


class HangUps:
    """Remembers when idle connections to each host were last closed."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def message(self, request: FetchRequest, now: float) -> bytes:
        """Return the addresses of the request's host, as workers read them; empty if they have just been
        sent."""
        if now - self._last.get(request.host, 0.0) < INTERVAL:
            return b""
        if len(self._last) >= MAX_HOSTS:
            self._last.clear()
        self._last[request.host] = now
        return "\n".join(ip.strip("[]") for ip in request.addresses or (request.host,)).encode()
