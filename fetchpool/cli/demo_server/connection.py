"""One connection of the demo server: reads requests and sends responses without blocking.

In: a readable (or writable) socket. Out: responses, and what the connection waits for next. Only one thread
uses it at a time. If the client is slow, `advance()` returns instead of waiting.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus

from fetchpool.cli.demo_server.http1 import BadRequestError, Request, RequestReader
from fetchpool.cli.demo_server.pages import Response, plain

RECEIVE = 1 << 18
"""Maximum number of bytes per read."""
BLOCKS_PER_CALL = 32
"""Maximum number of body blocks sent before other connections are served."""
DISCARDS = 64
"""Maximum number of reads from a client whose request was rejected, so that it can receive the response."""


class Next(Enum):
    """What a connection waits for next."""

    READ = auto()
    """The client's next bytes."""
    WRITE = auto()
    """The client to receive what was sent."""
    DELAY = auto()
    """The delay of its response (`Connection.delay`)."""
    CONTINUE = auto()
    """A thread, since there is more to send at once."""
    CLOSE = auto()
    """Nothing; the connection is finished."""


class Connection:
    """A client's socket, with its partly read request and partly sent response."""

    __slots__ = ("_blocks", "_closing", "_discards_left", "_pending", "_reader", "_respond", "delay", "sock")

    def __init__(self, sock: socket.socket, respond: Callable[[Request], Response]) -> None:
        """`sock` must not block; `respond` is called for each request."""
        self.sock = sock
        self.delay = 0.0
        """Seconds before the response may be sent; set with `Next.DELAY`."""
        self._respond = respond
        self._reader = RequestReader()
        self._pending = memoryview(b"")
        self._blocks: Iterator[bytes] = iter(())
        self._closing = False
        self._discards_left = 0

    def advance(self) -> Next:
        """Read and send as much as possible without waiting."""
        try:
            return self._advance()
        except OSError:  # the client closed the connection
            return Next.CLOSE

    def _advance(self) -> Next:
        received = False
        while True:
            if unsent := self._send():
                return unsent
            if self._closing:
                return self._linger()
            try:
                request = self._reader.next_request()
            except BadRequestError as error:
                self._prepare(plain(error.status, f"{error}\n"), has_body=True, keep_alive=False)
                continue
            if request is not None:
                response = self._respond(request)
                self._prepare(response, has_body=request.method != "HEAD", keep_alive=request.keep_alive)
                if response.delay:
                    self.delay = response.delay
                    return Next.DELAY
            elif self._reader.take_continue():
                self._pending = memoryview(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif received:  # more bytes have rarely arrived yet, so another read would be in vain
                return Next.READ
            else:
                try:
                    chunk = self.sock.recv(RECEIVE)
                except BlockingIOError:
                    return Next.READ
                if not chunk:
                    return Next.CLOSE
                self._reader.feed(chunk)
                received = True

    def _prepare(self, response: Response, *, has_body: bool, keep_alive: bool) -> None:
        lines = [f"HTTP/1.1 {response.status} {_reason(response.status)}"]
        lines.append(f"Date: {formatdate(usegmt=True)}")
        if response.status in (204, 304):  # neither has a body (RFC 9110 sections 15.3.5 and 15.4.5)
            has_body = False
        else:
            lines.append(f"Content-Type: {response.content_type}")
            lines.append(f"Content-Length: {response.length}")
        lines += [f"{name}: {value}" for name, value in response.headers]
        # Sent in both cases, as a client of HTTP/1.0 that asked for keep-alive needs the header.
        lines.append("Connection: keep-alive" if keep_alive else "Connection: close")
        head = "\r\n".join((*lines, "", "")).encode("latin-1")
        self._closing = not keep_alive
        self._blocks = response.blocks if has_body else iter(())
        self._pending = memoryview(head + next(self._blocks, b""))  # one packet for a small response

    def _send(self) -> Next | None:
        """Send the rest of the response; return None once all of it is sent."""
        for _ in range(BLOCKS_PER_CALL):
            if not self._pending:
                block = next(self._blocks, None)
                if block is None:
                    return None
                self._pending = memoryview(block)
            try:
                sent = self.sock.send(self._pending)
            except BlockingIOError:
                return Next.WRITE
            self._pending = self._pending[sent:]
        return Next.CONTINUE

    def _linger(self) -> Next:
        # Closing a socket with unread bytes resets the connection, and the reset can overtake the response.
        # So it is half-closed, and read until the client closes it, too (RFC 9112 section 9.6).
        if not self._discards_left:
            self.sock.shutdown(socket.SHUT_WR)
            self._discards_left = DISCARDS
        for _ in range(self._discards_left):
            self._discards_left -= 1
            try:
                if not self.sock.recv(RECEIVE):
                    break
            except BlockingIOError:
                return Next.READ if self._discards_left else Next.CLOSE
        return Next.CLOSE


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"
