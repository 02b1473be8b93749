"""Finds the transfers that have reached their deadline, or whose server is silent. In: the transfers in
flight. Out: those to end, with the reason; the pool ends them.
"""

from __future__ import annotations

from collections.abc import Mapping

import pycurl

from fetchpool.model.failures import FailureKind
from fetchpool.pools.async_.transfer import Transfer
from fetchpool.transports.base import Failure
from fetchpool.transports.curl.connections import NO_SOCKET, Connections
from fetchpool.transports.curl.errors import FORCED
from fetchpool.transports.sockets import seconds_idle


class TransferLimits:
    """The limits of all transfers of a pool."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def expired(
        self, transfers: Mapping[pycurl.Curl, Transfer], now: float
    ) -> list[tuple[pycurl.Curl, Failure | None]]:
        """Return the transfers to end. Those at their deadline have no failure: their phase decides which
        limit it was."""
        expired: list[tuple[pycurl.Curl, Failure | None]] = []
        for curl, transfer in transfers.items():
            progress = transfer.progress + transfer.handle.header_lines
            if now >= transfer.deadline and not transfer.all_received:
                expired.append((curl, None))
            elif progress != transfer.seen:
                transfer.seen, transfer.seen_at = progress, now
            elif now - transfer.seen_at >= transfer.read_timeout and self._is_silent(curl, transfer, now):
                expired.append((curl, FORCED[FailureKind.TIMEOUT_READ]))
        return expired

    def _is_silent(self, curl: pycurl.Curl, transfer: Transfer, now: float) -> bool:
        """Whether the kernel has received nothing for a hop either: libcurl does not report all bytes (a
        handshake's, a partial header's). On a connection that carries several hops it is not asked, since the
        bytes may be another hop's."""
        idle = now - transfer.seen_at
        descriptor = curl.getinfo(pycurl.ACTIVESOCKET)
        if descriptor == NO_SOCKET:
            idle = 0.0  # not connected yet
        elif descriptor not in self._connections.shared:
            idle = min(idle, seconds_idle(descriptor))
        if idle >= transfer.read_timeout:
            return True
        transfer.seen_at = now - idle
        return False
