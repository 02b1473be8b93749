"""Connects to the first of a host's addresses that accepts (RFC 8305, "Happy Eyeballs").

In: addresses, in order of preference. Out: a connected socket, or the exception of the address that failed
last. The next address is tried when the previous one has failed, or has not responded for a moment; late
connections are closed. Otherwise a dead address would cost each connection half of its time.
"""

from __future__ import annotations

import errno
import os
import selectors
import socket
from collections.abc import Callable, Iterable
from itertools import chain, zip_longest
from time import monotonic

from fetchpool.transports.lookup import Address

DELAY = 0.25
"""Seconds before the next address is tried in parallel (RFC 8305 section 5)."""
UNDER_WAY = frozenset((0, errno.EINPROGRESS, errno.EWOULDBLOCK))


class Race:
    """Parallel attempts to connect, one of which wins."""

    def __init__(
        self,
        addresses: Iterable[Address],
        *,
        open: Callable[[Address], socket.socket],
        close: Callable[[socket.socket], None],
        failed: Callable[[Address], None],
    ) -> None:
        """`open` creates a socket for an address, `close` closes it; `failed` is called with each address
        that fails."""
        self._waiting = list(reversed(interleaved(addresses)))
        self._open = open
        self._close = close
        self._failed = failed
        self._running: dict[socket.socket, Address] = {}
        self._error: OSError = TimeoutError()

    def run(
        self, time_left: Callable[[], float], ending: Callable[[], bool]
    ) -> tuple[socket.socket, Address]:
        """Return the connected socket. `time_left` raises `TimeoutError` if no time is left; if the hop is
        `ending`, no further address is tried. Raises `OSError`."""
        next_at = monotonic()
        with selectors.DefaultSelector() as selector:
            try:
                while True:
                    if not self._running and (ending() or not self._waiting):
                        raise self._error
                    wait, now = time_left(), monotonic()
                    if self._waiting and (now >= next_at or not self._running):
                        self._start(selector)
                        next_at = now + DELAY
                        continue
                    if self._waiting:
                        wait = min(wait, next_at - now)
                    for key, _ in selector.select(max(0.0, wait)):
                        connection = key.fileobj
                        assert isinstance(connection, socket.socket)
                        if self._has_won(selector, connection):
                            return connection, self._running.pop(connection)
                        next_at = now
            finally:
                for connection in list(self._running):
                    self._close(connection)

    def _start(self, selector: selectors.BaseSelector) -> None:
        address = self._waiting.pop()
        try:
            connection = self._open(address)
        except OSError as error:
            self._lost(address, error)
            return
        self._running[connection] = address
        connection.setblocking(False)
        code = connection.connect_ex(address.sockaddr)
        if code in UNDER_WAY:
            selector.register(connection, selectors.EVENT_WRITE)
        else:
            self._drop(connection, code)

    def _has_won(self, selector: selectors.BaseSelector, connection: socket.socket) -> bool:
        selector.unregister(connection)
        code = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if not code:
            try:
                connection.getpeername()
            except OSError as error:  # the watchdog has shut it down
                code = error.errno or errno.ENOTCONN
        if code:
            self._drop(connection, code)
        return not code

    def _drop(self, connection: socket.socket, code: int) -> None:
        self._close(connection)
        self._lost(self._running.pop(connection), OSError(code, os.strerror(code)))

    def _lost(self, address: Address, error: OSError) -> None:
        self._error = error
        self._failed(address)


def interleaved(addresses: Iterable[Address]) -> list[Address]:
    """Return the addresses, alternating between families, beginning with that of the first (RFC 8305
    section 4)."""
    families: dict[int, list[Address]] = {}
    for address in addresses:
        families.setdefault(address.family, []).append(address)
    return [each for each in chain.from_iterable(zip_longest(*families.values())) if each is not None]
