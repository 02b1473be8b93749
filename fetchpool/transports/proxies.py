"""The proxy of a run: its address, its credentials, and the failures that it reports.

In: `FetchOptions.proxy`, which has been validated; a proxy's responses. Out: a `Proxy`; failures with the
same messages for both transports. The module opens no connection.
"""

from __future__ import annotations

from base64 import b64encode
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.record import TRANSIENT_STATUSES
from fetchpool.transports.base import Failure, HopRequest

DEFAULT_PORTS = {"https": 443}
"""Default ports by scheme. For other schemes the port is 1080, as in curl (CURLOPT_PROXY)."""

TARGET_UNREACHABLE = frozenset((502, 504))
"""Statuses by which a working proxy reports that it could not reach the host."""
SOCKS_REPLIES = {
    1: "general failure",
    2: "not allowed by its rules",
    3: "network unreachable",
    4: "host unreachable",
    5: "connection refused",
    6: "time to live expired",
    7: "command not supported",
    8: "address type not supported",
}
"""Replies by RFC 1928 section 6."""
SOCKS_TEMPORARY = frozenset((1, 3, 4, 5, 6))
SOCKS_OF_ADDRESS = (*SOCKS_TEMPORARY, 8)
"""Replies that may differ for another address of the same host."""
TEMPORARY_FAILURES = {
    FailureKind.REFUSED: "connection refused",
    FailureKind.UNREACHABLE: "no route to it",
    FailureKind.RESET: "connection reset",
    FailureKind.EMPTY_REPLY: "it closed the connection",
    FailureKind.TRUNCATED: "it closed the connection",
}
"""Failures of the proxy that may be temporary."""
NOT_SOCKS = Failure(FailureKind.PROXY, "the proxy does not speak SOCKS 5")
ANOTHER_AUTHENTICATION = Failure(FailureKind.PROXY, "the SOCKS proxy requires another authentication method")
WRONG_CREDENTIALS = Failure(FailureKind.PROXY, "the SOCKS proxy refused the user name or password")


def proxy_unreachable(kind: FailureKind, message: str = "") -> Failure:
    """Return the failure of a hop that could not talk to the proxy. The message is used for kinds that are
    not in `TEMPORARY_FAILURES`."""
    transient = kind in TEMPORARY_FAILURES or kind is FailureKind.TIMEOUT_DNS
    words = TEMPORARY_FAILURES.get(kind) or message or kind.replace("_", " ")
    message = f"cannot connect through the proxy: {words}"
    return Failure(FailureKind.PROXY, message, transient, proxy_down=transient)


def refused(status: int) -> Failure:
    """Return the failure for an HTTP proxy's response to CONNECT."""
    transient = status in TRANSIENT_STATUSES
    down = transient and status not in TARGET_UNREACHABLE
    return Failure(FailureKind.PROXY, f"the proxy answered {status} to CONNECT", transient, proxy_down=down)


def socks_refused(reply: int) -> Failure:
    """Return the failure for a SOCKS proxy's reply to its CONNECT."""
    words = SOCKS_REPLIES.get(reply, "no reason given")
    return Failure(FailureKind.PROXY, f"the SOCKS proxy refused: {words}", reply in SOCKS_TEMPORARY)


ADDRESS_REFUSED = frozenset(map(socks_refused, SOCKS_OF_ADDRESS))


def time_for_address(seconds: float, addresses: int) -> float:
    """Return the part of the connect timeout for the first of a host's addresses: half of the time left if
    there are more, since a SOCKS proxy takes one address at a time."""
    return seconds / 2 if addresses > 1 else seconds


def untried_addresses(hop: HopRequest, failure: Failure) -> tuple[str, ...]:
    """Return the addresses to try next, after a SOCKS proxy could not reach the hop's first one."""
    if failure in ADDRESS_REFUSED or failure.kind is FailureKind.TIMEOUT_CONNECT:
        return hop.addresses[1:]
    return ()


class Proxy(Struct, frozen=True):
    """The proxy in `FetchOptions.proxy`."""

    scheme: str
    """`http`, `https`, `socks5` (names are resolved here) or `socks5h` (by the proxy)."""
    host: str
    """The host, IPv6 without brackets."""
    port: int
    username: str
    password: str

    @property
    def socks(self) -> bool:
        """Whether the proxy doesn't use HTTP."""
        return self.scheme.startswith("socks")

    @property
    def takes_addresses(self) -> bool:
        """Whether the proxy is given an address of the host, which is resolved here, instead of its name."""
        return self.scheme == "socks5"

    @property
    def authorization(self) -> str:
        """The header line for an HTTP proxy (RFC 7617); empty without a user name."""
        if not self.username:
            return ""
        credentials = b64encode(f"{self.username}:{self.password}".encode()).decode()
        return f"Proxy-Authorization: Basic {credentials}\r\n"


def proxy_of(text: str | None) -> Proxy | None:
    """Return the proxy of a URL. Without a scheme it is `http`."""
    if not text:
        return None
    parts = urlsplit(text if "://" in text else f"http://{text}")
    return Proxy(
        parts.scheme,
        parts.hostname or "",
        parts.port or DEFAULT_PORTS.get(parts.scheme, 1080),
        unquote(parts.username or ""),
        unquote(parts.password or ""),
    )
