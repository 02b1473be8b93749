"""Error responses of the web page: `{"error": "one line that names the fix"}`.

In: a status and a line. Out: an ASGI response. A browser that opened the address gets a page with the same
line. Neither contains text from the request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from html import escape
from typing import Any

import msgspec
from msgspec import Struct

JSON = (b"content-type", b"application/json")
HTML = (b"content-type", b"text/html; charset=utf-8")

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>fetchpool</title>
<h1>fetchpool</h1>
<p>{line}</p>
<p><a href="/">Load the page</a></p>
</html>
"""
"""The page for a browser. After a link is opened from another site, the browser sends the new cookie only
with requests from this page on."""


class ErrorResponse(Struct, frozen=True):
    """A small response, as an ASGI application."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()

    async def __call__(
        self,
        _scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        length = (b"content-length", str(len(self.body)).encode())
        start = {"type": "http.response.start", "status": self.status, "headers": [*self.headers, length]}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


def error_response(
    status: int, line: str, *, headers: Sequence[tuple[bytes, bytes]] = (), as_page: bool = False
) -> ErrorResponse:
    """Return the response for an error."""
    if as_page:
        return ErrorResponse(status, PAGE.format(line=escape(line)).encode(), (HTML, *headers))
    return ErrorResponse(status, msgspec.json.encode({"error": line}), (JSON, *headers))
