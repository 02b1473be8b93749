"""urllib3's connections and pools, adapted to send a hop's request unchanged and to record its progress.

In: an origin or a proxy, and the `Trace` of the hop in progress. Out: the response to a request, its head
read, on a connection that is reused if the response was read to its end. (urllib3's own handling of proxies,
TLS and timeouts is not used: it has none of these deadlines, and reports none of these times.)

They add nothing to a request, change nothing in it, and repeat it only when the server has closed a kept
connection in the meantime.
"""

from __future__ import annotations

import socket
import ssl
from time import monotonic
from typing import Any, cast

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from fetchpool.model.addresses import address_is_public
from fetchpool.model.failures import FailureKind
from fetchpool.transports.requests.dialer import Dialer
from fetchpool.transports.requests.framing import TransportError
from fetchpool.transports.requests.http1 import ResponseReader
from fetchpool.transports.requests.trace import Phase
from fetchpool.transports.unread import has_unread, is_closed_by_server

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""Methods that may be repeated if it is unknown whether the request arrived (RFC 9110 section 9.2.2)."""


class HopConnection(HTTPConnection):
    """A connection to an origin or a proxy."""

    sock: Any  # socket, ssl.SSLSocket or urllib3's SSLTransport, which is TLS within TLS

    def __init__(self, *args: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*args, **options)
        self._dialer = dialer
        self.remote_ip = ""
        self.peer = ""

    @property
    def is_connected(self) -> bool:
        """Whether an open connection can be reused; called by urllib3. It can't if it has unread bytes, which
        can't be the response to a request that was not sent yet (RFC 9112 section 9.2)."""
        if self.has_surplus:
            self._dialer.trace.surplus = True
            return False
        return super().is_connected

    @property
    def has_surplus(self) -> bool:
        """Whether unread bytes wait. What the kernel holds of a TLS connection may belong to TLS itself."""
        if self.sock is None:
            return False
        descriptor = self.sock.fileno()
        plain = type(self.sock) is socket.socket
        return has_decrypted(self.sock) or (
            plain and has_unread(descriptor) and not is_closed_by_server(descriptor)
        )

    def connect(self) -> None:
        trace = self._dialer.trace
        self.sock = self._dialer.connect(self.host, self.port)
        self.remote_ip, self.peer = trace.remote_ip or "", trace.peer

    def close(self) -> None:
        if self.sock is not None:
            self._dialer.close(self.sock)
        super().close()


class HopTlsConnection(HopConnection, HTTPSConnection):
    """A connection with TLS."""

    def connect(self) -> None:
        super().connect()
        trace = self._dialer.trace
        if not trace.forwarded:
            trace.phase = Phase.TLS
        self.sock = self._dialer.start_tls(self.sock, self.host, is_proxy=trace.forwarded)
        trace.appconnect = monotonic()


class HopPool(HTTPConnectionPool):
    """The open connection to an origin, or to a forwarding proxy. There is only one, since a transport
    performs one hop at a time."""

    ConnectionCls = HopConnection

    def __init__(self, *args: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn_kw["dialer"] = dialer
        self._trace = dialer.trace

    def urlopen(self, method: str, **_: Any) -> PooledResponse:  # type: ignore[override]  # HTTPAdapter.send's
        """Send the hop's request (`Trace.request`) and read the head of its response. Called by
        `HTTPAdapter.send`, which accepts any object as a response.

        Raises one of `errors.HANDLED`.
        """
        trace = self._trace
        connection = cast(HopConnection, self._get_conn())
        kept = not connection.is_closed
        if kept and trace.hop.fresh:
            connection.close()
        if kept and trace.hop.public_only and not address_is_public(connection.remote_ip):
            connection.close()  # it was opened for a hop without address checks
        kept = not connection.is_closed
        try:
            return self._send(connection)
        except BaseException as error:
            connection.close()
            unanswered = isinstance(error, OSError | TransportError) and not trace.starttransfer
            garbled = isinstance(error, TransportError) and error.kind is FailureKind.PROTOCOL
            if not (kept and (unanswered or garbled)) or trace.watch.ending or method not in IDEMPOTENT:
                raise
            trace.surplus |= garbled
            trace.starttransfer = 0.0
        # The server had closed the kept connection, or sent surplus bytes after its last response, which
        # can't be known before: not a failure of this request (RFC 9112 section 9.3.1; curl does the same).
        return self._send(connection)

    def _send(self, connection: HopConnection) -> PooledResponse:
        trace = self._trace
        if connection.is_closed:
            connection.connect()
            connection.sock.settimeout(None)  # the watchdog takes over, with fewer calls
        # With TLS 1.3 the client does not know the server's verdict when its part of the handshake is done: a
        # server that closes the connection on the request has rejected the handshake.
        if trace.phase is not Phase.TLS:
            trace.phase = Phase.RESPONSE
        trace.watch.use_socket(connection.sock.fileno())
        trace.remote_ip, trace.peer = connection.remote_ip, connection.peer
        if connection.has_surplus:
            trace.surplus = True
            raise TransportError(FailureKind.RESET, "data received before the request was sent")
        connection.sock.sendall(trace.request)
        trace.phase = Phase.RESPONSE
        response = PooledResponse(connection, self)
        response.read_head()
        return response


class HopTlsPool(HopPool, HTTPSConnectionPool):
    """A pool of connections with TLS."""

    ConnectionCls = HopTlsConnection


class PooledResponse(ResponseReader):
    """A response, and its connection."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, connection: HopConnection, pool: HopPool) -> None:
        trace = pool._trace
        super().__init__(connection.sock, trace.hop.method, trace.on_received)
        self._connection = connection
        self._pool = pool

    def release_conn(self) -> None:
        """Keep the connection for the next request if the response was read to its end; otherwise close
        it."""
        trace = self._pool._trace
        trace.surplus |= self.has_surplus or self._connection.has_surplus
        if self.reusable and not (trace.surplus or trace.hop.fresh or trace.hop.close):
            self._pool._put_conn(self._connection)
        else:
            self.close()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._connection.close()


def has_decrypted(connection: Any) -> bool:
    """Whether OpenSSL holds decrypted bytes of a `socket` (never), an `SSLSocket`, or urllib3's
    `SSLTransport`, which is TLS within TLS."""
    if isinstance(connection, ssl.SSLSocket):
        return connection.pending() > 0
    sslobj = getattr(connection, "sslobj", None)
    if sslobj is None:
        return False
    return sslobj.pending() > 0 or connection.incoming.pending > 0 or has_decrypted(connection.socket)
