"""Finds unread bytes on the connections of one libcurl pool.

In: the descriptors that libcurl opens, and both ends of the connection on which a request is about to be
sent. Out: whether it may be sent. Bytes received before a request was sent are never its response (RFC 9112
section 9.2), and libcurl checks an open connection at most once a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from fetchpool.transports.sockets import socket_from_fd
from fetchpool.transports.unread import has_unread, new_buffer, received

Ends = tuple[str, str, int, int]
"""The ends of a connection: peer address, local address, peer port and local port, as libcurl reports
them."""
NO_SOCKET = -1


class Responded(Protocol):
    """The handle of a hop whose response has been received."""

    def check_response(self, descriptor: int) -> None:
        """Record the response on this connection, and whether surplus bytes were received with it."""


class Connections:
    """The connections by descriptor; each is removed when its number is used again."""

    def __init__(self) -> None:
        self.buffer = new_buffer()
        """The buffer of `has_unread()`."""
        self._open: set[int] = set()
        self._ends: dict[int, Ends] = {}
        self.descriptors: dict[Ends, int] = {}
        self.shared: set[int] = set()
        """Connections with HTTP/2, which may carry several hops at once and separates their responses."""
        self.responded: dict[int, int | None] = {}
        """TLS connections with HTTP/1 responses, and the bytes received up to the last one."""
        self.spoiled: set[int] = set()
        """Connections whose surplus bytes the kernel does not show."""
        self.unchecked: dict[int, Responded] = {}
        """TLS connections whose last response has not been checked for surplus bytes yet, and its handle.
        libcurl may pass such a connection to the next hop in the same call that ends the previous one."""

    @property
    def is_one_quiet(self) -> bool:
        """Whether exactly one connection is open, an ordinary one, and no bytes wait on it."""
        if len(self._open) != 1 or self.shared or self.spoiled:
            return False
        (descriptor,) = self._open
        return not has_unread(descriptor, self.buffer)

    def __iter__(self) -> Iterator[int]:
        return iter(self._open)

    def opened(self, descriptor: int) -> None:
        """Register a new connection of libcurl."""
        self.closed(descriptor)
        self._open.add(descriptor)

    def closed(self, descriptor: int) -> None:
        """Unregister a connection. Without this call, it is replaced when its descriptor is reused."""
        ends = self._ends.pop(descriptor, None)
        if ends is not None and self.descriptors.get(ends) == descriptor:
            del self.descriptors[ends]
        self._open.discard(descriptor)
        self.shared.discard(descriptor)
        self.responded.pop(descriptor, None)
        self.spoiled.discard(descriptor)
        self.unchecked.pop(descriptor, None)

    def find(self, ends: Ends, opened: list[int]) -> int:
        """Return the connection between these ends, `NO_SOCKET` if there is none. `opened`: connections
        that this hop has opened, checked first, since an old one may have had the same ends."""
        for descriptor in opened:
            if ends_of(descriptor) == ends:
                self._ends[descriptor] = ends
                self.descriptors[ends] = descriptor
                return descriptor
        return self.descriptors.get(ends, NO_SOCKET)

    def record_response(self, descriptor: int, records: int, before: int) -> bool:
        """Record an HTTP/1 response over TLS. Return whether all bytes since the last one were in `records`
        bytes of processed records. `before`: bytes received before TLS began, for the first response."""
        before_it = self.responded.get(descriptor, before)
        now = self.responded[descriptor] = received(descriptor)
        if now is None or before_it is None:
            return True  # the kernel doesn't report it
        return now == before_it + records

    def is_quiet(self, descriptor: int, secure: bool) -> bool:
        """Whether a request may be sent. On a new TLS connection unread bytes may belong to TLS itself."""
        if descriptor in self.shared or (secure and descriptor not in self.responded):
            return True
        return not has_unread(descriptor, self.buffer) and descriptor not in self.spoiled


def ends_of(descriptor: int) -> Ends | None:
    """Return both ends of a socket; None when it is not connected."""
    try:
        with socket_from_fd(descriptor) as connection:
            local_ip, local_port = connection.getsockname()[:2]
            remote_ip, remote_port = connection.getpeername()[:2]
    except OSError:
        return None
    # A link-local address has its interface appended, which libcurl leaves out.
    return remote_ip.partition("%")[0], local_ip.partition("%")[0], remote_port, local_port
