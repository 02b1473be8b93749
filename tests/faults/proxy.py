"""A small proxy of each kind: it forwards, tunnels, or speaks SOCKS 5, and remembers what it was asked.

Loopback only, a thread for each connection. Whatever name it is asked for, it connects to 127.0.0.1:
a test can see that a name was left to the proxy.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

TIMEOUT = 20.0


class Proxy:
    """Listens from `with` to the end of it."""

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        refuses: str = "",
        credentials: tuple[str, str] | None = None,
        upgrades_to: int = 0,
        at_first: Sequence[str] = (),
        unreachable: Mapping[str, int | None] | None = None,
        port: int = 0,
    ) -> None:
        """`refuses`: a status line's code and reason for every CONNECT. `credentials`: what SOCKS wants.
        `upgrades_to`: what is forwarded is redirected to https, and the port of the server there.
        `at_first`: what the first connections get: `close`, `reset`, or the number of a SOCKS reply.
        `unreachable`: the SOCKS reply for an address, None for none at all."""
        self._unreachable = unreachable or {}
        self._at_first = list(at_first)
        self._upgrades_to = upgrades_to
        self._tls = tls
        self._refuses = refuses
        self._credentials = credentials
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self.failed = 0
        """Connections that were served as `at_first` says."""
        self.heads: list[str] = []
        """The heads of HTTP requests that it read."""
        self.destinations: list[tuple[str, int]] = []
        """Where SOCKS clients wanted to go, as they said it."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(TIMEOUT)
        with contextlib.suppress(OSError):
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._open.add(connection)
            first = connection.recv(1)
            if first and self._at_first:
                self._fail(connection, first, self._at_first.pop(0))
                first = b""
            if first == b"\x05":
                self._socks(connection)
            elif first:
                self._http(connection, first)
        self._open.discard(connection)
        connection.close()

    def _fail(self, client: socket.socket, first: bytes, how: str) -> None:
        self.failed += 1
        if first == b"\x05" and how.isdigit():
            exactly(client, exactly(client, 1)[0])
            client.sendall(b"\x05\x00")
            client.recv(4096)
            client.sendall(b"\x05" + bytes([int(how)]) + b"\x00\x01" + bytes(6))
            return
        client.recv(65536)
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _http(self, client: socket.socket, received: bytes) -> None:
        while True:
            while b"\r\n\r\n" not in received:
                more = client.recv(65536)
                if not more:
                    return
                received += more
            head, _, received = received.partition(b"\r\n\r\n")
            self.heads.append(head.decode("latin-1"))
            method, target, _ = self.heads[-1].split("\r\n")[0].split(" ", 2)
            if method == "CONNECT":
                if self._refuses:
                    client.sendall(f"HTTP/1.1 {self._refuses}\r\nContent-Length: 0\r\n\r\n".encode())
                    return
                port = self._upgrades_to or int(target.rsplit(":", 1)[1])
                with socket.create_connection(("127.0.0.1", port)) as server:
                    client.sendall(b"HTTP/1.1 200 Connection established\r\nX-Proxy: yes\r\n\r\n")
                    relay(client, server)
                return
            if self._upgrades_to:
                where = target.replace("http:", "https:")
                client.sendall(
                    f"HTTP/1.1 301 Moved\r\nLocation: {where}\r\nContent-Length: 0\r\n\r\n".encode()
                )
                continue
            client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nforwarded")

    def _socks(self, client: socket.socket) -> None:
        methods = exactly(client, exactly(client, 1)[0])
        if self._credentials is None:
            client.sendall(b"\x05\x00")
        elif 2 not in methods:
            client.sendall(b"\x05\xff")
            return
        else:
            client.sendall(b"\x05\x02")
            exactly(client, 1)
            said = tuple(exactly(client, exactly(client, 1)[0]).decode() for _ in range(2))
            client.sendall(b"\x01\x00" if said == self._credentials else b"\x01\x01")
            if said != self._credentials:
                return
        _, _, _, kind = exactly(client, 4)
        if kind == 1:
            host = socket.inet_ntop(socket.AF_INET, exactly(client, 4))
        elif kind == 4:
            host = socket.inet_ntop(socket.AF_INET6, exactly(client, 16))
        else:
            host = exactly(client, exactly(client, 1)[0]).decode()
        port = int.from_bytes(exactly(client, 2), "big")
        self.destinations.append((host, port))
        if self._refuses:
            client.sendall(b"\x05\x02\x00\x01" + bytes(6))
            return
        if host in self._unreachable:
            reply = self._unreachable[host]
            if reply is not None:
                client.sendall(b"\x05" + bytes([reply]) + b"\x00\x01" + bytes(6))
            client.recv(1)  # until the client closes the connection
            return
        with socket.create_connection(("127.0.0.1", port)) as server:
            client.sendall(b"\x05\x00\x00\x01" + bytes(6))
            relay(client, server)


def exactly(connection: socket.socket, amount: int) -> bytes:
    received = b""
    while len(received) < amount:
        more = connection.recv(amount - len(received))
        if not more:
            raise ConnectionResetError
        received += more
    return received


def relay(one: socket.socket, other: socket.socket) -> None:
    """Bytes both ways until either side ends."""
    with selectors.DefaultSelector() as selector:
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select(TIMEOUT):
                source = key.fileobj
                assert isinstance(source, socket.socket)
                received = source.recv(65536)
                while isinstance(source, ssl.SSLSocket) and source.pending():
                    received += source.recv(65536)
                if not received:
                    return
                key.data.sendall(received)
