"""Decodes slow bodies piece by piece, so that other transfers continue. In: receivers that have paused, for
decoding or for `--limit-rate`. Out: the transfers that are now complete; the pool completes them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from time import monotonic

import pycurl

from fetchpool.pools.async_.transfer import Transfer
from fetchpool.transports.curl.receiver import CurlReceiver

DECODING = 0.01
"""Seconds spent on paused bodies in each iteration of the loop."""


class PausedBodies:
    """The paused bodies of a pool."""

    def __init__(self) -> None:
        self.receivers: deque[CurlReceiver] = deque()
        """Receivers with decoding left to do, the one that has waited longest first."""

    def ready_in(self) -> float:
        """Return the seconds until one of the bodies can continue."""
        return max(0.0, min([receiver.ready_at for receiver in self.receivers]) - monotonic())

    def go_on(self, transfers: Mapping[pycurl.Curl, Transfer]) -> list[pycurl.Curl]:
        """Continue decoding, one after the other. Return the transfers that are complete."""
        now = monotonic()
        until = now + DECODING
        complete: list[pycurl.Curl] = []
        receivers = self.receivers
        waiting = 0  # consecutive receivers that can't continue yet
        while waiting < len(receivers) and now < until:
            receiver = receivers.popleft()
            transfer = transfers.get(receiver.curl)
            if transfer is None or not receiver.decoding:  # its hop was ended meanwhile
                continue
            transfer.progress += 1
            more = receiver.go_on(transfer.all_received)
            now = monotonic()
            if more:
                receivers.append(receiver)
                waiting = waiting + 1 if receiver.ready_at > now else 0
            elif receiver.stopped or (transfer.all_received and not receiver.decoding):
                complete.append(receiver.curl)
        return complete
