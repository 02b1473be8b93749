"""The client side of SOCKS 5 (RFC 1928, RFC 1929).

In: a socket connected to the proxy, with a timeout set. Out: a socket that reaches the destination, or a
`ProxyError`. The module resolves nothing: the destination is an address, or a name for the proxy to resolve.
"""

from __future__ import annotations

import socket

from fetchpool.model.failures import FailureKind
from fetchpool.transports.proxies import (
    ANOTHER_AUTHENTICATION,
    NOT_SOCKS,
    WRONG_CREDENTIALS,
    proxy_unreachable,
    socks_refused,
)
from fetchpool.transports.requests.framing import ProxyError

VERSION = 5
NO_AUTHENTICATION, USERNAME_PASSWORD = 0, 2
CONNECT = 1
IPV4, NAME, IPV6 = 1, 3, 4


def connect_through(connection: socket.socket, host: str, port: int, username: str, password: str) -> None:
    """Ask the proxy for a connection to `host` (a name, or an address without brackets).

    Raises `ProxyError` and the socket's exceptions.
    """
    methods = bytes((NO_AUTHENTICATION, USERNAME_PASSWORD) if username else (NO_AUTHENTICATION,))
    connection.sendall(bytes((VERSION, len(methods))) + methods)
    version, method = _read(connection, 2)
    if version != VERSION:
        raise ProxyError(NOT_SOCKS)
    if method == USERNAME_PASSWORD and username:
        _authenticate(connection, username, password)
    elif method != NO_AUTHENTICATION:
        raise ProxyError(ANOTHER_AUTHENTICATION)
    connection.sendall(bytes((VERSION, CONNECT, 0)) + _address(host) + port.to_bytes(2, "big"))
    version, reply, _, kind = _read(connection, 4)
    if version != VERSION:
        raise ProxyError(NOT_SOCKS)
    if reply:
        raise ProxyError(socks_refused(reply))
    # The proxy's own address, which is not needed.
    length = {IPV4: 4, IPV6: 16}.get(kind) or _read(connection, 1)[0]
    _read(connection, length + 2)


def _authenticate(connection: socket.socket, username: str, password: str) -> None:
    """Log in with user name and password (RFC 1929): each at most 255 bytes."""
    said = b"".join(bytes((len(part),)) + part for part in (username.encode()[:255], password.encode()[:255]))
    connection.sendall(b"\x01" + said)
    if _read(connection, 2)[1]:
        raise ProxyError(WRONG_CREDENTIALS)


def _address(host: str) -> bytes:
    for kind, family in ((IPV4, socket.AF_INET), (IPV6, socket.AF_INET6)):
        try:
            return bytes((kind,)) + socket.inet_pton(family, host)
        except OSError:
            continue
    name = host.encode("ascii")[:255]
    return bytes((NAME, len(name))) + name


def _read(connection: socket.socket, amount: int) -> bytes:
    """Read exactly that many bytes."""
    received = b""
    while len(received) < amount:
        more = connection.recv(amount - len(received))
        if not more:
            raise ProxyError(proxy_unreachable(FailureKind.EMPTY_REPLY))
        received += more
    return received
