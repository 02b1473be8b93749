"""What the fault server does at each path: more of it, as the fault suite needs it.

As in `scenarios.py` and `broken.py`; numbers are those of the list of faults.
"""

from __future__ import annotations

import functools
import gzip
import threading
import zlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import unquote

from tests.encoders import ENCODERS, one_brotli, zstd
from tests.faults.scenarios.broken import slowly
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import Peer, Received, scenario

CODINGS = ("gzip", "deflate", "br", "zstd")
MEBIBYTE = 1 << 20


# Faults 1 to 4: time


@scenario("byte-every-300-ms")
def byte_every_300_ms(peer: Peer, _: Received) -> None:
    """1. As in the list."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        peer.send("x")
        peer.pause(0.3)


@scenario("endless-early-hints")
def endless_early_hints(peer: Peer, _: Received) -> None:
    """3. Another interim response, in blocks."""
    slowly(peer, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n" * 10)


@scenario("eighteen-thousand-continues")
def eighteen_thousand_continues(peer: Peer, _: Received) -> None:
    """3. 280 KiB of interim responses, and then a response."""
    peer.send("HTTP/1.1 100\r\n\r\n" * 18_000)
    peer.respond(PAGE)


# Faults 8 to 17: size and encoding


@functools.cache
def gibibyte(coding: str) -> bytes:
    """A gibibyte of zeros, packed, without ever having it."""
    zeros = bytes(MEBIBYTE)
    if coding == "br":
        return one_brotli(zeros, 1024)
    if coding == "zstd":
        compressor = zstd.ZstdCompressor()
        return b"".join([*(compressor.compress(zeros) for _ in range(1024)), compressor.flush()])
    # After a full flush deflate starts anew, so the same block can be repeated. The checksum at the end
    # is missing, but no client reads that far.
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    start = deflate.compress(b"") + deflate.flush(zlib.Z_FULL_FLUSH)
    block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    if not start:  # the header came with the first block
        start, block = block, deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)
    return start + block * 1024


def _coded(name: str, label: str, body: Callable[[], bytes]) -> None:
    @scenario(name)
    def send(peer: Peer, request: Received) -> None:
        peer.respond(body(), f"Content-Encoding: {label}", "Content-Type: text/html", method=request.method)


for _coding in CODINGS:
    _label, _encode = ENCODERS[_coding]
    _coded(f"gibibyte-{_coding}", _label, functools.partial(gibibyte, _coding))  # 10.
    _coded(f"packed-{_coding}", _label, functools.partial(_encode, PAGE))
    _coded(f"mislabelled-{_coding}", _label, lambda: b"This is no such thing. " * 20)  # 13.
    _coded(f"cut-{_coding}", _label, functools.partial(lambda encode: encode(PAGE)[:-9], _encode))  # 17.

_coded("bomb-in-bomb", "gzip, gzip", lambda: gzip.compress(gibibyte("gzip")))  # 10.
_coded("bomb-of-nothing", "gzip, gzip", lambda: gzip.compress(gzip.compress(b"") * 500_000))  # 10.
_coded("unknown-and-gzip", "gzip, x-rot13", lambda: gzip.compress(PAGE))  # 14.


@scenario("five-encodings")
def five_encodings(peer: Peer, _: Received) -> None:
    """12. As many as are taken off."""
    body = PAGE
    for _ in range(5):
        body = gzip.compress(body)
    peer.respond(body, f"Content-Encoding: {', '.join(['gzip'] * 5)}")


# Fault 20: connections


class FirstTimes:
    """Which `?query` of a scenario was asked for before, by server."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asked: set[tuple[int, str]] = set()

    def __call__(self, request: Received) -> bool:
        with self._lock:
            asked = (request.port, request.target)
            first = asked not in self._asked
            self._asked.add(asked)
            return first


first_time = FirstTimes()


@scenario("empty-at-first")
def empty_at_first(peer: Peer, request: Received) -> None:
    """20. Closed before a reply when it is asked for the first time."""
    if not first_time(request):
        peer.respond(PAGE)


@scenario("closed-after-continue")
def closed_after_continue(peer: Peer, _: Received) -> None:
    """20. An interim response, and then the end."""
    peer.send("HTTP/1.1 100 Continue\r\n\r\n")


@scenario("nothing-but-trailers")
def nothing_but_trailers(peer: Peer, _: Received) -> None:
    """A chunked body of no bytes, and a trailer that looks like a status line."""
    peer.send("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n")
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: a/b\r\n\r\n0\r\n")
    peer.send("HTTP/1.1 500 no: it is not\r\nX-Trailer: yes\r\n\r\n")
    peer.keep = True


# Faults 36 to 39: what is shown and stored

CONTROLS = "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x7f"
"""Escape sequences and C1; no NUL, CR or LF: those end a header."""
HOSTILE = f"{CONTROLS[:-2]}\u202egpj.exe\u2066\u200b{CONTROLS[-2:]}"
"""The same with bidi controls and a zero-width space."""


@scenario("hostile-words")
def hostile_words(peer: Peer, request: Received) -> None:
    """36. In the reason phrase, in headers, and in the title."""
    words = HOSTILE.encode()
    body = b"<!doctype html><meta charset=utf-8><title>a" + words + b"b</title>"
    status = request.query or "200"
    peer.send(b"HTTP/1.1 %b a%bb\r\n" % (status.encode(), words))
    peer.send(b"Content-Type: text/html; charset=utf-8; a%bb\r\nX-Words: %b\r\n" % (words, words))
    peer.send(b"Content-Length: %d\r\n\r\n" % len(body) + body)
    peer.keep = True


@scenario("hostile-encoding")
def hostile_encoding(peer: Peer, _: Received) -> None:
    """36. In a header that is copied into the row."""
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: x%by\r\nContent-Length: 2\r\n\r\nok" % HOSTILE.encode())
    peer.keep = True


@scenario("title")
def title(peer: Peer, request: Received) -> None:
    """38. Whatever the (percent-encoded) query says."""
    words = unquote(request.query).encode()
    body = b"<!doctype html><meta charset=utf-8><title>" + words + b"</title>"
    peer.respond(body, "Content-Type: text/html; charset=utf-8", method=request.method)


@scenario("attachment")
def attachment(peer: Peer, _: Received) -> None:
    """39. A name for the file, of the server's choice."""
    peer.respond(PAGE, 'Content-Disposition: attachment; filename="../../evil.txt"')


# Faults 49 to 53: politeness


@scenario("busy")
def busy(peer: Peer, request: Received) -> None:
    """49. `?STATUS,RETRY-AFTER,…`: busy when it is asked for the first time, then a page. `date` is two
    seconds from now, nothing is no header."""
    status, retry_after, *_ = request.query.split(",")
    if not first_time(request):
        peer.respond(PAGE)
        return
    if retry_after == "date":
        retry_after = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    headers = [f"Retry-After: {unquote(retry_after)}"] if retry_after else []
    peer.respond(b"busy", *headers, status=f"{status} Busy")


@scenario("every-second-page")
def every_second_page(peer: Peer, request: Received) -> None:
    """49. `?NUMBER`: 503 without `Retry-After`, always, if the number is odd."""
    if int(request.query) % 2:
        peer.respond(b"broken", status="503 Service Unavailable")
    else:
        peer.respond(PAGE)


ACCEPTED: dict[int, list[float]] = {}
"""When `ten-per-second` accepted a request, by the server's port."""


@scenario("ten-per-second")
def ten_per_second(peer: Peer, request: Received) -> None:
    """49. 503 without `Retry-After` past ten requests in a second."""
    accepted = ACCEPTED.setdefault(request.port, [])
    if sum(at > request.at - 1.0 for at in accepted) < 10:
        accepted.append(request.at)
        peer.respond(PAGE)
    else:
        peer.respond(b"busy", status="503 Service Unavailable")


@scenario("always-busy")
def always_busy(peer: Peer, _: Received) -> None:
    """49. And never says for how long."""
    peer.respond(b"busy", status="429 Too Many Requests")


@scenario("robots.txt")
def robots_txt(peer: Peer, request: Received) -> None:
    """53. By host: one asks not to be asked for `/capture`, nor often; the second has none; the third
    can't say; the fourth sends us to the first."""
    host = request.headers()["host"].rpartition(":")[0]
    if host == "127.0.0.1":
        rules = "User-agent: *\nDisallow: /\n\nUser-agent: fetchpool\nDisallow: /capture\nCrawl-delay: 0.2\n"
        peer.respond(rules.encode(), "Content-Type: text/plain")
    elif host == "127.0.0.2":
        peer.respond(b"no such page", status="404 Not Found")
    elif host == "127.0.0.3":
        peer.respond(b"down", status="503 Service Unavailable")
    else:
        peer.respond(b"", "Location: /moved-robots.txt", status="301 Moved Permanently")


@scenario("moved-robots.txt")
def moved_robots_txt(peer: Peer, _: Received) -> None:
    """53. Where the fourth host keeps it."""
    peer.respond(b"User-agent: *\nDisallow: /capture\n", "Content-Type: text/plain")


# Fault 5: time


@scenario("silence-without-length")
def silence_without_length(peer: Peer, _: Received) -> None:
    """5. Some of a body that ends where the connection does, and then nothing."""
    peer.send("HTTP/1.1 200 OK\r\n\r\nsome")
    peer.stay()


@scenario("silence-in-headers")
def silence_in_headers(peer: Peer, _: Received) -> None:
    """5. A status line and a header, and then nothing."""
    peer.send("HTTP/1.1 200 OK\r\nX-One: 1\r\n")
    peer.stay()


@scenario("goodbye-on-a-kept-connection")
def goodbye_on_a_kept_connection(peer: Peer, _: Received) -> None:
    """5. A response, and later a 408 without a request: servers send it when a connection was idle."""
    peer.respond(b"ok")
    peer.pause(0.2)
    peer.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    peer.stay()


@scenario("silence-in-chunks")
def silence_in_chunks(peer: Peer, _: Received) -> None:
    """5. A chunk, and then nothing."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsome\r\n")
    peer.stay()


# Faults 9 and 18: size, and what is not HTTP


@scenario("huger-length")
def huger_length(peer: Peer, _: Received) -> None:
    """9. More than 64 bits can say."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\nabc")
    peer.stay()


@scenario("blank-before-colon")
def blank_before_colon(peer: Peer, _: Received) -> None:
    """18. A length that some read and some don't."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length : 100\r\n\r\nabc")


@scenario("identity-cut")
def identity_cut(peer: Peer, _: Received) -> None:
    """15. Less than its length, with a transfer coding that is none."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\nContent-Length: 10\r\n\r\nabc")


@scenario("http20-status")
def http20_status(peer: Peer, _: Received) -> None:
    """18. HTTP/1 that calls itself 2.0."""
    peer.send("HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello")
    peer.keep = True


# Faults 3 and 4 as fast as the wire takes them


@scenario("flood-of-continue")
def flood_of_continue(peer: Peer, _: Received) -> None:
    """3. 100 Continue, for ever, without a pause."""
    while True:
        peer.send("HTTP/1.1 100 Continue\r\n\r\n" * 1000)


@scenario("flood-of-trailers")
def flood_of_trailers(peer: Peer, _: Received) -> None:
    """4. Trailers, for ever, without a pause."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
    while True:
        peer.send("X-Flood: yes\r\n" * 1000)


@scenario("slow-redirect")
def slow_redirect(peer: Peer, request: Received) -> None:
    """1. Most of a second, and then to wherever the (percent-encoded) query says."""
    peer.pause(0.6)
    peer.respond(b"", f"Location: {unquote(request.query)}", status="302 Found")
