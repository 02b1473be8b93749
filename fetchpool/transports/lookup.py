"""A DNS lookup and its result: addresses, or the reason why there are none."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from msgspec import Struct

from fetchpool.model.failures import FailureKind

MOST_ADDRESSES = 64
"""Maximum number of addresses kept of one name. Some names have thousands, and each request would carry
them."""
UNKNOWN = frozenset((socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY))
"""Errors of `getaddrinfo` that mean the name has no address; all others are temporary."""


class Address(Struct, frozen=True):
    """An address to connect to."""

    family: int
    """`socket.AF_INET` or `AF_INET6`."""
    ip: str
    sockaddr: tuple[Any, ...]
    """The argument of `socket.connect`."""


class ResolveError(Exception):
    """Raised when a name has no addresses. `kind` is `dns` or `timeout_dns`; `str()` is a one-line
    message."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class PendingLookup:
    """The lookup of one name, and its result once it is done."""

    __slots__ = ("addresses", "begun", "callbacks", "done", "error", "expires", "ips", "kind")

    def __init__(self) -> None:
        self.begun: float | None = None
        """When a thread started the lookup; None while it waits."""
        self.done = threading.Event()
        self.addresses: tuple[tuple[int, str, int], ...] = ()
        """Family, address and IPv6 scope."""
        self.ips: tuple[str, ...] = ()
        """The addresses as in URLs: IPv6 in brackets."""
        self.error = ""
        """The message of a failure; empty after success."""
        self.kind = FailureKind.DNS
        self.callbacks: list[Callable[[PendingLookup], None]] = []
        """Called when the lookup is done."""
        self.expires = float("inf")
        """When a finished lookup is dropped from the cache."""

    @property
    def transient(self) -> bool:
        """Whether the failure is temporary."""
        return bool(self.error) and self.kind is FailureKind.TIMEOUT_DNS


def addresses_of(answers: Sequence[tuple[Any, ...]]) -> tuple[tuple[int, str, int], ...]:
    """Return family, address and scope of each result, in the system's order. If there are too many, the
    first ones of both families are kept, since one family may be unreachable."""
    found = dict.fromkeys(
        (int(family), str(sockaddr[0]), sockaddr[3] if len(sockaddr) > 3 else 0)
        for family, _, _, _, sockaddr in answers
        if family in (socket.AF_INET, socket.AF_INET6)
    )
    if len(found) <= MOST_ADDRESSES:
        return tuple(found)
    first = next(iter(found))[0]
    preferred = [address for address in found if address[0] == first][:MOST_ADDRESSES]
    other = [address for address in found if address[0] != first][: MOST_ADDRESSES // 2]
    preferred = preferred[: MOST_ADDRESSES - len(other)]
    taken = [address for pair in zip_longest(preferred, other) for address in pair if address is not None]
    return tuple(taken)


def parse_ip(host: str, port: int) -> Address | None:
    """Return the address of a host that is an IP address; None for a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return Address(family, host, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None


def failure_of(error: Exception, host: str) -> tuple[FailureKind, str]:
    """Return the kind and message of a failed lookup."""
    if isinstance(error, UnicodeError) or (isinstance(error, socket.gaierror) and error.errno in UNKNOWN):
        return FailureKind.DNS, f"the host name {host} does not exist"
    return FailureKind.TIMEOUT_DNS, f"the name server did not answer for {host}"
