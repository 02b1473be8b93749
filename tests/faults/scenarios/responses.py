"""What the fault server does at each path: responses that do not fit the request, and cookies.

As in `scenarios.py`; numbers are those of the list of faults.
"""

from __future__ import annotations

import gzip
from urllib.parse import unquote_to_bytes

from tests.faults.scenarios.normal import PAGE
from tests.faults.server import Peer, Received, scenario

PART = b"0123456789"


def _part(name: str, status: str, *fields: str) -> None:
    @scenario(name)
    def send(peer: Peer, request: Received) -> None:
        peer.respond(PART, "Content-Type: text/html", *fields, status=status, method=request.method)


# 56. Responses to a range or a condition that the request did not have.
_part("part-206", "206 Partial Content", "Content-Range: bytes 0-9/100")
_part("part-206-of-no-range", "206 Partial Content")
_part("part-206-complete", "206 Partial Content", "Content-Range: bytes 0-9/10")
_part("part-200", "200 OK", "Content-Range: bytes 0-9/100")
_part("part-200-behind", "200 OK", "content-range:bytes 5-14/*")
_part("part-203", "203 Non-Authoritative Information", "Content-Range: bytes 90-99/100")
_part("complete-200", "200 OK", "Content-Range: bytes 0-9/10")
_part("complete-200-star", "200 OK", "Content-Range: bytes 0-9/*")
_part("nonsense-range", "200 OK", "Content-Range: all of it")


@scenario("identity-redirect")
def identity_redirect(peer: Peer, _: Received) -> None:
    """A redirect with a body whose coding is none."""
    peer.send("HTTP/1.1 302 Found\r\nLocation: /ok\r\nTransfer-Encoding: identity\r\n")
    peer.send("Content-Length: 5\r\n\r\nhello")
    peer.keep = True


@scenario("not-modified-once")
def not_modified_once(peer: Peer, request: Received) -> None:
    """56. A page with the entity tag "1"; to a condition, a 304 with the entity tag that the query says."""
    if "if-none-match" in request.headers():
        peer.send(f'HTTP/1.1 304 Not Modified\r\nETag: "{request.query}"\r\n\r\n')
        peer.keep = True
    else:
        peer.respond(PAGE, 'ETag: "1"')


@scenario("not-modified-later")
def not_modified_later(peer: Peer, request: Received) -> None:
    """56. A page without a word about its version on the first connection; on later ones a 304, unasked."""
    if request.connection == 1:
        peer.respond(PAGE)
    else:
        peer.send("HTTP/1.1 304 Not Modified\r\n\r\n")
        peer.keep = True


def _beyond(status: str) -> None:
    @scenario(f"status-{status[:3]}")
    def send(peer: Peer, request: Received) -> None:
        peer.respond(PART, status=status, method=request.method)


for _status in ("600 Six", "700", "999 Request denied"):  # 57.
    _beyond(_status)


# What says where a body ends; both transports are to read it alike.

HELLO = b"hello"
CHUNKS = b"5\r\nhello\r\n0\r\n\r\n"
FRAMINGS: dict[str, tuple[bytes, bytes]] = {
    "length-padded": (b"Content-Length: 0000000000000000000000005", HELLO),
    "length-said-twice": (b"Content-Length: 5\r\nContent-Length: 5", HELLO),
    "identity": (b"Transfer-Encoding: identity\r\nContent-Length: 5", HELLO),
    "identity-behind": (b"Content-Length: 5\r\nTRANSFER-ENCODING:identity", HELLO),
    "identity-twice": (
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: identity\r\nContent-Length: 5",
        HELLO,
    ),
    "identity-and-more": (b"Transfer-Encoding: identity\r\nContent-Length: 5", HELLO + b"more"),
    "identity-packed": (
        b"Transfer-Encoding: identity\r\nContent-Encoding: gzip\r\nContent-Length: 25",
        gzip.compress(HELLO, mtime=0),
    ),
    "no-coding": (b"Transfer-Encoding:\r\nContent-Length: 5", HELLO),
    "chunked-twice": (b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", CHUNKS),
    "chunked-chunked": (b"Transfer-Encoding: chunked, Chunked", CHUNKS),
    "identity-chunked": (b"Transfer-Encoding: identity, chunked", CHUNKS),
    "identity-then-chunked": (b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked", CHUNKS),
    "nothing-and-chunked": (b"Transfer-Encoding: ,chunked,", CHUNKS),
    "chunked-with-length": (b"Transfer-Encoding: chunked\r\nContent-Length: 3", CHUNKS),
}
"""Headers and bytes of responses whose body is `HELLO`; the connection is left open."""
BAD_FRAMINGS: dict[str, tuple[bytes, bytes]] = {
    "gzip-chunked": (b"Transfer-Encoding: gzip, chunked", CHUNKS),
    "chunked-gzip": (b"Transfer-Encoding: chunked, gzip", CHUNKS),
    "chunked-identity": (b"Transfer-Encoding: chunked, identity", CHUNKS),
    "xchunked": (b"Transfer-Encoding: xchunked", CHUNKS),
    "length-plus": (b"Content-Length: +5", HELLO),
    "length-hexadecimal": (b"Content-Length: 0x5", HELLO),
}
"""Of those that are refused."""


def _framed(name: str, fields: bytes, content: bytes) -> None:
    @scenario(f"framed-{name}")
    def send(peer: Peer, _: Received) -> None:
        peer.send(b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n\r\n" + content)
        peer.keep = True


for _name, (_fields, _content) in {**FRAMINGS, **BAD_FRAMINGS}.items():
    _framed(_name, _fields, _content)


# 67. Cookies


@scenario("cookie-wall")
def cookie_wall(peer: Peer, request: Received) -> None:
    """67. To itself until its cookie comes back."""
    if "seen=1" in request.headers().get("cookie", ""):
        peer.respond(PAGE, method=request.method)
    else:
        own = f"{request.scenario}?{request.query}" if request.query else request.scenario
        peer.respond(b"", f"Location: /{own}", "Set-Cookie: seen=1; Path=/; HttpOnly", status="302 Found")


@scenario("set-cookie")
def set_cookie(peer: Peer, request: Received) -> None:
    """67. `?COOKIE|COOKIE|…|WHERE`, percent-encoded: sets them and goes there."""
    *lines, where = unquote_to_bytes(request.query).decode("latin-1").split("|")
    fields = [f"Set-Cookie: {line}" for line in lines]
    peer.respond(b"", f"Location: {where}", *fields, status="302 Found")


# 69. Locations


@scenario("raw-location")
def raw_location(peer: Peer, request: Received) -> None:
    """69. `?BYTES`, percent-encoded, as they are in a `Location`."""
    where = unquote_to_bytes(request.query)
    peer.send(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: " + where + b"\r\n\r\n")
    peer.keep = True
