"""What the fault server does at each path: well-formed responses, and redirects of every kind.

In: the connected client and its request. Out: that scenario's bytes. A scenario ends by returning
(the connection is closed, unless a complete response was sent) or by the client's hanging up. Numbers are
those of the list of faults; what is broken is in `broken.py`.
"""

from __future__ import annotations

import gzip
from urllib.parse import unquote

from tests.faults.server import Peer, Received, scenario

PAGE = b"<!doctype html><title>A page</title><p>Hello.\n" * 20


# Well-behaved responses


@scenario("ok")
def ok(peer: Peer, request: Received) -> None:
    """A page of known length; the connection is kept."""
    peer.respond(PAGE, "Content-Type: text/html; charset=utf-8", method=request.method)


@scenario("capture")
def capture(peer: Peer, request: Received) -> None:
    """Says nothing of note: what it received is on the server."""
    peer.respond(b"captured", "Content-Type: text/plain", method=request.method)


@scenario("nothing")
def nothing(peer: Peer, _: Received) -> None:
    """A response without a body."""
    peer.send("HTTP/1.1 204 No Content\r\nX-Answer: none\r\n\r\n")
    peer.keep = True


@scenario("not-modified")
def not_modified(peer: Peer, _: Received) -> None:
    """Its length describes a body that isn't there."""
    peer.send("HTTP/1.1 304 Not Modified\r\nContent-Length: 1000\r\n\r\n")
    peer.keep = True


@scenario("headers")
def headers(peer: Peer, _: Received) -> None:
    """Repeated, folded, Latin-1, of odd case, and in an order."""
    peer.send(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nx-first: 1\r\nSet-Cookie: b=2\r\nX-Folded: one\r\n two\r\n"
        b"X-Latin: caf\xe9\r\nX-Empty:\r\nX-Tight:value\r\nX-Colons: a:b:c\r\nContent-Length: 2\r\n\r\nok"
    )
    peer.keep = True


@scenario("chunked")
def chunked(peer: Peer, _: Received) -> None:
    """Chunks of several sizes, an extension, a trailer."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n1\r\n \r\n")
    peer.send("00A\r\nwide world\r\n0\r\nX-Trailer: yes\r\n\r\n")
    peer.keep = True


@scenario("until-closed")
def until_closed(peer: Peer, _: Received) -> None:
    """The body ends where the connection does."""
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + PAGE)


@scenario("http10")
def http10(peer: Peer, _: Received) -> None:
    """As in 1996."""
    peer.send(b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n" + PAGE)


@scenario("http10-kept")
def http10_kept(peer: Peer, _: Received) -> None:
    """HTTP/1.0 that keeps the connection."""
    peer.send("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok")
    peer.keep = True


@scenario("says-close")
def says_close(peer: Peer, request: Received) -> None:
    """`Connection: close`, and does."""
    peer.respond(PAGE, "Connection: close", method=request.method)
    peer.keep = False


@scenario("closes-unsaid")
def closes_unsaid(peer: Peer, request: Received) -> None:
    """A complete response that announces keep-alive, on a connection that is then closed."""
    peer.respond(PAGE, method=request.method)
    peer.keep = False


@scenario("once-per-connection")
def once_per_connection(peer: Peer, request: Received) -> None:
    """The second request on a connection is closed without a byte of a response."""
    if request.turn == 1:
        peer.respond(PAGE, method=request.method)


@scenario("bare-line-feeds")
def bare_line_feeds(peer: Peer, _: Received) -> None:
    """Line feeds without carriage returns (RFC 9112 section 2.2 lets them pass)."""
    peer.send("HTTP/1.1 200 OK\nContent-Length: 4\nX-Bare: yes\n\nok\r\n")
    peer.keep = True


@scenario("no-reason")
def no_reason(peer: Peer, _: Received) -> None:
    """A status line without a reason phrase."""
    peer.send("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok")
    peer.keep = True


@scenario("continue")
def continues(peer: Peer, request: Received) -> None:
    """100, 102 and 103 before the response; the last brings headers of its own."""
    peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
    peer.send("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n")
    peer.respond(PAGE, "X-Final: yes", method=request.method)


@scenario("gzip")
def gzipped(peer: Peer, request: Received) -> None:
    peer.respond(gzip.compress(PAGE), "Content-Encoding: gzip", method=request.method)


@scenario("bytes-in-pieces")
def bytes_in_pieces(peer: Peer, _: Received) -> None:
    """Five pieces of a body, with a moment between them."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    for piece in "hello":
        peer.pause(0.05)
        peer.send(piece)
    peer.keep = True


# Faults 22 to 29: redirects


@scenario("redirect-loop")
def redirect_loop(peer: Peer, _: Received) -> None:
    """22. To itself."""
    peer.respond(b"", "Location: /redirect-loop", status="302 Found")


@scenario("redirect")
def redirect(peer: Peer, request: Received) -> None:
    """22. `?N` more redirects before the page."""
    left = int(request.query)
    where = f"/redirect?{left - 1}" if left > 1 else "/ok"
    peer.respond(b"", f"Location: {where}", status="302 Found")


@scenario("redirect-to")
def redirect_to(peer: Peer, request: Received) -> None:
    """25 to 29, 31. To wherever the (percent-encoded) query says."""
    peer.respond(b"", f"Location: {unquote(request.query)}", status="302 Found")


BAD_LOCATIONS: dict[str, bytes] = {
    # 23. Schemes that no client follows.
    "file": b"file:///etc/passwd",
    "gopher": b"gopher://127.0.0.1:6379/_FLUSHALL",
    "javascript": b"javascript:alert(1)",
    "data": b"data:text/plain,hello",
    "ftp": b"ftp://127.0.0.1/pub",
    # 24. What no parser takes, or each another way.
    "half-bracket": b"http://[::1",
    "long-host": b"http://" + b"a" * 60_000 + b"/",
    "empty-label": b"http://a..b/",
    "empty": b"",
    "slashes": b"//",
    "spaces": b"http://host with spaces/",
    "port": b"http://127.0.0.1:99999/",
    "port-words": b"http://127.0.0.1:http/",
    "percent": b"http://%zz/",
    "nothing-but-a-scheme": b"http://",
    "utf8": "/é/ü?ß".encode(),
    "latin1": b"/caf\xe9",
    "control": b"/a\x01b\x7f",
    "backslashes": b"\\\\127.0.0.1\\share",
}
"""`Location` headers by name, for `/location?NAME`."""


@scenario("location")
def location(peer: Peer, request: Received) -> None:
    """23, 24. One of `BAD_LOCATIONS`, by its name in the query."""
    where = BAD_LOCATIONS[request.query].decode("latin-1")
    peer.respond(b"", f"Location: {where}", status="302 Found")


@scenario("location-twice")
def location_twice(peer: Peer, _: Received) -> None:
    """24. Two that differ."""
    peer.respond(b"", "Location: /ok", "Location: /capture", status="302 Found")


@scenario("location-userinfo")
def location_userinfo(peer: Peer, request: Received) -> None:
    """29. With a name and a password in it, to this server's own `/capture`."""
    where = f"http://name:password@127.0.0.1:{request.port}/capture"
    peer.respond(b"", f"Location: {where}", status="302 Found")
