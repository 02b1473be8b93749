"""A raw-socket server for faults: it sends exactly the bytes that a scenario specifies.

In: a request at `/<scenario>` (a `?query` is the scenario's own). Out: bytes, silence, or a closed
connection. It keeps what it received, so that tests can see what leaked, and counts connections.
A thread for each connection, at most `MOST_CONNECTIONS`; loopback only; a client that hangs up ends
its scenario quietly.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self

MOST_CONNECTIONS = 64
MOST_HEAD = 256 * 1024
LAST_DATA_RECEIVED = 52
"""Offset of tcpi_last_data_recv in TCP_INFO: milliseconds in 32 bits."""
TIMEOUT = 30.0
"""Seconds after which an endless scenario ends anyway: no test may hang on its server."""

Scenario = Callable[["Peer", "Received"], None]
SCENARIOS: dict[str, Scenario] = {}


def scenario(name: str) -> Callable[[Scenario], Scenario]:
    """Registers a function as what happens at `/<name>`."""

    def register(function: Scenario) -> Scenario:
        assert name not in SCENARIOS, name
        SCENARIOS[name] = function
        return function

    return register


class GoneError(Exception):
    """The client hung up, or the server stops: the scenario is over."""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    method: str
    target: str
    lines: tuple[str, ...]
    """Header lines as sent, in order, without their line ends (latin-1)."""
    connection: int
    """Which connection it came by, from 1."""
    turn: int
    """Which request on that connection it is, from 1."""
    port: int
    """The server's own."""
    at: float
    """When its last bytes had come, on the monotonic clock."""

    @property
    def scenario(self) -> str:
        path = self.target.partition("?")[0]
        if "://" in path:  # as a proxy is asked
            path = "/" + path.split("/", 3)[3]
        return path.removeprefix("/")

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    def headers(self) -> dict[str, str]:
        """By lower-case name; of repeated ones the last."""
        pairs = (line.split(":", 1) for line in self.lines)
        return {name.strip().lower(): value.strip() for name, value in pairs}


class Peer:
    """The server's end of one connection, as a scenario handles it."""

    def __init__(self, connection: socket.socket, closing: threading.Event) -> None:
        self._connection = connection
        self._closing = closing
        self._buffer = b""
        self.keep = False
        """The response was complete: another request may follow."""

    def send(self, data: bytes | str) -> None:
        """Raises `GoneError` when the client has closed the connection."""
        if self._closing.is_set():
            raise GoneError
        try:
            self._connection.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        except OSError as error:
            raise GoneError from error

    def pause(self, seconds: float) -> None:
        """A moment in which nothing is sent. Raises `GoneError` when the server stops."""
        if self._closing.wait(seconds):
            raise GoneError

    def stay(self) -> None:
        """Nothing more is said; the connection stays open until the client hangs up."""
        with contextlib.suppress(OSError):
            self._connection.settimeout(TIMEOUT)
            while self._connection.recv(4096):
                pass

    def reset(self) -> None:
        """The connection ends with a TCP reset."""
        # SO_LINGER with no time to linger: close() sends RST instead of FIN.
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()
        raise GoneError

    def respond(self, body: bytes = b"", *headers: str, status: str = "200 OK", method: str = "GET") -> None:
        """A well-formed response with its length; the connection can be used again."""
        lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1") + (b"" if method == "HEAD" else body))
        self.keep = True

    def read_head(self) -> bytes | None:
        """The next request's head; None when the client hung up instead."""
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > MOST_HEAD:
                return None
            try:
                received = self._connection.recv(65536)
            except OSError:
                return None
            if not received:
                return None
            self._buffer += received
            if not self._buffer[:1].isalpha():  # a TLS handshake, say
                self.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def received_at(self) -> float:
        """When the last bytes came, on the monotonic clock: on Linux, when the kernel received them. On a
        busy machine this thread may read them much later."""
        now = monotonic()
        with contextlib.suppress(AttributeError, OSError):  # no Linux, or the connection is gone
            info = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, LAST_DATA_RECEIVED + 4)
            now -= struct.unpack_from("=I", info, LAST_DATA_RECEIVED)[0] / 1000
        return now


class FaultServer:
    """Listens on a free port of 127.0.0.1, or on a given address, from `with` to the end of it."""

    def __init__(
        self,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        scenarios: Mapping[str, Scenario] | None = None,
    ) -> None:
        """`scenarios`: those of this server only."""
        from tests.faults.scenarios import broken, normal, responses  # they register themselves

        assert responses
        assert broken
        assert normal
        self._scenarios = SCENARIOS | dict(scenarios or {})
        self._tls = tls
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self.host = host
        self.port: int = self._listener.getsockname()[1]
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._slots = threading.Semaphore(MOST_CONNECTIONS)
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self.received: list[Received] = []
        """Every request, in the order it came."""
        self.connections = 0
        """How many were accepted."""

    def url(self, path: str, host: str | None = None) -> str:
        """The URL of a scenario, `path` with or without a query."""
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{host or self.host}:{self.port}/{path}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept()
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive(), "a scenario did not end"

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            self._slots.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing.is_set():
                    connection.close()
                    return
                self._open.add(connection)
                self.connections += 1
                number = self.connections
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._start(self._serve, connection, number)

    def _serve(self, connection: socket.socket, number: int) -> None:
        spoken = connection
        try:
            connection.settimeout(TIMEOUT)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is not None:
                spoken = self._tls.wrap_socket(connection, server_side=True)
                with self._lock:
                    self._open.discard(connection)
                    self._open.add(spoken)
            self._converse(Peer(spoken, self._closing), number)
        except (GoneError, OSError):
            pass  # the client hung up, which is its right
        finally:
            with self._lock:
                self._open.discard(connection)
                self._open.discard(spoken)
            spoken.close()
            self._slots.release()

    def _converse(self, peer: Peer, number: int) -> None:
        turn = 0
        while (head := peer.read_head()) is not None:
            turn += 1
            request_line, *lines = head.decode("latin-1").split("\r\n")
            method, target, _ = request_line.split(" ", 2)
            received = Received(method, target, tuple(lines), number, turn, self.port, peer.received_at())
            with self._lock:
                self.received.append(received)
            peer.keep = False
            play = self._scenarios.get(received.scenario)
            if play is None:
                peer.respond(b"no such scenario", status="404 Not Found", method=method)
            else:
                play(peer, received)
            if not peer.keep:
                return
