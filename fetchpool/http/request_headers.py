"""Builds the headers of each request of a fetch, except `Host`, and decides whether it has a body.

In: the run's options, once, and each hop's request. Out: its headers, in order. This module decides which
origin receives which headers: the user's own headers and credentials, except those that can't be secret, stay
within the origin that they were given for, and so does the body; conditions are sent to the origin of the
earlier version, and cookies to their own sites.
"""

from __future__ import annotations

from base64 import b64encode

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http import conditional, cookies
from fetchpool.http.cookie_store import CookieStore
from fetchpool.model.request import FetchRequest

ACCEPT_ENCODING = "gzip, deflate, br, zstd"
BODY_HEADERS = frozenset(
    ("content-encoding", "content-language", "content-length", "content-location", "content-type")
)
"""Headers that describe the body, and are not sent without it."""
SENDS_BODY = frozenset(("POST", "PUT", "PATCH"))
"""Methods whose requests must declare an empty body (RFC 9110 section 8.6)."""
PUBLIC_HEADERS = frozenset(
    (
        *("accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "dnt", "pragma"),
        *("range", "upgrade-insecure-requests", "user-agent"),
    )
)
"""Headers that describe the wanted content and the client: none can be secret, so they are sent to every
origin. The user's other headers are not (fault 25)."""

PAGE_HEADERS = BODY_HEADERS | frozenset(
    ("if-match", "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "range")
)
"""Headers about the content of the list's URLs. They are not sent for a `robots.txt`, which is needed
completely."""

Fields = tuple[tuple[str, str], ...]


class RequestHeaders:
    """Builds the headers of a run. Returns the same tuple for many requests, since transports encode it
    once."""

    def __init__(self, options: FetchOptions) -> None:
        given = list(options.headers)
        named = {name.lower() for name, _ in given}
        if options.user is not None and "authorization" not in named:
            given.append(("Authorization", basic_auth(options.user)))
        if options.body or options.method in SENDS_BODY:
            given.append(("Content-Length", str(len(options.body))))
        ours = [
            ("User-Agent", options.user_agent),
            ("Accept", "*/*"),
            ("Accept-Encoding", ACCEPT_ENCODING),
        ]
        if not options.user_agent:
            del ours[0]
        self._own: Fields = (*(pair for pair in ours if pair[0].lower() not in named), *given)
        self._method = options.method
        self._body = options.body
        self._bodiless = tuple(pair for pair in self._own if pair[0].lower() not in BODY_HEADERS)
        """The headers after a redirect that changed the method."""
        self._stored = CookieStore(options.cookies) if options.cookies else None
        self._netrc = {} if "authorization" in named else dict(options.netrc)
        self._by_host: dict[str, tuple[Fields, Fields]] = {}
        """The headers with and without those of the body, by host of `.netrc`."""
        self._foreign: Fields = tuple(pair for pair in self._own if pair[0].lower() in PUBLIC_HEADERS)

    def of(self, request: FetchRequest) -> Fields:
        """Return the headers of one hop."""
        if request.crossed_origin:
            headers = self._foreign
        elif request.credentials:
            own = (pair for pair in self._kept(request) if pair[0].lower() != "authorization")
            headers = (*own, ("Authorization", basic_auth(request.credentials)))
        elif self._netrc:
            headers = self._with_password(request)
        else:
            headers = self._kept(request)
        if request.capture_bytes:
            headers = tuple(pair for pair in headers if pair[0].lower() not in PAGE_HEADERS)
        if request.previous is not None and request.previous.url == request.href:
            headers = conditional.add_conditions(headers, request.previous)
        sent = request.cookies
        if self._stored is not None and not request.capture_bytes:
            sent = cookies.merged(self._stored.of_host(request.host), sent)
        if sent:
            headers = cookies.add_cookies(headers, sent, request.href)
        return headers

    def body_of(self, request: FetchRequest) -> bytes:
        """Return the body of one hop. Redirects to another origin that need it are not followed."""
        if not self._body or request.capture_bytes or request.crossed_origin:
            return b""
        return self._body if not request.method or request.method == self._method else b""

    def _with_password(self, request: FetchRequest) -> Fields:
        """Return the headers with the host's name and password in `.netrc`, if it is there."""
        host = request.host.strip("[]")
        name = host if host in self._netrc else ""
        credentials = self._netrc.get(name)
        if credentials is None:
            return self._kept(request)
        if name not in self._by_host:
            added = ("Authorization", basic_auth(credentials))
            self._by_host[name] = ((*self._own, added), (*self._bodiless, added))
        own, bodiless = self._by_host[name]
        return own if not request.method or request.method == self._method else bodiless

    def _kept(self, request: FetchRequest) -> Fields:
        """Return the user's headers, without those of the body if the method has changed."""
        return self._own if not request.method or request.method == self._method else self._bodiless


def basic_auth(credentials: str) -> str:
    """Return the `Authorization` header for `user:password` (RFC 7617)."""
    return "Basic " + b64encode(credentials.encode()).decode()
