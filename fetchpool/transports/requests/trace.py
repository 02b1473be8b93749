"""What the connections of one worker tell about the hop in progress: phases, times, the address.

In: marks, as a hop goes on. Out: what a `HopResult` needs of them. One `Trace` per transport, shared
by its connections; it does no I/O.
"""

from __future__ import annotations

from enum import Enum
from time import monotonic

from fetchpool.transports.base import Failure, HopRequest, HopResult
from fetchpool.transports.watchdog import Watch


class Phase(Enum):
    """How far a hop has come; what an exception means depends on it."""

    CONNECT = "connect"
    """Name and TCP connection."""
    PROXY = "proxy"
    """The same to the proxy, and what is arranged with it."""
    TLS = "tls"
    """The handshake with the server."""
    ANSWER = "answer"
    """The request is being sent, or was."""


class Trace:
    """The hop in progress. Times are `time.monotonic()`; 0.0 is "not reached"."""

    __slots__ = (
        "appconnect",
        "connect",
        "connect_by",
        "forwarded",
        "hop",
        "namelookup",
        "origin",
        "peer",
        "phase",
        "remote_ip",
        "request",
        "started",
        "starttransfer",
        "surplus",
        "watch",
    )

    hop: HopRequest

    def __init__(self, watch: Watch) -> None:
        self.watch = watch
        self.request = b""
        """What is sent, head and all."""
        self.origin = ("", "", 0)
        """Scheme, host (without brackets) and port of whom the request is sent to."""
        self.forwarded = False
        """An HTTP proxy makes the request for us: what we talk to is the proxy."""
        self.phase = Phase.CONNECT
        self.started = self.connect_by = 0.0
        self.namelookup = self.connect = self.appconnect = self.starttransfer = 0.0
        self.remote_ip: str | None = None
        self.surplus = False
        """By the connection bytes came that answer nothing."""
        self.peer = ""
        """Who is being talked to, as a person would say it: an address and a port."""

    def begin(self, hop: HopRequest) -> None:
        """A new hop, and its time starts now."""
        now = monotonic()
        self.hop = hop
        self.phase = Phase.CONNECT
        self.started = now
        self.connect_by = now + min(hop.connect_timeout, hop.max_time)
        self.namelookup = self.connect = self.appconnect = self.starttransfer = 0.0
        self.remote_ip = None
        self.surplus = False
        self.peer = ""
        self.watch.start(now, hop.max_time, hop.read_timeout)

    def time_to_connect(self) -> float:
        """Seconds left for name, connection and TLS together. Raises `TimeoutError` when none are."""
        left = self.connect_by - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def heard(self) -> None:
        """Bytes of the answer have come."""
        if not self.starttransfer:
            self.starttransfer = monotonic()
        self.watch.progress += 1

    def response(self, failure: Failure | None) -> HopResult:
        """What the hop came to. A kept connection was made in no time; a phase that the hop didn't
        reach has no time at all."""
        connected = self.phase is Phase.ANSWER
        return HopResult(
            failure,
            self.remote_ip,
            self._since_start(self.namelookup, connected),
            self._since_start(self.connect, connected),
            self._since_start(self.appconnect, connected),
            self._since_start(self.starttransfer, False),
            round(monotonic() - self.started, 6),
            surplus=self.surplus,
        )

    def _since_start(self, moment: float, passed: bool) -> float | None:
        if moment:
            return round(moment - self.started, 6)
        return 0.0 if passed else None
