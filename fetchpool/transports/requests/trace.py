"""Records the progress of one worker's current hop: phases, times, the address.

In: marks, as a hop proceeds. Out: the values that a `HopResult` needs. Each transport has one `Trace`, shared
by its connections; it does no I/O.
"""

from __future__ import annotations

from enum import Enum
from time import monotonic

from fetchpool.transports.base import Failure, HopRequest, HopResult
from fetchpool.transports.watchdog import Watch


class Phase(Enum):
    """The phase of a hop, on which the meaning of an exception depends."""

    CONNECT = "connect"
    """DNS and TCP connection."""
    PROXY = "proxy"
    """DNS, TCP connection and tunnel of the proxy."""
    TLS = "tls"
    """The handshake with the server."""
    RESPONSE = "response"
    """The request is being sent, or has been sent."""


class Trace:
    """The hop in progress. Times are `time.monotonic()`; 0.0 means not reached."""

    __slots__ = (
        "appconnect",
        "connect",
        "connect_by",
        "forwarded",
        "gives_address",
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
        """The complete request as it is sent."""
        self.origin = ("", "", 0)
        """Scheme, host (without brackets) and port of the server that the request is sent to."""
        self.forwarded = False
        """Whether an HTTP proxy makes the request, so that the server is the proxy."""
        self.gives_address = False
        """Whether a proxy was given an address of the host."""
        self.phase = Phase.CONNECT
        self.started = self.connect_by = 0.0
        self.namelookup = self.connect = self.appconnect = self.starttransfer = 0.0
        self.remote_ip: str | None = None
        self.surplus = False
        """Whether the connection received bytes that belong to no response."""
        self.peer = ""
        """The peer for messages: an address and a port."""

    def begin(self, hop: HopRequest) -> None:
        """Begin a new hop, whose time starts now."""
        now = monotonic()
        self.hop = hop
        self.gives_address = False
        self.phase = Phase.CONNECT
        self.started = now
        self.connect_by = now + min(hop.connect_timeout, hop.max_time)
        self.namelookup = self.connect = self.appconnect = self.starttransfer = 0.0
        self.remote_ip = None
        self.surplus = False
        self.peer = ""
        self.watch.start(self.watch.now(), hop.max_time, hop.read_timeout)

    def time_to_connect(self) -> float:
        """Return the seconds left for DNS, connection and TLS together. Raises `TimeoutError` when none
        are."""
        left = self.connect_by - monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def on_received(self) -> None:
        """Record that bytes of the response were received."""
        if not self.starttransfer:
            self.starttransfer = monotonic()
        self.watch.progress += 1

    def response(self, failure: Failure | None) -> HopResult:
        """Return the hop's result. With a reused connection, its phases took no time; a phase that the hop
        didn't reach is None."""
        connected = self.phase is Phase.RESPONSE
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
