"""Servers for what comes behind a response, or before its end: HTTP/1.1 byte by byte, HTTP/2 frame by frame.

In: what to do with each request. Out: a port on loopback, with TLS or without, a thread for each connection.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

import trustme

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY = 0, 1, 3, 4, 6, 7
END_STREAM, END_HEADERS, ACK = 1, 4, 1
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM = 0, 1, 2, 7, 8, 11
STATUS_200 = b"\x88"
"""`:status: 200` (RFC 7541 appendix A)."""
TIMEOUT = 20.0


class EndingServer:
    """`serve` is handed each connection, and its number from 1; what it raises of the network ends it."""

    def __init__(
        self, serve: Callable[[socket.socket, int], None], *protocols: str, tls: bool = True
    ) -> None:
        self._serve = serve
        self._context: ssl.SSLContext | None = None
        if tls:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(self._context)
            self._context.set_alpn_protocols(list(protocols or ("http/1.1",)))
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0

    def url(self, path: str) -> str:
        return f"{'http' if self._context is None else 'https'}://127.0.0.1:{self.port}/{path}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection, self.connections), daemon=True).start()

    def _talk(self, plain: socket.socket, number: int) -> None:
        plain.settimeout(TIMEOUT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = plain
        with contextlib.suppress(OSError):
            if self._context is not None:
                connection = self._context.wrap_socket(plain, server_side=True)
            self._serve(connection, number)
        with contextlib.suppress(OSError):
            connection.close()


def path_of(connection: socket.socket) -> str:
    """Of the next HTTP/1.1 request. Raises `OSError` when there is none."""
    head = b""
    while b"\r\n\r\n" not in head:
        received = connection.recv(65536)
        if not received:
            raise OSError("the client has closed")
        head += received
    return head.split(b" ")[1].decode().lstrip("/")


def at_once(connection: socket.socket, *pieces: bytes) -> None:
    """Sends them as TLS records of their own, in one segment."""
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for piece in pieces:
        connection.sendall(piece)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream) + payload


def page(stream: int, body: bytes = b"page") -> bytes:
    """A complete response without a length."""
    return frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, END_STREAM, stream, body)


def part(stream: int) -> bytes:
    """The beginning of one."""
    return frame(HEADERS, END_HEADERS, stream, STATUS_200) + frame(DATA, 0, stream, b"pa")


def reset(stream: int, code: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", code))


def goaway(last: int, code: int) -> bytes:
    return frame(GOAWAY, 0, 0, struct.pack(">II", last, code))


def http2(respond: Callable[[int, int], bytes]) -> Callable[[socket.socket, int], None]:
    """Return a server of HTTP/2. `respond(stream, nth)` returns the bytes to send; `nth` counts all requests,
    from 1. After empty bytes, or a GOAWAY, the connection is closed."""
    lock = threading.Lock()
    total = 0

    def serve(connection: socket.socket, _: int) -> None:
        nonlocal total
        _exactly(connection, 24)
        connection.sendall(frame(SETTINGS, 0, 0))
        while True:
            head = _exactly(connection, 9)
            payload = _exactly(connection, int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind in (SETTINGS, PING) and not flags & ACK:
                connection.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
            if kind != HEADERS:
                continue
            with lock:
                total += 1
                nth = total
            said = respond(stream, nth)
            connection.sendall(said)
            if not said or said[3] == GOAWAY:
                return

    return serve


def _exactly(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        received = connection.recv(size - len(data))
        if not received:
            raise OSError("the client has closed")
        data += received
    return data
