"""The server of the long-running test: a good page, or for every fifth URL a fault chosen by its number.

`/NUMBER` is a page or a fault; `fault_of` tells the client which. One process, asyncio, on every address of
127.0.0.0/8, which allows for many hosts.

In: the number of an inherited listening socket. It listens for as long as it lives.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import resource
import socket
import struct
import sys
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress

PAGE = b"<!doctype html><title>A page</title><p>Hello.\n" * 20
EVERY = 5
"""One URL in this many is a fault."""
PAUSE = 0.05
"""Seconds between two bytes of a slow response."""
MAX_FILESIZE = 1 << 20
"""The `--max-filesize` that the client must use, so that the large bodies exceed it."""

Write = Callable[[bytes], Awaitable[None]]
Fault = Callable[[Write, int], Awaitable[bool]]
FAULTS: dict[str, tuple[frozenset[str | None], Fault]] = {}
"""By name: the errors that a row may have, and the server's function, which returns True to keep the
connection."""


def fault_of(number: int) -> str | None:
    """Return the fault of this URL; None for a page."""
    if number % EVERY:
        return None
    return random.Random(number).choice(sorted(FAULTS))


def fault(name: str, *kinds: str | None) -> Callable[[Fault], Fault]:
    """Register the function that serves a fault."""

    def register(function: Fault) -> Fault:
        FAULTS[name] = (frozenset(kinds), function)
        return function

    return register


def response(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a well-formed response."""
    return (
        "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body
    )


def _fixed(name: str, kind: str | None, data: bytes, *, keep: bool = False) -> None:
    """Register a fault that consists of fixed bytes."""

    @fault(name, kind)
    async def send(write: Write, _: int) -> bool:
        await write(data)
        return keep


def _endless(name: str, kind: str, start: bytes, piece: bytes, pause: float = PAUSE) -> None:
    """Register a fault that never ends."""

    @fault(name, kind)
    async def send(write: Write, _: int) -> bool:
        await write(start)
        while True:
            await write(piece)
            await asyncio.sleep(pause)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
_endless("trickle", "timeout_total", b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b"x")
_endless("slow header", "timeout_total", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x")
_endless("endless 100", "timeout_total", b"", b"HTTP/1.1 100 Continue\r\n\r\n")
_endless("endless trailers", "timeout_total", CHUNKED + b"2\r\nok\r\n0\r\n", b"X-Slow: yes\r\n")
_endless("endless body", "too_large", b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536, 0)
_endless("endless chunks", "too_large", CHUNKED, b"10000\r\n" + b"x" * 65536 + b"\r\n", 0)
_fixed("huge length", "too_large", b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000\r\n\r\nabc")
_fixed("short body", "truncated", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
_fixed("no last chunk", "truncated", CHUNKED + b"5\r\nhello\r\n")
_fixed("cut in headers", "truncated", b"HTTP/1.1 200 OK\r\nContent-Le")
_fixed("chunk of -5", "protocol", CHUNKED + b"-5\r\nhello\r\n0\r\n\r\n")
_fixed("two lengths", "protocol", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello")
_fixed("garbage", "protocol", bytes(range(256)))
_fixed("HTTP/0.9", "protocol", PAGE)
_fixed("status 1000", "protocol", b"HTTP/1.1 1000 No\r\nContent-Length: 0\r\n\r\n")
_fixed("many headers", "protocol", b"HTTP/1.1 200 OK\r\n" + b"X-Many: yes\r\n" * 10_000 + b"\r\n")
_fixed("a long header", "protocol", b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * (2 << 20) + b"\r\n\r\n")
_fixed("nothing", "empty_reply", b"")
_fixed(
    "escape codes",
    "http_500",
    response(PAGE, "X-Title: \x1b[2J\x9b", status="500 \x1b]0;owned\x07"),
    keep=True,
)
_fixed("not found", "http_404", response(b"no such page", status="404 Not Found"), keep=True)
_fixed("loop", "too_many_redirects", response(b"", "Location: ?", status="302 Found"), keep=True)
_fixed("to a file", "unsupported_scheme", response(b"", "Location: file:///etc/passwd", status="302 Found"))
_fixed("to nowhere", "invalid_url", response(b"", "Location: http://[::1", status="302 Found"), keep=True)
_fixed("mislabelled", "decode", response(PAGE, "Content-Encoding: gzip"), keep=True)
_fixed("unknown coding", None, response(PAGE, "Content-Encoding: rot13"), keep=True)
_fixed("cut gzip", "truncated", response(gzip.compress(PAGE)[:-9], "Content-Encoding: gzip"), keep=True)
_fixed("cut deflate", "truncated", response(zlib.compress(PAGE)[:-5], "Content-Encoding: deflate"), keep=True)
_fixed("bomb", "too_large", response(gzip.compress(bytes(32 << 20)), "Content-Encoding: gzip"), keep=True)
_fixed("busy", "http_429", response(b"busy", "Retry-After: 0", status="429 Too Many"), keep=True)


@fault("silence", "timeout_read")
async def silence(write: Write, _: int) -> bool:
    """Send headers, and then nothing."""
    await write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
    await asyncio.sleep(60)
    return False


@fault("reset", "reset")
async def reset(_: Write, __: int) -> bool:
    """End the connection with a TCP reset."""
    raise ConnectionResetError


@fault("redirect", None)
async def redirect(write: Write, number: int) -> bool:
    """Redirect to a page of another host."""
    where = f"Location: http://127.9.{number % 250}.1:{PORT}/{EVERY * number + 1}"
    await write(response(b"", where, status="302 Found"))
    return True


PORT = 0


async def hung_up(reader: asyncio.StreamReader) -> None:
    """Wait until the client has closed the connection."""
    with suppress(OSError):
        await reader.read(1)


async def play(name: str, number: int, reader: asyncio.StreamReader, write: Write) -> bool:
    """Serve a fault until it ends or the client disconnects; return whether the connection is kept."""
    playing = asyncio.ensure_future(FAULTS[name][1](write, number))
    gone = asyncio.ensure_future(hung_up(reader))
    await asyncio.wait((playing, gone), return_when=asyncio.FIRST_COMPLETED)
    complete = playing.done() and not gone.done()
    for task in (playing, gone):
        task.cancel()
    results = await asyncio.gather(playing, gone, return_exceptions=True)
    if isinstance(results[0], ConnectionResetError) and name == "reset":
        raise results[0]
    return complete and results[0] is True


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection to its end."""

    async def write(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        try:
            keep = True
            while keep:
                head = await reader.readuntil(b"\r\n\r\n")
                number = int(head.split(b" ", 2)[1][1:].partition(b"?")[0])
                name = fault_of(number)
                if name is None:
                    await write(response(PAGE, "Content-Type: text/html"))
                else:
                    keep = await play(name, number, reader, write)
        except ConnectionResetError:
            # SO_LINGER with no time to linger: close() sends RST instead of FIN.
            connection = writer.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        finally:
            writer.close()


async def serve(listener: socket.socket) -> None:
    """Serve for ever."""
    server = await asyncio.start_server(converse, sock=listener)
    async with server:
        await server.serve_forever()


def main(descriptor: int) -> None:
    """Serve on an inherited socket."""
    global PORT
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 16_384), hard))
    listener = socket.socket(fileno=descriptor)
    PORT = listener.getsockname()[1]
    asyncio.run(serve(listener))


if __name__ == "__main__":
    main(int(sys.argv[1]))
