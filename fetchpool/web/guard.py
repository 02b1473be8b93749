"""Checks each request to the web page before it is routed, and rejects those that are not from the user.

In: ASGI requests. Out: the same requests, or an error response. Every response gets headers that make a
browser run only the page's own files. The module knows only three prefixes of the routes, and imports no
third-party library.

The checks, in this order, for every path:

    Host                  a name or address of this server, with its port        421
    method                GET, HEAD, POST, PATCH                                 405
    Sec-Fetch-Site        a GET of /api comes from our page or from no page      403
    Origin                anything but GET and HEAD comes from our page          403
    login                 the cookie, or `Authorization: Bearer`                 401
    read-only             nothing but GET and HEAD                               403
    size                  a body of at most 1 KB                                 413

A page of another site can send requests to 127.0.0.1, even under its own host name (DNS rebinding). A page on
another port of this machine is the same site for `SameSite`. Therefore Host and Origin must match exactly.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from typing import Any
from urllib.parse import parse_qs

from fetchpool.web.errors import ErrorResponse, error_response
from fetchpool.web.messages import Access

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

METHODS = frozenset(("GET", "HEAD", "POST", "PATCH"))
READING = frozenset(("GET", "HEAD"))
OWN_SITE = frozenset(("none", "same-origin"))
MAX_BODY = 1024
"""Maximum size of a request body in bytes."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
NO_STORE = (b"cache-control", b"no-store")

LOGIN = "open the link that the run printed, or send Authorization: Bearer with the FETCHPOOL_WEB_TOKEN"
VIEWER = "fetchpool.viewer"
"""Key in the scope: whether the browser may only view the run."""
USED = (
    "this link is no longer valid, as each link works once; press w in the terminal of the run for a new one"
)


class Guard:
    """ASGI middleware around the web page."""

    def __init__(self, app: App, access: Access) -> None:
        self._app = app
        self._any_address = access.any_address
        self._hosts = frozenset(access.hosts)
        self._origins = frozenset(access.origins)
        self._bearer = access.bearer.encode() or None
        self._read_only = access.read_only
        self._cookie = f"fetchpool-{access.port}"
        self._session, self._viewer = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        """The cookies of browsers that may steer the run, and of those that may only view it."""
        self._links: dict[bytes, str] = {}
        """The cookie of each unused link, by the digest of its token."""
        for token in access.links:
            self.add_link(token)

    def add_link(self, token: str, *, read_only: bool = False) -> None:
        """Accept this token once, in a link. `read_only`: a browser that uses it can't steer the run."""
        self._links[_digest(token)] = self._viewer if read_only else self._session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = _Request(scope)
        is_static = request.path.startswith("/static/")

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                cached = any(name.lower() == b"cache-control" for name, _ in headers)
                message["headers"] = [*headers, *HEADERS, *(() if cached else (NO_STORE,))]
            await send(message)

        if (error := self._rejected(request)) is None:
            if request.path == "/" and request.method == "GET" and (token := request.token) is not None:
                await self._redeem(token, request)(scope, receive, send_guarded)
                return
            scope[VIEWER] = self._has_session(request, self._viewer)
            if not is_static and not self._is_logged_in(request):
                headers = [(b"www-authenticate", b"Bearer")]
                error = error_response(401, LOGIN, headers=headers, as_page=request.wants_page)
            elif request.method not in READING and self._read_only:
                error = error_response(403, "this page is read-only (--web-read-only)")
            elif request.method not in READING and scope[VIEWER] and request.bearer is None:
                error = error_response(403, "this page was opened by a read-only link")
        if error is not None:
            await error(scope, receive, send_guarded)
            return
        body = b"" if request.method in READING else await _read(request, receive)
        if body is None:
            await error_response(413, f"the body is larger than {MAX_BODY} bytes")(
                scope, receive, send_guarded
            )
            return
        await self._app(scope, _replay(body, receive), send_guarded)

    def _rejected(self, request: _Request) -> ErrorResponse | None:
        """Return the error for a request that comes neither from the page nor from a script of the user; None
        if it is allowed."""
        host = request.only(b"host")
        if host is None or not self._is_ours(host.lower(), request) or not request.path.startswith("/"):
            return error_response(421, "unknown host name; --web-host NAME allows it")
        if request.method not in METHODS:
            methods = ", ".join(sorted(METHODS))
            return error_response(
                405, f"method not allowed; use {methods}", headers=[(b"allow", methods.encode())]
            )
        if request.method in READING:
            site = request.all(b"sec-fetch-site")
            if request.path.startswith("/api") and not OWN_SITE.issuperset(site):
                return error_response(403, "the request comes from a page of another site")
        elif request.only(b"origin") not in self._own_origins(host) and request.bearer is None:
            return error_response(
                403, "the request does not come from this page: the Origin header is missing or wrong"
            )
        return None

    def _is_ours(self, host: str, request: _Request) -> bool:
        return host in self._hosts or (self._any_address and host == request.address)

    def _own_origins(self, host: str) -> frozenset[str]:
        if host.lower() in self._hosts:
            return self._origins
        return frozenset((f"http://{host.lower()}",))

    def _is_logged_in(self, request: _Request) -> bool:
        if (given := request.bearer) is not None:
            return self._bearer is not None and secrets.compare_digest(given, self._bearer)
        return self._has_session(request, self._session) or self._has_session(request, self._viewer)

    def _has_session(self, request: _Request, session: str) -> bool:
        given = request.cookie(self._cookie)
        return given is not None and secrets.compare_digest(given.encode(), session.encode())

    def _redeem(self, token: str, request: _Request) -> ErrorResponse:
        """Return the response to a link: on first use it sets the cookie and redirects to the address without
        the token."""
        digest = _digest(token)
        if (session := self._links.pop(digest, None)) is not None:
            cookie = f"{self._cookie}={session}; HttpOnly; SameSite=Strict; Path=/"
            return ErrorResponse(303, b"", [(b"location", b"/"), (b"set-cookie", cookie.encode())])
        if self._is_logged_in(request):
            return ErrorResponse(303, b"", [(b"location", b"/")])
        return error_response(401, USED, as_page=request.wants_page)


class _Request:
    """The parts of a request that are checked."""

    def __init__(self, scope: Scope) -> None:
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self._query: bytes = scope.get("query_string", b"")
        self._server: tuple[str, int] | None = scope.get("server")
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]

    def all(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self._headers if key.lower() == name]

    def only(self, name: bytes) -> str | None:
        """Return a header's value; None if it is missing or sent more than once."""
        values = self.all(name)
        return values[0] if len(values) == 1 else None

    @property
    def token(self) -> str | None:
        values = parse_qs(self._query.decode("latin-1"), keep_blank_values=True, max_num_fields=8).get(
            "token"
        )
        return None if values is None else values[0]

    @property
    def bearer(self) -> bytes | None:
        """The token of the Authorization header, not yet checked; None without that header."""
        values = self.all(b"authorization")
        if not values:
            return None
        scheme, _, token = values[0].partition(" ")
        return token.strip().encode("latin-1") if scheme.lower() == "bearer" and len(values) == 1 else b""

    @property
    def address(self) -> str:
        """The address that the client has connected to, in the form of a Host header."""
        if self._server is None:
            return ""
        address, port = self._server
        return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"

    @property
    def content_length(self) -> int:
        values = self.all(b"content-length")
        return int(values[0]) if values and values[0].isdecimal() else 0

    @property
    def wants_page(self) -> bool:
        return any("text/html" in value for value in self.all(b"accept"))

    def cookie(self, name: str) -> str | None:
        try:
            morsel = SimpleCookie("; ".join(self.all(b"cookie"))).get(name)
        except CookieError:
            return None
        return None if morsel is None else morsel.value


def _digest(token: str) -> bytes:
    # The set compares digests, whose timing reveals nothing about the token.
    return sha256(token.encode()).digest()


async def _read(request: _Request, receive: Receive) -> bytes | None:
    """Return the body; None if it is too large."""
    if request.content_length > MAX_BODY:
        return None
    body = b""
    while True:
        message = await receive()
        part: bytes = message.get("body", b"")
        body += part
        if len(body) > MAX_BODY:
            return None
        if message["type"] != "http.request" or not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that begins with the body."""
    waiting = [body]

    async def replay() -> Message:
        if waiting:
            return {"type": "http.request", "body": waiting.pop(), "more_body": False}
        return await receive()

    return replay
