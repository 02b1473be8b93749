"""Maps the exceptions of requests, urllib3, `http.client`, `ssl` and sockets to failure kinds.

In: an exception, and the hop's phase. Out: a `Failure` with fetchpool's own message. This is the only such
table; a test fails if a library has an exception that is missing here. No message contains a URL's query, a
repr, or anything that a server sent.
"""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import requests.exceptions as requests_errors
import urllib3.exceptions as urllib3_errors
from urllib3.util.ssl_match_hostname import CertificateError

from fetchpool.model.failures import FailureKind
from fetchpool.model.text import one_line
from fetchpool.transports.base import HUNG_UP, TOO_MANY_FILES, Failure
from fetchpool.transports.lookup import ResolveError
from fetchpool.transports.proxies import proxy_unreachable
from fetchpool.transports.requests.framing import ProxyError, TransportError
from fetchpool.transports.requests.trace import Phase, Trace
from fetchpool.transports.tls_messages import OTHER_HOST, tls_message

MAX_DETAIL = 200
"""Maximum number of characters of a library's message."""

WRAPPERS: tuple[type[Exception], ...] = (
    requests_errors.ConnectionError,
    requests_errors.ProxyError,
    requests_errors.SSLError,
    requests_errors.ChunkedEncodingError,
    urllib3_errors.MaxRetryError,
    urllib3_errors.ProtocolError,
    urllib3_errors.ProxyError,
    urllib3_errors.SSLError,
)
"""Exceptions that only wrap another one with the actual reason."""

KINDS: dict[type[Exception], FailureKind] = {
    # Sockets. A plain OSError is mapped by its errno, below.
    ConnectionRefusedError: FailureKind.REFUSED,
    ConnectionResetError: FailureKind.RESET,
    ConnectionAbortedError: FailureKind.RESET,
    BrokenPipeError: FailureKind.RESET,
    socket.gaierror: FailureKind.DNS,
    socket.herror: FailureKind.DNS,
    # Only connecting, proxies and TLS handshakes have socket timeouts; later the watchdog enforces them.
    TimeoutError: FailureKind.TIMEOUT_CONNECT,
    # TLS
    ssl.SSLError: FailureKind.TLS,
    ssl.SSLZeroReturnError: FailureKind.TLS,
    ssl.SSLWantReadError: FailureKind.TLS,
    ssl.SSLWantWriteError: FailureKind.TLS,
    ssl.SSLSyscallError: FailureKind.TLS,
    ssl.SSLEOFError: FailureKind.TLS,
    ssl.SSLCertVerificationError: FailureKind.TLS,
    CertificateError: FailureKind.TLS,
    # http.client
    http.client.HTTPException: FailureKind.PROTOCOL,
    http.client.NotConnected: FailureKind.INTERNAL,
    http.client.InvalidURL: FailureKind.INVALID_URL,
    http.client.UnknownProtocol: FailureKind.PROTOCOL,
    http.client.UnknownTransferEncoding: FailureKind.PROTOCOL,
    http.client.UnimplementedFileMode: FailureKind.INTERNAL,
    http.client.IncompleteRead: FailureKind.TRUNCATED,
    http.client.ImproperConnectionState: FailureKind.INTERNAL,
    http.client.CannotSendRequest: FailureKind.INTERNAL,
    http.client.CannotSendHeader: FailureKind.INTERNAL,
    http.client.ResponseNotReady: FailureKind.INTERNAL,
    http.client.BadStatusLine: FailureKind.PROTOCOL,
    http.client.LineTooLong: FailureKind.PROTOCOL,
    http.client.RemoteDisconnected: FailureKind.EMPTY_REPLY,
    # urllib3
    urllib3_errors.HTTPError: FailureKind.PROTOCOL,
    urllib3_errors.PoolError: FailureKind.INTERNAL,
    urllib3_errors.RequestError: FailureKind.INTERNAL,
    urllib3_errors.SSLError: FailureKind.TLS,
    urllib3_errors.ProxyError: FailureKind.PROXY,
    urllib3_errors.DecodeError: FailureKind.DECODE,
    urllib3_errors.ProtocolError: FailureKind.PROTOCOL,
    urllib3_errors.MaxRetryError: FailureKind.INTERNAL,
    urllib3_errors.HostChangedError: FailureKind.INTERNAL,
    urllib3_errors.TimeoutStateError: FailureKind.INTERNAL,
    urllib3_errors.TimeoutError: FailureKind.TIMEOUT_READ,
    urllib3_errors.ReadTimeoutError: FailureKind.TIMEOUT_READ,
    urllib3_errors.ConnectTimeoutError: FailureKind.TIMEOUT_CONNECT,
    urllib3_errors.NewConnectionError: FailureKind.UNREACHABLE,
    urllib3_errors.NameResolutionError: FailureKind.DNS,
    urllib3_errors.EmptyPoolError: FailureKind.INTERNAL,
    urllib3_errors.FullPoolError: FailureKind.INTERNAL,
    urllib3_errors.ClosedPoolError: FailureKind.INTERNAL,
    urllib3_errors.LocationValueError: FailureKind.INVALID_URL,
    urllib3_errors.LocationParseError: FailureKind.INVALID_URL,
    urllib3_errors.URLSchemeUnknown: FailureKind.UNSUPPORTED_SCHEME,
    urllib3_errors.ResponseError: FailureKind.PROTOCOL,
    urllib3_errors.ResponseNotChunked: FailureKind.PROTOCOL,
    urllib3_errors.BodyNotHttplibCompatible: FailureKind.INTERNAL,
    urllib3_errors.IncompleteRead: FailureKind.TRUNCATED,
    urllib3_errors.InvalidChunkLength: FailureKind.PROTOCOL,
    urllib3_errors.InvalidHeader: FailureKind.PROTOCOL,
    urllib3_errors.ProxySchemeUnknown: FailureKind.PROXY,
    urllib3_errors.ProxySchemeUnsupported: FailureKind.PROXY,
    urllib3_errors.HeaderParsingError: FailureKind.PROTOCOL,
    urllib3_errors.UnrewindableBodyError: FailureKind.INTERNAL,
    # requests
    requests_errors.RequestException: FailureKind.INTERNAL,
    requests_errors.InvalidJSONError: FailureKind.INTERNAL,
    requests_errors.JSONDecodeError: FailureKind.INTERNAL,
    requests_errors.HTTPError: FailureKind.PROTOCOL,
    requests_errors.ConnectionError: FailureKind.RESET,
    requests_errors.ProxyError: FailureKind.PROXY,
    requests_errors.SSLError: FailureKind.TLS,
    requests_errors.Timeout: FailureKind.TIMEOUT_READ,
    requests_errors.ConnectTimeout: FailureKind.TIMEOUT_CONNECT,
    requests_errors.ReadTimeout: FailureKind.TIMEOUT_READ,
    requests_errors.URLRequired: FailureKind.INVALID_URL,
    requests_errors.TooManyRedirects: FailureKind.TOO_MANY_REDIRECTS,
    requests_errors.MissingSchema: FailureKind.INVALID_URL,
    requests_errors.InvalidSchema: FailureKind.UNSUPPORTED_SCHEME,
    requests_errors.InvalidURL: FailureKind.INVALID_URL,
    requests_errors.InvalidHeader: FailureKind.PROTOCOL,
    requests_errors.InvalidProxyURL: FailureKind.PROXY,
    requests_errors.ChunkedEncodingError: FailureKind.TRUNCATED,
    requests_errors.ContentDecodingError: FailureKind.DECODE,
    requests_errors.StreamConsumedError: FailureKind.INTERNAL,
    requests_errors.RetryError: FailureKind.INTERNAL,
    requests_errors.UnrewindableBodyError: FailureKind.INTERNAL,
    # A bare ValueError escapes http.client for an invalid chunk size, and ssl for an invalid host name.
    ValueError: FailureKind.PROTOCOL,
}

ERRNOS: dict[int, FailureKind] = {
    errno.EHOSTUNREACH: FailureKind.UNREACHABLE,
    errno.ENETUNREACH: FailureKind.UNREACHABLE,
    errno.EHOSTDOWN: FailureKind.UNREACHABLE,
    errno.ENETDOWN: FailureKind.UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.UNREACHABLE,
    errno.EAFNOSUPPORT: FailureKind.UNREACHABLE,
    errno.EINVAL: FailureKind.UNREACHABLE,
    errno.EACCES: FailureKind.UNREACHABLE,
    errno.EPERM: FailureKind.UNREACHABLE,
    errno.ENETRESET: FailureKind.RESET,
    errno.ENOTCONN: FailureKind.RESET,
    errno.EMFILE: FailureKind.INTERNAL,
    errno.ENFILE: FailureKind.INTERNAL,
}

HANDLED = (OSError, http.client.HTTPException, urllib3_errors.HTTPError, ResolveError, ValueError)
"""The base classes of these exceptions, which `perform()` catches. Any other exception is a bug."""


def failure_of(error: Exception, trace: Trace) -> Failure:
    """Return why a hop failed, from the exception (one of `HANDLED`) and the hop's phase."""
    cause = root_cause(error)
    if isinstance(cause, ProxyError):
        return cause.failure
    if isinstance(cause, TransportError | ResolveError):
        kind, message = cause.kind, str(cause)  # fetchpool's own exceptions
    else:
        kind = kind_of(cause, trace.phase)
        if kind is FailureKind.TIMEOUT_CONNECT and trace.hop.max_time <= trace.hop.connect_timeout:
            kind = FailureKind.TIMEOUT_TOTAL  # the attempt's deadline came first
        if trace.phase is Phase.TLS and isinstance(cause, ConnectionError | ssl.SSLEOFError):
            # The server may accept fewer connections.
            return Failure(FailureKind.TLS, HUNG_UP, transient=True)
        message = detail_of(cause) or default_message(kind, trace)
    if trace.phase is Phase.PROXY and kind.blames_proxy:
        return proxy_unreachable(kind, message)
    return Failure(kind, message)


def forced_failure(kind: FailureKind, trace: Trace) -> Failure:
    """Return the failure for the watchdog's verdict."""
    return Failure(kind, default_message(kind, trace))


def root_cause(error: Exception) -> Exception:
    """Return the innermost exception."""
    while isinstance(error, WRAPPERS):
        within = getattr(error, "reason", None) or next(
            (part for part in reversed(error.args) if isinstance(part, Exception)), None
        )
        if not isinstance(within, Exception):
            break
        error = within
    return error


def kind_of(error: Exception, phase: Phase = Phase.CONNECT) -> FailureKind:
    """Return the kind of an unwrapped exception: that of the most specific class in the table."""
    if phase is Phase.TLS and isinstance(error, ConnectionError):
        return FailureKind.TLS  # the handshake was closed, as in libcurl
    if phase is Phase.RESPONSE and isinstance(error, TimeoutError):
        return FailureKind.RESET  # the kernel's: the peer is gone (ETIMEDOUT)
    for base in type(error).__mro__:
        if base in KINDS:
            return KINDS[base]
    if isinstance(error, OSError):
        unknown = FailureKind.RESET if phase is Phase.RESPONSE else FailureKind.UNREACHABLE
        return ERRNOS.get(error.errno or 0, unknown)
    return FailureKind.INTERNAL


def detail_of(error: Exception) -> str:
    """Return the message of OpenSSL or the system, if it is helpful and can't contain anything from a
    server."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return one_line(tls_message(error.verify_message), MAX_DETAIL)
    if isinstance(error, CertificateError):
        return OTHER_HOST
    if isinstance(error, ssl.SSLError) and error.reason:
        return one_line(tls_message(error.reason.replace("_", " ")), MAX_DETAIL)
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        return TOO_MANY_FILES
    return ""


def default_message(kind: FailureKind, trace: Trace) -> str:
    """Return the message for a kind, with the hop's limit if it is a timeout."""
    hop = trace.hop
    if kind is FailureKind.TIMEOUT_CONNECT:
        return kind.after(min(hop.connect_timeout, hop.max_time))
    if kind is FailureKind.TIMEOUT_READ:
        return kind.after(hop.read_timeout)
    if kind is FailureKind.TIMEOUT_TOTAL:
        return kind.after(hop.max_time)
    return kind.message
