"""Maps libcurl's error codes to failure kinds. A test fails when libcurl has a code that the table lacks.

In: a finished easy handle's code, message, errno and times. Out: a `Failure` with fetchpool's own message,
which is the same for both transports and contains no query of a URL (fault 30).
"""

from __future__ import annotations

import errno
import socket

import pycurl

from fetchpool.model.failures import FailureKind
from fetchpool.model.text import one_line
from fetchpool.transports.base import HUNG_UP, TOO_MANY_FILES, Failure
from fetchpool.transports.proxies import (
    ANOTHER_AUTHENTICATION,
    NOT_SOCKS,
    WRONG_CREDENTIALS,
    proxy_unreachable,
    refused,
    socks_refused,
)
from fetchpool.transports.tls_messages import tls_message

# Codes that pycurl has no name for (libcurl-errors(3)).
WEIRD_SERVER_REPLY = 8
HTTP2_STREAM = 92
RECURSIVE_API_CALL = 93
AUTH_ERROR = 94
HTTP3 = 95
QUIC_CONNECT_ERROR = 96
PROXY = 97
SSL_CLIENTCERT = 98
UNRECOVERABLE_POLL = 99
TOO_LARGE = 100
ECH_REQUIRED = 101
LAST = 101
"""The highest code of libcurl 8.23."""

KINDS: dict[int, FailureKind] = {
    pycurl.E_UNSUPPORTED_PROTOCOL: FailureKind.PROTOCOL,  # "Received HTTP/0.9 when not allowed"
    pycurl.E_URL_MALFORMAT: FailureKind.INVALID_URL,
    pycurl.E_COULDNT_RESOLVE_PROXY: FailureKind.PROXY,
    pycurl.E_COULDNT_RESOLVE_HOST: FailureKind.DNS,
    pycurl.E_COULDNT_CONNECT: FailureKind.REFUSED,
    pycurl.E_INTERFACE_FAILED: FailureKind.UNREACHABLE,  # --interface has no address of that family
    WEIRD_SERVER_REPLY: FailureKind.PROTOCOL,
    pycurl.E_HTTP2: FailureKind.RESET,  # except as in `http2_failure`
    HTTP2_STREAM: FailureKind.RESET,
    HTTP3: FailureKind.PROTOCOL,
    QUIC_CONNECT_ERROR: FailureKind.REFUSED,
    pycurl.E_PARTIAL_FILE: FailureKind.TRUNCATED,
    pycurl.E_HTTP_RETURNED_ERROR: FailureKind.PROTOCOL,
    pycurl.E_OPERATION_TIMEDOUT: FailureKind.TIMEOUT_TOTAL,
    pycurl.E_RANGE_ERROR: FailureKind.PROTOCOL,
    pycurl.E_SSL_CONNECT_ERROR: FailureKind.TLS,
    pycurl.E_TOO_MANY_REDIRECTS: FailureKind.TOO_MANY_REDIRECTS,
    pycurl.E_GOT_NOTHING: FailureKind.EMPTY_REPLY,
    pycurl.E_SEND_ERROR: FailureKind.RESET,
    pycurl.E_RECV_ERROR: FailureKind.RESET,  # except as in `receive_error`
    pycurl.E_SSL_CERTPROBLEM: FailureKind.TLS,
    pycurl.E_SSL_CIPHER: FailureKind.TLS,
    pycurl.E_PEER_FAILED_VERIFICATION: FailureKind.TLS,
    pycurl.E_SSL_CACERT_BADFILE: FailureKind.TLS,
    pycurl.E_SSL_CRL_BADFILE: FailureKind.TLS,
    pycurl.E_SSL_ISSUER_ERROR: FailureKind.TLS,
    pycurl.E_SSL_INVALIDCERTSTATUS: FailureKind.TLS,
    pycurl.E_SSL_PINNEDPUBKEYNOTMATCH: FailureKind.TLS,
    pycurl.E_SSL_SHUTDOWN_FAILED: FailureKind.TLS,
    SSL_CLIENTCERT: FailureKind.TLS,
    pycurl.E_USE_SSL_FAILED: FailureKind.TLS,
    pycurl.E_BAD_CONTENT_ENCODING: FailureKind.PROTOCOL,  # a transfer coding: content is decoded here
    pycurl.E_FILESIZE_EXCEEDED: FailureKind.TOO_LARGE,
    TOO_LARGE: FailureKind.PROTOCOL,  # header lines
    pycurl.E_LOGIN_DENIED: FailureKind.PROTOCOL,
    pycurl.E_NO_CONNECTION_AVAILABLE: FailureKind.UNREACHABLE,
    PROXY: FailureKind.PROXY,
    AUTH_ERROR: FailureKind.PROTOCOL,
    pycurl.E_ABORTED_BY_CALLBACK: FailureKind.ABORTED,
    ECH_REQUIRED: FailureKind.TLS,
    # Failures of this machine or of fetchpool: no server can cause them.
    pycurl.E_FAILED_INIT: FailureKind.INTERNAL,
    pycurl.E_NOT_BUILT_IN: FailureKind.INTERNAL,
    pycurl.E_WRITE_ERROR: FailureKind.INTERNAL,  # a callback that stopped the hop has stored why
    pycurl.E_READ_ERROR: FailureKind.INTERNAL,
    pycurl.E_OUT_OF_MEMORY: FailureKind.INTERNAL,
    pycurl.E_BAD_DOWNLOAD_RESUME: FailureKind.INTERNAL,
    pycurl.E_BAD_FUNCTION_ARGUMENT: FailureKind.INTERNAL,
    pycurl.E_UNKNOWN_OPTION: FailureKind.INTERNAL,
    pycurl.E_TELNET_OPTION_SYNTAX: FailureKind.INTERNAL,  # today CURLE_SETOPT_OPTION_SYNTAX
    pycurl.E_SSL_ENGINE_NOTFOUND: FailureKind.INTERNAL,
    pycurl.E_SSL_ENGINE_SETFAILED: FailureKind.INTERNAL,
    pycurl.E_SSL_ENGINE_INITFAILED: FailureKind.INTERNAL,
    pycurl.E_SEND_FAIL_REWIND: FailureKind.INTERNAL,
    pycurl.E_AGAIN: FailureKind.INTERNAL,
    RECURSIVE_API_CALL: FailureKind.INTERNAL,
    UNRECOVERABLE_POLL: FailureKind.INTERNAL,
}
"""The codes that a transfer over HTTP can end with. Any other code is `internal`."""

OTHER_PROTOCOLS = frozenset(
    (
        *(9, 10, 11, 12, 13, 14, 15, 17, 19, 21, 25, 30, 31, 84, 87, 88),  # FTP
        37,  # FILE
        *(38, 39),  # LDAP
        *(68, 69, 70, 71, 72, 73, 74, 78),  # TFTP, and what SFTP and others share with it
        79,  # SSH
        *(85, 86),  # RTSP
    )
)
"""Codes of other protocols, which no fetch over HTTP ends with (libcurl-errors(3))."""

NO_LONGER_USED = frozenset((20, 24, 29, 32, 34, 40, 41, 44, 46, 50, 51, 57, 62, 75, 76))
"""Codes that libcurl no longer uses; pycurl still has names for some."""

CONNECT_ERRORS: dict[int, FailureKind] = {
    errno.ECONNREFUSED: FailureKind.REFUSED,
    errno.EHOSTUNREACH: FailureKind.UNREACHABLE,
    errno.ENETUNREACH: FailureKind.UNREACHABLE,
    errno.EHOSTDOWN: FailureKind.UNREACHABLE,
    errno.ENETDOWN: FailureKind.UNREACHABLE,
    errno.EADDRNOTAVAIL: FailureKind.UNREACHABLE,
    errno.EAFNOSUPPORT: FailureKind.UNREACHABLE,
    errno.EINVAL: FailureKind.UNREACHABLE,
    errno.EACCES: FailureKind.UNREACHABLE,
    errno.EPERM: FailureKind.UNREACHABLE,
    errno.ETIMEDOUT: FailureKind.TIMEOUT_CONNECT,
    errno.ECONNRESET: FailureKind.RESET,
}

OWN_MESSAGES = frozenset(
    (
        FailureKind.INVALID_URL,
        FailureKind.DNS,
        FailureKind.REFUSED,
        FailureKind.UNREACHABLE,
        FailureKind.TIMEOUT_CONNECT,
        FailureKind.RESET,
        FailureKind.EMPTY_REPLY,
        FailureKind.TRUNCATED,
        FailureKind.ABORTED,
    )
)
"""Kinds for which fetchpool's own message is enough; for the others libcurl's message has more details."""

FORCED = {kind: Failure(kind, kind.message) for kind in (FailureKind.TIMEOUT_READ, FailureKind.ABORTED)}
"""The failures of hops that were cancelled, not ended by libcurl."""

CUT = Failure(FailureKind.TRUNCATED, FailureKind.TRUNCATED.message)
DATA_BEFORE_REQUEST = Failure(FailureKind.RESET, "data received before the request was sent")

BY_SERVER = "reset by server"
"""libcurl's message for an HTTP/2 stream that the server has reset."""
BY_US = "reset by curl (error 0x1 PROTOCOL_ERROR)"
"""libcurl's message for a malformed response (RFC 9113 section 8.1.1)."""
HTTP2_NAMES = ("HTTP2", "HTTP/2", "nghttp2")

TIMER_SLACK = 0.005
"""Seconds by which libcurl's timer may be early: it counts milliseconds."""
TUNNEL_FAILED = "CONNECT tunnel failed"
"""The start of libcurl's message if a proxy refuses; the code is that of a receive error."""
READING = (
    "Recv failure",
    "Send failure",
    "Failure when receiving",
    "OpenSSL SSL_read",
    "SSL_read",
    "GnuTLS recv",
    "mbedTLS",
)
"""The start of libcurl's message when reading from the socket failed, for each TLS library. Any other receive
error means that libcurl rejected the data."""
UNEXPECTED_EOF = "unexpected eof"
OPENSSL = "SSL routines::"
"""Precedes OpenSSL's own error message."""
TLS_HUNG_UP = Failure(FailureKind.TLS, HUNG_UP)
"""A new TLS connection that accepts no request. With TLS 1.3 the client completes its part of the handshake
before it knows whether the server accepts it."""
SOCKS_REPLIES = {20: 1, 23: 2, 22: 3, 21: 4, 19: 5, 24: 6, 18: 7, 17: 8, 25: 9}
"""The reply (RFC 1928 section 6) by libcurl's number for it (CURLINFO_PROXY_ERROR)."""
SOCKS_FINAL = {2: NOT_SOCKS, 12: ANOTHER_AUTHENTICATION, 33: WRONG_CREDENTIALS}
"""CURLPX_BAD_VERSION, _NO_AUTH, _USER_REJECTED."""
SOCKS_BROKEN = frozenset((3, 13, 14, 15, 16, 28, 29, 30))
"""CURLPX_CLOSED, _RECV_..., _SEND_...: the connection ended during the SOCKS handshake."""


def failure_of(code: int, message: str, os_errno: int) -> Failure:
    """Return the failure for any code except a timeout (`timeout_of`). `message` is libcurl's."""
    if code == pycurl.E_COULDNT_CONNECT:
        if not os_errno and not message.startswith(TUNNEL_FAILED):
            return no_socket()
        kind = CONNECT_ERRORS.get(os_errno, FailureKind.REFUSED)
    elif code == pycurl.E_RECV_ERROR:
        kind = receive_error(message)
    elif code == pycurl.E_SSL_CONNECT_ERROR and (os_errno == errno.ECONNRESET or UNEXPECTED_EOF in message):
        return Failure(FailureKind.TLS, HUNG_UP, transient=True)  # the server may accept fewer connections
    else:
        kind = KINDS.get(code, FailureKind.INTERNAL)
    if kind is FailureKind.TLS and message:
        message = tls_message(message.rpartition(OPENSSL)[2].partition(", errno")[0])
    # libcurl's multi interface gives no message for some failures.
    own = kind.message if kind in OWN_MESSAGES else ""
    return Failure(kind, own or one_line(message, 200) or f"libcurl's error {code}")


def is_http2(code: int, message: str) -> bool:
    """Whether a stream failed, or the connection under it, after HTTP/2 was agreed on."""
    return code in (pycurl.E_HTTP2, HTTP2_STREAM) or (
        code in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR) and any(name in message for name in HTTP2_NAMES)
    )


def http2_failure(message: str, *, begun: bool, gone: bool) -> Failure:
    """Return the failure that HTTP/1.1 would have: a connection that was reset before the response, or ended
    within it. `begun`: the head was received. `gone`: the server closed the connection with an error, which
    libcurl reports for each stream as if it were that stream's."""
    if begun:
        return CUT
    if BY_US in message and not gone:
        return Failure(FailureKind.PROTOCOL, one_line(message, 200))
    stream = BY_SERVER in message  # the message has the error code's name
    return Failure(FailureKind.RESET, one_line(message, 200) if stream else FailureKind.RESET.message)


def proxy_failure(
    code: int, message: str, os_errno: int, *, status: int, socks: int, arranging: bool
) -> Failure | None:
    """Return the failure of the proxy; None if the proxy did not cause it. `status`: its response to CONNECT.
    `socks`: libcurl's detail of a SOCKS failure. `arranging`: the connection was new, and its tunnel was not
    established yet."""
    if code == PROXY and socks in SOCKS_REPLIES:
        return socks_refused(SOCKS_REPLIES[socks])
    if code == PROXY and socks in SOCKS_FINAL:
        return SOCKS_FINAL[socks]
    if code == PROXY and socks in SOCKS_BROKEN:
        return proxy_unreachable(
            FailureKind.RESET if os_errno == errno.ECONNRESET else FailureKind.EMPTY_REPLY
        )
    if code == pycurl.E_COULDNT_RESOLVE_PROXY:
        return proxy_unreachable(FailureKind.DNS, "its name does not exist")
    if message.startswith(TUNNEL_FAILED) and status:
        return refused(status)
    if code == pycurl.E_COULDNT_CONNECT and os_errno:
        kind = CONNECT_ERRORS.get(os_errno, FailureKind.REFUSED)
        return None if kind is FailureKind.TIMEOUT_CONNECT else proxy_unreachable(kind)
    if arranging and code in (pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR, pycurl.E_GOT_NOTHING):
        return proxy_unreachable(
            FailureKind.RESET if os_errno == errno.ECONNRESET else FailureKind.EMPTY_REPLY
        )
    return None


def http3_failure(message: str, *, begun: bool) -> Failure:
    """Return why HTTP/3 failed. `begun`: the response's headers were received."""
    if BY_SERVER not in message and "closed" not in message:
        return Failure(FailureKind.PROTOCOL, one_line(message, 200))
    kind = FailureKind.TRUNCATED if begun else FailureKind.RESET
    return Failure(kind, kind.message)


def no_socket() -> Failure:
    """Return why libcurl could not open a socket, which it does not report: try again with both families,
    since a system may have no IPv6."""
    try:
        for family in (socket.AF_INET, socket.AF_INET6):
            socket.socket(family).close()
    except OSError as error:
        return socket_failure(error)
    return Failure(FailureKind.INTERNAL, "could not create a socket")


def socket_failure(error: OSError) -> Failure:
    """Return the failure for a socket that could not be created, for which no host is to blame."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return Failure(FailureKind.INTERNAL, TOO_MANY_FILES)
    return Failure(
        CONNECT_ERRORS.get(error.errno or 0, FailureKind.INTERNAL), "no socket: " + str(error.strerror)
    )


def receive_error(message: str) -> FailureKind:
    """Return the kind of a receive error. libcurl has one code for the network, a proxy, an invalid chunk."""
    if message.startswith(TUNNEL_FAILED):
        return FailureKind.PROXY
    if not message or message.startswith(READING):
        if UNEXPECTED_EOF in message:
            return FailureKind.TRUNCATED
        # Usually an alert: with TLS 1.3 a server reports it here that it requires a client certificate.
        return FailureKind.TLS if OPENSSL in message else FailureKind.RESET
    return FailureKind.PROTOCOL


def timeout_of(*, total: float, resolved: bool, max_time: float, connect_timeout: float) -> Failure:
    """Return the failure for the timeout that ended the hop after `total` seconds. libcurl has only two, and
    the connect timeout ends once there is a connection. Of the phases' times, only that of the lookup is
    reliable: a kept connection has none of the others, a failed one has all (libcurl 8.23)."""
    if not resolved:
        return Failure(FailureKind.TIMEOUT_DNS, FailureKind.TIMEOUT_DNS.after(min(max_time, connect_timeout)))
    if total < max_time - TIMER_SLACK:
        return Failure(FailureKind.TIMEOUT_CONNECT, FailureKind.TIMEOUT_CONNECT.after(connect_timeout))
    return late(max_time)


def late(max_time: float) -> Failure:
    """Return the failure for the total timeout."""
    return Failure(FailureKind.TIMEOUT_TOTAL, FailureKind.TIMEOUT_TOTAL.after(max_time))
