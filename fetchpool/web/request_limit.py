"""The request limit of the web page: delays responses beyond a rate that no browser reaches.

In: ASGI requests. Out: the same requests, those beyond the limit delayed. Otherwise a program that requests
the page's numbers as fast as it can would take CPU time that the run needs.
"""

from __future__ import annotations

import asyncio

from fetchpool.web.guard import App, Receive, Scope, Send

RATE = 100.0
"""Requests per second; a tab sends two."""
BURST = 50.0
"""Number of requests that are processed at once after a pause: a page and its files."""
LONGEST = 1.0
"""Maximum seconds that a request waits: requests of clients that have disconnected must not delay the user's
next request further."""


class RequestLimit:
    """ASGI middleware around everything else, since even a request without a login costs time."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._next_at = 0.0
        """When the next request is processed, on the event loop's clock."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        self._next_at = min(max(self._next_at, now - BURST / RATE) + 1.0 / RATE, now + LONGEST)
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)
        await self._app(scope, receive, send)
