"""A parser of HTTP/1.1 requests for a server (RFC 9112), sans-I/O.

In: bytes, in pieces of any size. Out: one `Request` after another, or a `BadRequestError` with the status of
the response. It uses no socket, and `MAX_HEAD` and `MAX_BODY` limit its memory.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Never

from msgspec import Struct

MAX_HEAD = 65_536
"""Maximum size of the request line and header, or of the trailers of a chunked body."""
MAX_BODY = 16 << 20
"""Maximum size of a request body."""

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([\x21-\x7e]+) HTTP/(\d)\.(\d)")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?")
_AUTHORITY = re.compile(r"https?://[^/?#]*", re.IGNORECASE)


class BadRequestError(Exception):
    """An invalid request. Nothing more is read from the client."""

    def __init__(self, status: int, message: str) -> None:
        """`status`: the status of the response, 400 or more; `message`: its text, one line."""
        super().__init__(message)
        self.status = status


class Request(Struct, frozen=True):
    """A complete request."""

    method: str
    target: str
    """Path and query as sent, percent-encoded, without the scheme and host of an absolute form."""
    headers: tuple[tuple[str, str], ...]
    body: bytes
    keep_alive: bool
    """Whether the client wants the connection to stay open (RFC 9112 section 9.3)."""

    def header(self, name: str) -> str | None:
        """Return the values of a header, joined by a comma; None if there is none."""
        return _joined(self.headers, name)


class RequestReader:
    """Parses the requests of one connection: call `feed()` with received bytes, then `next_request()`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._messages = self._read_messages()
        self._continue_wanted = False

    def feed(self, chunk: bytes) -> None:
        """Add received bytes."""
        self._buffer += chunk

    def next_request(self) -> Request | None:
        """Return the next complete request, or None if more bytes are needed. Raises `BadRequestError`, and
        must not be called again then."""
        return next(self._messages)

    def take_continue(self) -> bool:
        """Return True once for each body whose client waits for `100 Continue` (RFC 9110 section 10.1.1)."""
        wanted, self._continue_wanted = self._continue_wanted, False
        return wanted

    # The parser is a generator, so that the received bytes may end anywhere: it yields None if it needs more.

    def _read_messages(self) -> Generator[Request | None, None, Never]:
        while True:
            yield (yield from self._read_message())

    def _read_message(self) -> Generator[None, None, Request]:
        line = b""
        left = MAX_HEAD
        while not line:  # empty lines before a request are to be ignored (RFC 9112 section 2.2)
            line = yield from self._read_line(left)
            left -= len(line) + 2
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise BadRequestError(400, "not an HTTP request line")
        method, target, major, minor = (part.decode("ascii") for part in match.groups())
        if major != "1":
            raise BadRequestError(505, "only HTTP/1.0 and HTTP/1.1 are supported")
        headers = yield from self._read_fields(left)
        hosts = sum(1 for name, _ in headers if name.lower() == "host")
        if hosts > 1 or (minor != "0" and hosts == 0):  # RFC 9112 section 3.2
            raise BadRequestError(400, "one Host field is required")
        body = yield from self._read_body(headers)
        connection = (_joined(headers, "connection") or "").lower()
        keep_alive = "close" not in connection if minor != "0" else "keep-alive" in connection
        if not target.startswith("/"):  # the absolute form, as sent to a proxy
            target = _AUTHORITY.sub("", target, count=1)
            if not target.startswith("/"):
                target = f"/{target}"
        return Request(method, target, headers, body, keep_alive)

    def _read_body(self, headers: tuple[tuple[str, str], ...]) -> Generator[None, None, bytes]:
        coding = _joined(headers, "transfer-encoding")
        lengths = {value for name, value in headers if name.lower() == "content-length"}
        if coding is not None:
            if lengths:  # the classic way to smuggle a request (RFC 9112 section 6.1)
                raise BadRequestError(400, "both Transfer-Encoding and Content-Length")
            if coding.lower() != "chunked":
                raise BadRequestError(501, "the only supported transfer coding is chunked")
            self._continue_wanted = _expects_continue(headers)
            return (yield from self._read_chunks())
        if not lengths:
            return b""
        text = lengths.pop()
        if lengths or not re.fullmatch("[0-9]+", text):
            raise BadRequestError(400, "Content-Length is not one number")
        if len(text) > 15 or int(text) > MAX_BODY:
            raise BadRequestError(413, f"a body of more than {MAX_BODY} bytes")
        self._continue_wanted = _expects_continue(headers)
        return (yield from self._read_exactly(int(text)))

    def _read_chunks(self) -> Generator[None, None, bytes]:
        body = bytearray()
        while True:
            match = _CHUNK_SIZE.fullmatch((yield from self._read_line(MAX_HEAD)))
            if match is None:
                raise BadRequestError(400, "not a chunk size")
            size = int(match[1], 16)
            if len(body) + size > MAX_BODY:
                raise BadRequestError(413, f"a body of more than {MAX_BODY} bytes")
            if size == 0:
                yield from self._read_fields(MAX_HEAD)  # trailers are read and ignored
                return bytes(body)
            body += yield from self._read_exactly(size)
            if (yield from self._read_line(MAX_HEAD)):
                raise BadRequestError(400, "a chunk longer than its size")

    def _read_fields(self, left: int) -> Generator[None, None, tuple[tuple[str, str], ...]]:
        fields: list[tuple[str, str]] = []
        while line := (yield from self._read_line(left)):
            left -= len(line) + 2
            match = _FIELD_LINE.fullmatch(line)
            if match is None:  # a folded line too: a server may refuse it (RFC 9112 section 5.2)
                raise BadRequestError(400, "not a header field")
            fields.append((match[1].decode("ascii"), match[2].decode("latin-1").rstrip(" \t")))
        return tuple(fields)

    def _read_line(self, left: int) -> Generator[None, None, bytes]:
        """Return a line without its end, which may be a bare LF (RFC 9112 section 2.2)."""
        buffer = self._buffer
        scanned = 0
        while (end := buffer.find(b"\n", scanned)) < 0:
            scanned = len(buffer)
            if scanned > left:
                raise BadRequestError(431, "a line or a head that is too long")
            yield None
        if end > left:
            raise BadRequestError(431, "a line or a head that is too long")
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _read_exactly(self, size: int) -> Generator[None, None, bytes]:
        buffer = self._buffer
        while len(buffer) < size:
            yield None
        self._continue_wanted = False  # the body was sent without waiting
        block = bytes(buffer[:size])
        del buffer[:size]
        return block


def _joined(headers: tuple[tuple[str, str], ...], name: str) -> str | None:
    values = [value for key, value in headers if key.lower() == name.lower()]
    return ", ".join(values) if values else None


def _expects_continue(headers: tuple[tuple[str, str], ...]) -> bool:
    return (_joined(headers, "expect") or "").lower() == "100-continue"
