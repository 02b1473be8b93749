"""The connections of one libcurl pool: on which of them bytes wait that answer nothing.

In: the descriptors that libcurl opens, and both ends of the connection on which a request is about to go
out. Out: whether it may. What came before a request was sent is never its answer (RFC 9112 section 9.2), and
libcurl looks at a kept connection once a second at most.
"""

from __future__ import annotations

from collections.abc import Iterator

from fetchpool.transports.sockets import socket_from_fd
from fetchpool.transports.unread import has_unread, new_answer, received

Ends = tuple[str, str, int, int]
"""A connection: their address and ours, their port and ours. As libcurl tells it."""
NO_SOCKET = -1


class Connections:
    """By descriptor; each is forgotten when its number is used again."""

    def __init__(self) -> None:
        self.answer = new_answer()
        """What `has_unread()` may write to."""
        self._open: set[int] = set()
        self._ends: dict[int, Ends] = {}
        self.descriptors: dict[Ends, int] = {}
        self.shared: set[int] = set()
        """They may carry several hops at once: over them HTTP/2 was spoken, which tells answers apart."""
        self.answered: dict[int, int | None] = {}
        """TLS by which HTTP/1 answers came, and how many bytes had come with the last of them."""
        self.spoiled: set[int] = set()
        """Bytes that answer nothing are left where the kernel does not see them."""

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[int]:
        return iter(self._open)

    def opened(self, descriptor: int) -> None:
        """libcurl has a new one."""
        self.closed(descriptor)
        self._open.add(descriptor)

    def closed(self, descriptor: int) -> None:
        """It is gone; where nobody says so, its number tells when it is used again."""
        ends = self._ends.pop(descriptor, None)
        if ends is not None and self.descriptors.get(ends) == descriptor:
            del self.descriptors[ends]
        self._open.discard(descriptor)
        self.shared.discard(descriptor)
        self.answered.pop(descriptor, None)
        self.spoiled.discard(descriptor)

    def find(self, ends: Ends, opened: list[int]) -> int:
        """The connection between them, `NO_SOCKET` when there is none. `opened`: made by
        this hop, and asked first, since an old one may have had the same ends."""
        for descriptor in opened:
            if ends_of(descriptor) == ends:
                self._ends[descriptor] = ends
                self.descriptors[ends] = descriptor
                return descriptor
        return self.descriptors.get(ends, NO_SOCKET)

    def settle(self, descriptor: int, records: int, before: int) -> bool:
        """An HTTP/1 answer came by TLS. Whether all that has come since the last one was in so many bytes of
        records, which were processed. `before`: what had come before TLS began, if this is the first."""
        before_it = self.answered.get(descriptor, before)
        now = self.answered[descriptor] = received(descriptor)
        if now is None or before_it is None:
            return True  # the kernel doesn't tell
        return now == before_it + records

    def is_quiet(self, descriptor: int, secure: bool) -> bool:
        """Whether a request may go out on it. In a new TLS connection bytes of TLS itself may wait."""
        if descriptor in self.shared or (secure and descriptor not in self.answered):
            return True
        return not has_unread(descriptor, self.answer) and descriptor not in self.spoiled


def ends_of(descriptor: int) -> Ends | None:
    """None when it is not connected."""
    try:
        with socket_from_fd(descriptor) as connection:
            local_ip, local_port = connection.getsockname()[:2]
            remote_ip, remote_port = connection.getpeername()[:2]
    except OSError:
        return None
    # A link-local address is told with its interface, which libcurl leaves out.
    return remote_ip.partition("%")[0], local_ip.partition("%")[0], remote_port, local_port
