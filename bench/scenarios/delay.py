"""A server that responds after a delay.

`/MILLISECONDS/BYTES/anything` is answered after that time with that many bytes. If `anything` is `busy`,
the server has limited capacity: beyond `EASE` concurrent requests it gets slower, beyond `BUSY` it responds
503 immediately. `/answered` returns the number of requests so far.

nginx cannot delay responses, and a server with a thread or a coroutine per waiting client would itself be the
bottleneck. This is one thread over epoll with a heap of due responses: about 13 µs per request, so 10,000
requests a second leave it idle most of the time (`python -m bench.scenarios.servers` checks that).

In: the number of an inherited listening socket. It listens for as long as it lives. Requests without a body
only, one at a time per connection; anything else closes the connection.
"""

from __future__ import annotations

import resource
import select
import socket
import sys
from heapq import heappop, heappush
from time import monotonic

MAX_REQUEST = 16_384
EASE = 40
BUSY = 50
"""Concurrent requests above which the busy server responds 503."""
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
END = b"\r\n\r\n"


class DelayServer:
    """Holds all connections, and the responses that they wait for."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        listener.setblocking(False)
        self._epoll = select.epoll()
        self._epoll.register(listener.fileno(), select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}
        self._partial: dict[int, bytes] = {}
        self._due: list[tuple[float, int, socket.socket, bytes]] = []
        self._sequence = 0
        self._answers: dict[bytes, bytes] = {}

    def serve(self) -> None:
        """Serve for ever."""
        due, listener = self._due, self._listener.fileno()
        while True:
            timeout = max(0.0, due[0][0] - monotonic()) if due else -1
            for descriptor, _ in self._epoll.poll(timeout):
                if descriptor == listener:
                    self._accept()
                else:
                    self._read(descriptor)
            now = monotonic()
            while due and due[0][0] <= now:
                _, _, connection, answer = heappop(due)
                self._answer(connection, answer)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except BlockingIOError:
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections[connection.fileno()] = connection
            self._epoll.register(connection.fileno(), select.EPOLLIN)

    def _read(self, descriptor: int) -> None:
        connection = self._connections[descriptor]
        try:
            received = connection.recv(MAX_REQUEST)
        except ConnectionResetError:
            received = b""
        request = self._partial.pop(descriptor, b"") + received
        if received and not request.endswith(END) and len(request) < MAX_REQUEST:
            self._partial[descriptor] = request
            return
        if request.startswith(b"GET /answered "):
            self._answer(connection, response(b"%d" % self._sequence))
            return
        parts = request[: request.find(b" HTTP/")].split(b"/", 3)
        if len(parts) < 4 or not parts[1].isdigit() or not parts[2].isdigit():
            self._close(connection)
            return
        size = parts[2]
        answer = self._answers.get(size)
        if answer is None:
            answer = self._answers[size] = response(b"x" * int(size))
        self._sequence += 1  # of two that are due at once the sockets aren't compared
        seconds = int(parts[1]) / 1000
        if parts[3].startswith(b"busy"):
            if len(self._due) >= BUSY:
                self._answer(connection, UNAVAILABLE)
                return
            seconds *= max(1.0, len(self._due) / EASE)
        heappush(self._due, (monotonic() + seconds, self._sequence, connection, answer))

    def _answer(self, connection: socket.socket, answer: bytes) -> None:
        if connection.fileno() < 0:  # its client left
            return
        try:
            sent = connection.send(answer)
        except (BrokenPipeError, ConnectionResetError):
            self._close(connection)
            return
        if sent < len(answer):
            raise RuntimeError(f"an answer of {len(answer)} bytes is more than a socket takes at once")

    def _close(self, connection: socket.socket) -> None:
        self._epoll.unregister(connection.fileno())
        del self._connections[connection.fileno()]
        connection.close()


def response(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    DelayServer(socket.socket(fileno=int(sys.argv[1]))).serve()
