"""Opens connections for the requests transport: DNS, addresses, TCP, SOCKS and TLS.

In: a host, a port and the hop in progress. Out: a connected socket that is registered with the watchdog, or
an exception within the hop's connect timeout. The only decision made here is which addresses a hop may
connect to if it is restricted to public ones.
"""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from time import monotonic
from typing import Any, cast

from msgspec import Struct
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.util.ssltransport import SSLTransport

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.addresses import address_is_public
from fetchpool.model.failures import FailureKind
from fetchpool.runtime import forks
from fetchpool.transports.lookup import Address, parse_ip
from fetchpool.transports.proxies import Proxy, proxy_of, refused, time_for_address
from fetchpool.transports.requests.framing import ProxyError, TransportError
from fetchpool.transports.requests.happy_eyeballs import Race
from fetchpool.transports.requests.http1 import Readable, ResponseReader
from fetchpool.transports.requests.socks5 import connect_through
from fetchpool.transports.requests.trace import Phase, Trace
from fetchpool.transports.resolver import Resolver
from fetchpool.transports.tls_messages import OTHER_HOST

Connection = socket.socket | SSLTransport
"""A connection: a plain socket, one with TLS (`ssl.SSLSocket` is a socket), or TLS within TLS."""


class Dialer:
    """Opens and closes the sockets of one transport, and adds TLS."""

    def __init__(self, options: FetchOptions, trace: Trace, resolver: Resolver) -> None:
        self.trace = trace
        self._proxy_of_run = proxy_of(options.proxy)
        self._tls = TlsSettings(
            options.cacert,
            options.insecure,
            options.cert,
            options.key,
            options.key_password,
            options.tls_min,
            options.tls_max,
        )
        self._tls_of_proxy = TlsSettings(options.cacert, options.insecure)
        self._interface = options.interface
        self._resolver = resolver

    @property
    def proxy(self) -> Proxy | None:
        """The proxy of the hop in progress."""
        proxy = self.trace.hop.proxy
        return self._proxy_of_run if proxy is None else proxy_of(proxy)

    def connect(self, host: str, port: int) -> Connection:
        """Return a connection to `host`, through the proxy if there is one.

        Raises `ResolveError`, `TransportError`, `OSError`.
        """
        trace, proxy = self.trace, self.proxy
        trace.phase = Phase.CONNECT
        if proxy is None:
            return self._connect(host, port, checked=True)
        if proxy.takes_addresses:
            host = self._first_address(host, port)
        trace.phase = Phase.PROXY
        to_proxy = self._connect(proxy.host, proxy.port, checked=False)
        if trace.forwarded:
            return to_proxy
        connection: Connection = to_proxy
        try:
            connection.settimeout(trace.time_to_connect())
            if proxy.socks:
                connect_through(to_proxy, host, port, proxy.username, proxy.password)
            else:
                if proxy.scheme == "https":
                    connection = self.start_tls(connection, proxy.host, is_proxy=True)
                self._tunnel(connection, host, port, proxy)
        except BaseException:
            self.close(connection)
            raise
        return connection

    def start_tls(self, connection: Connection, host: str, *, is_proxy: bool = False) -> Connection:
        """Add TLS to a connection, or within the TLS of a proxy. Close the connection on failure."""
        trace = self.trace
        settings = self._tls_of_proxy if is_proxy else self._tls
        host = host.strip("[]").rstrip(".")
        # Unlike libcurl and browsers, OpenSSL lets a wildcard match no label with an underscore.
        own_check = "_" in host and not settings.insecure
        context = context_for(settings, checks_host=not own_check)
        try:
            connection.settimeout(trace.time_to_connect())
            if isinstance(connection, SSLTransport):
                raise ValueError("TLS within TLS within TLS")
            if isinstance(connection, ssl.SSLSocket):
                within = SSLTransport(connection, context, host, suppress_ragged_eofs=False)
                if own_check:
                    check_host(host, within.getpeercert())
                return within
            # wrap_socket() moves the descriptor to a new object, and closes it when it fails: meanwhile the
            # watchdog must not know it. Nothing waits in there.
            descriptor = connection.fileno()
            trace.watch.closed(descriptor)
            # Without suppress_ragged_eofs=False a cut connection looks like the end of a body.
            secured = context.wrap_socket(
                connection, server_hostname=host, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
            connection = secured
            trace.watch.opened(descriptor)
            secured.do_handshake()  # the timeout is for the complete handshake
            if own_check:
                check_host(host, secured.getpeercert())
        except BaseException:
            self.close(connection)
            raise
        return secured

    def close(self, connection: Connection) -> None:
        """Close the sockets. Idempotent."""
        descriptor = connection.fileno()
        if descriptor >= 0:
            self.trace.watch.closed(descriptor)
        connection.close()

    def check_literal(self, host: str) -> None:
        """Check a host that a proxy will resolve, which is only possible if it is an address."""
        if self.trace.hop.public_only and parse_ip(host, 0) is not None:
            self._check_address(host)

    def _tunnel(self, connection: Connection, host: str, port: int, proxy: Proxy) -> None:
        """Ask an HTTP proxy for a connection (RFC 9110 section 9.3.6)."""
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        connection.sendall(f"CONNECT {where} HTTP/1.1\r\nHost: {where}\r\n{proxy.authorization}\r\n".encode())
        response = ResponseReader(cast(Readable, connection), "CONNECT", lambda: None)
        response.read_head()
        if not 200 <= response.status < 300:
            raise ProxyError(refused(response.status))

    def _check_address(self, ip: str) -> None:
        if not address_is_public(ip):
            raise TransportError(FailureKind.FORBIDDEN_ADDRESS, f"{ip} is not a public address")

    def _addresses(self, host: str, port: int, *, checked: bool) -> list[Address]:
        trace = self.trace
        if checked and trace.hop.addresses:  # of the URL's host, the one that must be checked
            known = (parse_ip(ip.strip("[]"), port) for ip in trace.hop.addresses)
            addresses = [address for address in known if address is not None]
        else:
            addresses = self._resolver.resolve(host, port, trace.time_to_connect(), trace.watch.wait)
        trace.namelookup = monotonic()
        if checked and trace.hop.public_only:
            public = [address for address in addresses if address_is_public(address.ip)]
            if not public:
                self._check_address(addresses[0].ip)
            return public
        return addresses

    def _first_address(self, host: str, port: int) -> str:
        """Return the address for a SOCKS proxy, which gets only a part of the time if there are others."""
        trace = self.trace
        ips = tuple(address.ip for address in self._addresses(host, port, checked=True))
        trace.gives_address = True
        trace.hop.addresses = ips
        trace.connect_by = monotonic() + time_for_address(trace.time_to_connect(), len(ips))
        return ips[0]

    def _connect(self, host: str, port: int, *, checked: bool) -> socket.socket:
        """Connect to the first address that accepts."""
        trace = self.trace
        addresses = self._addresses(host, port, checked=checked)
        if len(addresses) > 1:
            race = Race(addresses, open=self._open, close=self.close, failed=self._set_peer)
            connection, address = race.run(trace.time_to_connect, lambda: trace.watch.ending)
            self._set_peer(address)
        else:
            [address] = addresses
            self._set_peer(address)
            connection = self._open(address)
            try:
                connection.settimeout(trace.time_to_connect())
                connection.connect(address.sockaddr)
            except BaseException:
                self.close(connection)
                raise
        trace.connect = monotonic()
        trace.remote_ip = address.ip
        return connection

    def _set_peer(self, address: Address) -> None:
        """Set the peer that error messages of the hop name."""
        self.trace.peer = f"{address.ip} port {address.sockaddr[1]}"

    def _open(self, address: Address) -> socket.socket:
        """Return a socket for that address, not connected yet."""
        connection = socket.socket(address.family, socket.SOCK_STREAM)
        self.trace.watch.opened(connection.fileno())
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._interface:
                bind(connection, self._interface, address.family)
        except BaseException:
            self.close(connection)
            raise
        return connection


def bind(connection: socket.socket, interface: str, family: int) -> None:
    """Bind a socket to an interface or a local address. Raises `OSError`."""
    address = parse_ip(interface, 0)
    if address is None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
    elif address.family == family:
        connection.bind(address.sockaddr)
    else:
        raise OSError(errno.EADDRNOTAVAIL, "an address of the other family")


def check_host(host: str, certificate: Any) -> None:
    """Check that a certificate (as from `getpeercert()`) is the host's (RFC 9525 section 6.3). Raises
    `TransportError` if none of its names is the host's, or matches it with a `*` as first label and at
    least two more."""
    for kind, name in (certificate or {}).get("subjectAltName", ()):
        first, _, rest = name.lower().partition(".")
        if kind == "DNS" and (
            name.lower() == host or (first == "*" and "." in rest and host.partition(".")[2] == rest)
        ):
            return
    raise TransportError(FailureKind.TLS, OTHER_HOST)


class TlsSettings(Struct, frozen=True):
    """The options that a TLS context depends on."""

    cacert: str | None = None
    insecure: bool = False
    cert: str | None = None
    key: str | None = None
    key_password: str = ""
    tls_min: str = ""
    tls_max: str = ""


TLS_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}

_contexts: dict[tuple[TlsSettings, bool], ssl.SSLContext] = {}
_contexts_lock = threading.Lock()


@forks.in_child
def _renew() -> None:
    global _contexts_lock
    _contexts_lock = threading.Lock()


def context_for(settings: TlsSettings, *, checks_host: bool = True) -> ssl.SSLContext:
    """Return the process's TLS context for these settings: reading the certificates takes 20 ms and a
    megabyte, too much for each of two thousand workers. Raises `OSError` or `ssl.SSLError` if a file can't be
    read.
    """
    with _contexts_lock:
        context = _contexts.get((settings, checks_host))
        if context is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = checks_host and not settings.insecure
            if settings.insecure:
                context.verify_mode = ssl.CERT_NONE
            else:
                context.load_verify_locations(settings.cacert or DEFAULT_CA_BUNDLE_PATH)
                # A trusted intermediate is enough, as in curl.
                context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
            if settings.cert is not None:
                context.load_cert_chain(settings.cert, settings.key, password=settings.key_password)
            if settings.tls_min:
                context.minimum_version = TLS_VERSIONS[settings.tls_min]
            if settings.tls_max:
                context.maximum_version = TLS_VERSIONS[settings.tls_max]
            context.set_alpn_protocols(["http/1.1"])
            # Python sets this; it makes a cut connection look like the end of a body.
            context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
            _contexts[settings, checks_host] = context
        return context
