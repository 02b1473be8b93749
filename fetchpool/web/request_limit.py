"""The request limit of the web page: answers wait beyond a rate that no browser reaches.

In: ASGI requests. Out: the same requests, the ones beyond the limit later. A program that asks for the page's
numbers as fast as it can would otherwise take the processors that the run needs.
"""

from __future__ import annotations

import asyncio

from fetchpool.web.guard import App, Receive, Scope, Send

RATE = 100.0
"""Requests per second; a tab sends two."""
BURST = 50.0
"""Requests that are answered at once after a pause: a page and its files."""
LONGEST = 1.0
"""Seconds that a request waits at most: clients that leave before they are answered must not make the user's
next request wait for theirs."""


class RequestLimit:
    """ASGI middleware around everything else: a request without a login costs time as well."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._next_at = 0.0
        """When the next request is answered, on the event loop's clock."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = asyncio.get_running_loop().time()
        self._next_at = min(max(self._next_at, now - BURST / RATE) + 1.0 / RATE, now + LONGEST)
        if self._next_at > now:
            await asyncio.sleep(self._next_at - now)
        await self._app(scope, receive, send)
