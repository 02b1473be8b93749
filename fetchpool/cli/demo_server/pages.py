"""The pages of the demo server.

In: a `Request`. Out: a `Response`. No sockets and no clocks: the server waits for a delay. The only state is
the number of requests for each `/flaky` target.

    /                  this list, as a page
    /page/N            an HTML page with a <title>; its size varies with N
    /bytes/N           N bytes, always the same
    /gzip, /gzip/N     a page (or N bytes of text) in gzip, whatever the client accepts
    /delay/MS          a short page, MS after MS milliseconds
    /status/N          a response with status N, 200 to 999
    /redirect/N        N hops (302, Location absolute and relative in turn), then /bytes/1024
    /flaky/N           500 to the first N requests of each distinct target, then 200
    /echo, /upper      the request's body, as it came or in capitals
    /headers           the request's header fields, as a JSON object
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterator
from functools import lru_cache
from threading import Lock

from msgspec import Struct

from fetchpool.cli.demo_server.http1 import Request

MAX_DELAY = 600_000
"""Maximum milliseconds of `/delay/MS`."""
MAX_GZIP = 64 << 20
"""Maximum bytes of `/gzip/N`, which is made in one piece."""

_PATTERN = bytes(range(256)) * 256
_SENTENCE = "A page of the demo server, fetched over loopback, so that no network is needed. "


class Response(Struct, frozen=True):
    """A response: `length` bytes in `blocks`."""

    status: int
    content_type: str
    length: int
    blocks: Iterator[bytes]
    """Generated while sending: `/bytes/1000000000` needs no memory."""
    headers: tuple[tuple[str, str], ...] = ()
    """In addition to Content-Type and Content-Length."""
    delay: float = 0.0
    """Seconds to wait before the first byte."""


def content(size: int) -> bytes:
    """Return the body of `/bytes/SIZE`."""
    return b"".join(_pattern_blocks(size))


@lru_cache(maxsize=256)
def page(number: int) -> bytes:
    """Return the body of `/page/NUMBER`: UTF-8 HTML of about 300 bytes to 60 kB."""
    # Multiplying by a large prime spreads neighbours; squaring makes small pages the common case,
    # as they are in the wild.
    spread = (number * 2_654_435_761 % 1000) / 1000
    sentences = 1 + int(spread * spread * 750)
    return (
        "<!DOCTYPE html>\n<html lang=en>\n<head>\n<meta charset=utf-8>\n"
        f"<title>Demo page {number}</title>\n</head>\n<body>\n<h1>Demo page {number}</h1>\n"
        f"<p>{_SENTENCE * sentences}</p>\n</body>\n</html>\n"
    ).encode()


def text(size: int) -> bytes:
    """Return the text of `/gzip/SIZE`."""
    return (_SENTENCE * (size // len(_SENTENCE) + 1))[:size].encode()


class Site:
    """The pages by path. Thread-safe."""

    def __init__(self) -> None:
        self._asked: Counter[str] = Counter()
        self._lock = Lock()
        self._paths: dict[str, Callable[[Request, int | None], Response | None]] = {
            "": self._index,
            "page": self._page,
            "bytes": self._bytes,
            "gzip": self._gzip,
            "delay": self._delay,
            "status": self._status,
            "redirect": self._redirect,
            "flaky": self._flaky,
            "echo": self._echo,
            "upper": self._upper,
            "headers": self._headers,
        }

    def respond(self, request: Request) -> Response:
        """Return the response of a path, whatever the method: 404 for an unknown path."""
        name, slash, rest = request.target.partition("?")[0][1:].partition("/")
        handler = self._paths.get(name)
        number = int(rest) if rest.isascii() and rest.isdecimal() and len(rest) <= 15 else None
        response = handler(request, number) if handler and (number is not None or not slash) else None
        return response or plain(404, "no such page\n")

    def _index(self, _request: Request, _number: int | None) -> Response:
        return _complete(200, "text/plain; charset=utf-8", (__doc__ or "").encode())

    def _page(self, _request: Request, number: int | None) -> Response | None:
        return None if number is None else _complete(200, "text/html; charset=utf-8", page(number))

    def _bytes(self, _request: Request, number: int | None) -> Response | None:
        if number is None:
            return None
        return Response(200, "application/octet-stream", number, _pattern_blocks(number))

    def _gzip(self, _request: Request, number: int | None) -> Response | None:
        if number is not None and number > MAX_GZIP:
            return None
        content_type = "text/html; charset=utf-8" if number is None else "text/plain; charset=utf-8"
        return _complete(200, content_type, _zipped(number), content_encoding="gzip")

    def _delay(self, _request: Request, number: int | None) -> Response | None:
        if number is None or number > MAX_DELAY:
            return None
        body = f"{number} ms later\n".encode()
        return Response(200, "text/plain; charset=utf-8", len(body), iter((body,)), delay=number / 1000)

    def _status(self, _request: Request, number: int | None) -> Response | None:
        return plain(number, f"status {number}\n") if number and 200 <= number <= 999 else None

    def _redirect(self, request: Request, number: int | None) -> Response | None:
        if number is None:
            return None
        if number == 0:
            return self._bytes(request, 1024)
        _, mark, query = request.target.partition("?")
        location = f"/redirect/{number - 1}{mark}{query}" if number > 1 else f"/bytes/1024{mark}{query}"
        host = request.header("host")
        if number % 2 and host:  # both forms are met in the wild
            location = f"http://{host}{location}"
        return plain(302, f"see {location}\n", ("Location", location))

    def _flaky(self, request: Request, number: int | None) -> Response | None:
        if number is None:
            return None
        with self._lock:
            self._asked[request.target] += 1
            asked = self._asked[request.target]
        return plain(200, "at last\n") if asked > number else plain(500, "not yet\n")

    def _echo(self, request: Request, _number: int | None) -> Response:
        return _complete(200, request.header("content-type") or "application/octet-stream", request.body)

    def _upper(self, request: Request, _number: int | None) -> Response:
        content_type = request.header("content-type") or "application/octet-stream"
        return _complete(200, content_type, request.body.upper())

    def _headers(self, request: Request, _number: int | None) -> Response:
        fields = {name: request.header(name) for name, _ in request.headers}
        return _complete(200, "application/json", json.dumps(fields, indent=2).encode())


def plain(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """Return a page of plain text."""
    body = message.encode()
    return Response(status, "text/plain; charset=utf-8", len(body), iter((body,)), headers)


def _complete(status: int, content_type: str, body: bytes, content_encoding: str = "") -> Response:
    headers = (("Content-Encoding", content_encoding),) if content_encoding else ()
    return Response(status, content_type, len(body), iter((body,)), headers)


def _pattern_blocks(size: int) -> Iterator[bytes]:
    for start in range(0, size, len(_PATTERN)):
        yield _PATTERN[: size - start]


@lru_cache(maxsize=64)
def _zipped(size: int | None) -> bytes:
    return gzip.compress(page(0) if size is None else text(size), compresslevel=6, mtime=0)
