"""What the fault server does at each path: the responses that are slow, endless, too large or broken.

As in `scenarios.py`; numbers are those of the list of faults.
"""

from __future__ import annotations

import functools
import gzip
import sys
import zlib

import brotli

from tests.faults.scenarios.normal import PAGE
from tests.faults.server import Peer, Received, scenario

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

STEP = 0.1
"""Seconds between two bytes or lines of what is slow and endless."""
BOMB_SIZE = 64 << 20
"""Bytes that a bomb decodes to."""


def slowly(peer: Peer, piece: str) -> None:
    """`piece` again and again, for ever."""
    while True:
        peer.send(piece)
        peer.pause(STEP)


# Faults 1 to 5: time


@scenario("trickle")
def trickle(peer: Peer, _: Received) -> None:
    """1. A body byte now and then, for ever."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    slowly(peer, "x")


@scenario("trickle-chunked")
def trickle_chunked(peer: Peer, _: Received) -> None:
    """1. The same in chunks."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    slowly(peer, "1\r\nx\r\n")


@scenario("slow-header")
def slow_header(peer: Peer, _: Received) -> None:
    """2. A header line that never ends."""
    peer.send("HTTP/1.1 200 OK\r\nX-Slow: ")
    slowly(peer, "x")


@scenario("slow-headers")
def slow_headers(peer: Peer, _: Received) -> None:
    """2. Header lines that never end."""
    peer.send("HTTP/1.1 200 OK\r\n")
    slowly(peer, "X-Slow: yes\r\n")


@scenario("slow-status")
def slow_status(peer: Peer, _: Received) -> None:
    """2. A status line that never ends."""
    peer.send("HTTP/1.1 200 O")
    slowly(peer, "K")


@scenario("endless-continue")
def endless_continue(peer: Peer, _: Received) -> None:
    """3. 100 Continue, for ever."""
    slowly(peer, "HTTP/1.1 100 Continue\r\n\r\n")


@scenario("endless-trailers")
def endless_trailers(peer: Peer, _: Received) -> None:
    """4. Trailers, for ever."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n")
    slowly(peer, "X-Slow: yes\r\n")


@scenario("slow-trailer")
def slow_trailer(peer: Peer, _: Received) -> None:
    """4. One trailer that never ends."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Slow: ")
    slowly(peer, "x")


@scenario("silence")
def silence(peer: Peer, _: Received) -> None:
    """5. Headers, then nothing."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    peer.stay()


@scenario("silence-in-body")
def silence_in_body(peer: Peer, _: Received) -> None:
    """5. Some of the body, then nothing."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    peer.stay()


@scenario("silence-at-once")
def silence_at_once(peer: Peer, _: Received) -> None:
    """5. Not even headers."""
    peer.stay()


# Faults 8 to 14: size and encoding


@scenario("endless-body")
def endless_body(peer: Peer, _: Received) -> None:
    """8. As fast as it goes, without a length."""
    peer.send("HTTP/1.1 200 OK\r\n\r\n")
    while True:
        peer.send(b"x" * 65536)


@scenario("endless-chunks")
def endless_chunks(peer: Peer, _: Received) -> None:
    """8. The same in chunks."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    while True:
        peer.send(chunk)


@scenario("huge-length")
def huge_length(peer: Peer, _: Received) -> None:
    """9. A petabyte announced, three bytes sent."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nabc")
    peer.stay()


@functools.cache
def bomb(coding: str) -> bytes:
    """Zeros, `BOMB_SIZE` of them, packed well."""
    zeros = bytes(1 << 20)
    if coding == "br":
        brotlied = brotli.Compressor(quality=5)
        pieces = [brotlied.process(zeros) for _ in range(BOMB_SIZE >> 20)]
        return b"".join([*pieces, brotlied.finish()])
    packer = (
        zstd.ZstdCompressor()
        if coding == "zstd"
        else zlib.compressobj(9, zlib.DEFLATED, 31 if coding == "gzip" else 15)
    )
    return b"".join([*(packer.compress(zeros) for _ in range(BOMB_SIZE >> 20)), packer.flush()])


def _bomb_scenario(coding: str) -> None:
    @scenario(f"bomb-{coding}")
    def explode(peer: Peer, request: Received) -> None:
        peer.respond(bomb(coding), f"Content-Encoding: {coding}", method=request.method)


for _coding in ("gzip", "deflate", "br", "zstd"):  # 10.
    _bomb_scenario(_coding)


@scenario("bomb-redirect")
def bomb_redirect(peer: Peer, _: Received) -> None:
    """11. A bomb as the body of a redirect."""
    peer.respond(bomb("gzip"), "Location: /ok", "Content-Encoding: gzip", status="302 Found")


@scenario("six-encodings")
def six_encodings(peer: Peer, _: Received) -> None:
    """12. Really compressed six times."""
    body = PAGE
    for _ in range(6):
        body = gzip.compress(body)
    peer.respond(body, f"Content-Encoding: {', '.join(['gzip'] * 6)}")


@scenario("fake-gzip")
def fake_gzip(peer: Peer, _: Received) -> None:
    """13. Labelled, isn't."""
    peer.respond(PAGE, "Content-Encoding: gzip")


@scenario("unknown-encoding")
def unknown_encoding(peer: Peer, _: Received) -> None:
    """14. An encoding that does not exist."""
    peer.respond(PAGE, "Content-Encoding: rot13")


# Faults 15 to 21: broken responses


@scenario("short-body")
def short_body(peer: Peer, _: Received) -> None:
    """15. Shorter than it says."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")


@scenario("chunked-without-end")
def chunked_without_end(peer: Peer, _: Received) -> None:
    """16. Closed where another chunk would begin."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")


@scenario("chunk-cut")
def chunk_cut(peer: Peer, _: Received) -> None:
    """16. Closed inside a chunk."""
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n50\r\nhello")


@scenario("gzip-cut")
def gzip_cut(peer: Peer, _: Received) -> None:
    """17. The HTTP body is complete, the gzip stream in it is not."""
    peer.respond(gzip.compress(PAGE)[:-12], "Content-Encoding: gzip")


@scenario("gzip-cut-chunked")
def gzip_cut_chunked(peer: Peer, _: Received) -> None:
    """17. The same in a chunk."""
    body = gzip.compress(PAGE)[:-12]
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip\r\n\r\n")
    peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
    peer.keep = True


BROKEN_RESPONSES: dict[str, bytes] = {
    # 18.
    "chunk-size-negative": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "chunk-size-words": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nmany\r\nhello\r\n0\r\n\r\n",
    "chunk-size-huge": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"f" * 40
    + b"\r\nhello\r\n",
    "chunk-too-long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
    "length-negative": b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
    "length-words": b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello",
    "length-conflicting": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
    "garbage": bytes(range(256)) * 4,
    "garbage-line": b"SSH-2.0-OpenSSH_9.2p1\r\n",
    "http09": b"<html><body>Hello from 1991</body></html>",
    "http2-preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "http2-status": b"HTTP/2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status-1000": b"HTTP/1.1 1000 Too Much\r\nContent-Length: 5\r\n\r\nhello",
    "status-1000-empty": b"HTTP/1.1 1000 Too Much\r\nContent-Length: 0\r\n\r\n",
    "status-words": b"HTTP/1.1 OK\r\nContent-Length: 5\r\n\r\nhello",
    "status-zero": b"HTTP/1.1 000 None\r\nContent-Length: 5\r\n\r\nhello",
    "header-without-colon": b"HTTP/1.1 200 OK\r\nX-Fine: y\r\nno colon\r\nContent-Length: 5\r\n\r\nhello",
    "header-cr": b"HTTP/1.1 200 OK\r\nX-Cr: a\rX-More: b\r\nContent-Length: 5\r\n\r\nhello",
    "header-two-crs": b"HTTP/1.1 200 OK\r\nX-Cr: a\r\r\nContent-Length: 5\r\n\r\nhello",
    "status-nul": b"HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
    "header-nul": b"HTTP/1.1 200 OK\r\nX-Nul: a\0b\r\nContent-Length: 5\r\n\r\nhello",
    # 19.
    "ten-thousand-headers": b"HTTP/1.1 200 OK\r\n"
    + b"".join(b"X-%d: y\r\n" % number for number in range(10_000))
    + b"Content-Length: 5\r\n\r\nhello",
}
"""Responses that are `protocol`, sent completely; the connection is closed after them."""


def _broken_scenario(name: str, response: bytes) -> None:
    @scenario(name)
    def send(peer: Peer, _: Received) -> None:
        peer.send(response)


for _name, _answer in BROKEN_RESPONSES.items():
    _broken_scenario(_name, _answer)


@scenario("ten-megabyte-header")
def ten_megabyte_header(peer: Peer, _: Received) -> None:
    """19. One header line of 10 MB."""
    peer.send("HTTP/1.1 200 OK\r\nX-Long: ")
    for _ in range(160):
        peer.send(b"x" * 65536)
    peer.send("\r\nContent-Length: 5\r\n\r\nhello")


@scenario("empty")
def empty(_: Peer, __: Received) -> None:
    """20. Closed before a reply."""


@scenario("empty-once")
def empty_once(peer: Peer, request: Received) -> None:
    """20. Closed before a reply on the server's first connection; fine on later ones."""
    if request.connection > 1:
        peer.respond(PAGE)


@scenario("cut-in-headers")
def cut_in_headers(peer: Peer, _: Received) -> None:
    """20. Closed inside the headers."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Le")


@scenario("reset")
def reset(peer: Peer, _: Received) -> None:
    """20. A TCP reset instead of a reply."""
    peer.reset()


@scenario("reset-in-body")
def reset_in_body(peer: Peer, _: Received) -> None:
    """20. A TCP reset inside the body. The pause lets what was sent be read."""
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nsome")
    peer.pause(0.1)
    peer.reset()


@scenario("bogus-charset")
def bogus_charset(peer: Peer, _: Received) -> None:
    """21. No codec has that name."""
    peer.respond(PAGE, "Content-Type: text/html; charset=klingon-8")


@scenario("binary-as-text")
def binary_as_text(peer: Peer, _: Received) -> None:
    """21. Every byte there is, labelled as a page in UTF-8."""
    peer.respond(bytes(range(256)) * 4, "Content-Type: text/html; charset=utf-8")
