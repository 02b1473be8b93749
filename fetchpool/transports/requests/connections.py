"""urllib3's connections and pools, so that they send what they are told and tell what they do.

In: an origin or a proxy, and the `Trace` of the hop in progress. Out: the answer to a request, its
head read, on a connection that is kept when the answer was read to its end. (urllib3's own handling of
proxies, TLS and timeouts is not used: it has none of these deadlines, and tells none of these times.)

They add nothing to a request, change nothing in it, and repeat it only when a kept connection turns
out to have been closed by the server in the meantime.
"""

from __future__ import annotations

import socket
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
from fetchpool.transports.unread import has_decrypted, has_unread, is_farewell

IDEMPOTENT = frozenset(("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"))
"""May be sent again when nobody can tell whether they arrived (RFC 9110 section 9.2.2)."""


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
        """urllib3's question, of a kept connection: whether it can be used. Not with bytes on it that nobody
        has read: they are no answer to what has not been asked (RFC 9112 section 9.2)."""
        if self.has_surplus:
            self._dialer.trace.surplus = True
            return False
        return super().is_connected

    @property
    def has_surplus(self) -> bool:
        """Whether bytes wait that answer nothing. What the kernel holds of TLS may be TLS's own."""
        if self.sock is None:
            return False
        descriptor = self.sock.fileno()
        plain = type(self.sock) is socket.socket
        return has_decrypted(self.sock) or (plain and has_unread(descriptor) and not is_farewell(descriptor))

    def connect(self) -> None:
        trace = self._dialer.trace
        self.sock = self._dialer.dial(self.host, self.port)
        self.remote_ip, self.peer = trace.remote_ip or "", trace.peer

    def close(self) -> None:
        if self.sock is not None:
            self._dialer.close(self.sock)
        super().close()


class HopTlsConnection(HopConnection, HTTPSConnection):
    """The same with TLS."""

    def connect(self) -> None:
        super().connect()
        trace = self._dialer.trace
        if not trace.forwarded:
            trace.phase = Phase.TLS
        self.sock = self._dialer.secure(self.sock, self.host)
        trace.appconnect = monotonic()


class HopPool(HTTPConnectionPool):
    """The kept connection to an origin, or to a proxy that forwards: one, since a transport makes
    one hop at a time."""

    ConnectionCls = HopConnection

    def __init__(self, *args: Any, dialer: Dialer, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn_kw["dialer"] = dialer
        self._trace = dialer.trace

    def urlopen(self, method: str, **_: Any) -> PooledResponse:  # type: ignore[override]  # HTTPAdapter.send's
        """Sends the hop's request (`Trace.request`) and reads the head of its answer. For
        `HTTPAdapter.send`, which takes what it gets as a response.

        Raises one of `requests_failures.CAUGHT`.
        """
        trace = self._trace
        connection = cast(HopConnection, self._get_conn())
        kept = not connection.is_closed
        if kept and trace.hop.fresh:
            connection.close()
        if kept and trace.hop.public_only and not address_is_public(connection.remote_ip):
            connection.close()  # it was made for a hop that could go anywhere
        kept = not connection.is_closed
        try:
            return self._ask(connection)
        except BaseException as error:
            connection.close()
            unheard = isinstance(error, OSError | TransportError) and not trace.starttransfer
            garbled = isinstance(error, TransportError) and error.kind is FailureKind.PROTOCOL
            if not (kept and (unheard or garbled)) or trace.watch.ending or method not in IDEMPOTENT:
                raise
            trace.surplus |= garbled
            trace.starttransfer = 0.0
        # The server had closed the kept connection, or sent more than its last answer, which nobody can know
        # before: not a failure of this request (RFC 9112 section 9.3.1; curl does the same).
        return self._ask(connection)

    def _ask(self, connection: HopConnection) -> PooledResponse:
        trace = self._trace
        if connection.is_closed:
            connection.connect()
            connection.sock.settimeout(None)  # from here on the watchdog sees to it, for fewer calls
        # With TLS 1.3 a client that has said its last word of the handshake does not know yet what the server
        # makes of it: one that hangs up on the request had no use for it.
        if trace.phase is not Phase.TLS:
            trace.phase = Phase.ANSWER
        trace.watch.use_socket(connection.sock.fileno())
        trace.remote_ip, trace.peer = connection.remote_ip, connection.peer
        if connection.has_surplus:
            trace.surplus = True
            raise TransportError(FailureKind.RESET, "the server spoke before it was asked")
        connection.sock.sendall(trace.request)
        trace.phase = Phase.ANSWER
        answer = PooledResponse(connection, self)
        answer.read_head()
        return answer


class HopTlsPool(HopPool, HTTPSConnectionPool):
    """The same with TLS."""

    ConnectionCls = HopTlsConnection


class PooledResponse(ResponseReader):
    """An answer, and the connection that it comes by."""

    __slots__ = ("_connection", "_pool")

    def __init__(self, connection: HopConnection, pool: HopPool) -> None:
        trace = pool._trace
        super().__init__(connection.sock, trace.hop.method, trace.heard)
        self._connection = connection
        self._pool = pool

    def release_conn(self) -> None:
        """Keeps the connection for the next request if the answer was read to its end; closes it
        otherwise."""
        trace = self._pool._trace
        trace.surplus |= self.has_surplus or self._connection.has_surplus
        if self.reusable and not (trace.surplus or trace.hop.fresh or trace.hop.close):
            self._pool._put_conn(self._connection)
        else:
            self.close()

    def close(self) -> None:
        """Closes the connection. Idempotent."""
        self._connection.close()
