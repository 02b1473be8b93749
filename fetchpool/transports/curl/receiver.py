"""Passes the response that libcurl receives to the hop's handler, in libcurl's callbacks.

In: header lines and body bytes. Out: calls of the hop's `ResponseHandler`, and the reason if a callback ends
the transfer. If one thread serves several handles, a body that takes long to decode is decoded in steps, with
the transfer paused.
"""

from __future__ import annotations

from collections import deque
from time import monotonic, sleep
from typing import Protocol

import pycurl

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.curl.errors import FORCED, failure_of, late
from fetchpool.transports.curl.head import BLANK, parse_head, parse_status

INVALID_STATUS_LINE = Failure(FailureKind.PROTOCOL, "invalid status line")
SLICE = 0.05
"""Seconds between two checks whether a waiting hop is being cancelled."""


class ProgressCounter(Protocol):
    """A counter that changes whenever data arrives."""

    progress: int

    @property
    def ending(self) -> bool:
        """Whether the hop is being cancelled."""


class CurlReceiver:
    """Receives one response after the other on an easy handle."""

    __slots__ = (
        "_counter",
        "_deadline",
        "_hop",
        "_paused",
        "begun",
        "curl",
        "decoding",
        "failure",
        "has_head",
        "lines",
        "size",
        "stopped",
    )

    def __init__(
        self, curl: pycurl.Curl, counter: ProgressCounter, paused: deque[CurlReceiver] | None
    ) -> None:
        """`counter.progress` is incremented with each piece of a body. A receiver with decoding left to do is
        added to `paused`, whose owner then calls `go_on()`, while libcurl receives nothing more; without it a
        body is decoded as it arrives."""
        self.curl = curl
        self._counter = counter
        self._paused = paused
        self._hop: HopRequest | None = None
        self._deadline = 0.0
        self.lines: list[bytes] = []
        """Header lines received, of all header blocks."""
        self.size = 0
        """Bytes of the body received, without the framing of chunks."""
        self.begun = False
        """Whether the header block is complete, or the response has ended within it."""
        self.has_head = False
        """Whether the handler has received the head."""
        self.stopped = False
        """Whether the handler wants no more bytes, or the transfer has failed."""
        self.decoding = False
        """Whether the transfer is paused."""
        self.failure: Failure | None = None
        """Found by a callback, which can only end the transfer: it takes precedence over libcurl's code."""
        curl.setopt(pycurl.HEADERFUNCTION, self.lines.append)
        curl.setopt(pycurl.WRITEFUNCTION, self._write)

    def prepare(self, hop: HopRequest, now: float) -> None:
        """Get ready for the next response. `now`: on the monotonic clock."""
        self._hop = hop
        self.begun = self.has_head = self.stopped = False
        self._deadline = now + hop.max_time
        self.failure = None
        self.size = 0

    def clear(self) -> None:
        """Drop the references to the hop, whose handler may hold a body, since the next hop may come much
        later."""
        self.decoding = False
        self._hop = None
        self.lines.clear()

    def begin(self, hop: HopRequest) -> Failure | None:
        """Pass the final header block to the handler; return a failure if there is none."""
        self.begun = True
        head = parse_head(self.lines)
        if head is not None:
            self.has_head = True
            self.stopped = not hop.receiver.on_head(head)
            return None
        self.stopped = True
        if self.lines and self.lines[-1] not in BLANK:
            # To libcurl the end of the connection is the end of the headers.
            return Failure(FailureKind.TRUNCATED, "the connection ended inside the headers")
        return INVALID_STATUS_LINE

    @property
    def has_invalid_status_line(self) -> bool:
        """Whether the response begins with a line that is not a status line. libcurl reads three digits of
        `1000`, an interim response, and reports an empty reply."""
        return bool(self.lines) and parse_status(self.lines[0])[0] is None

    def begin_truncated(self, hop: HopRequest) -> None:
        """Pass the header block of a failed response to the handler, if it is complete."""
        head = parse_head(self.lines)
        if head is not None:
            self.begun = True
            hop.receiver.on_head(head)

    def go_on(self, all_received: bool) -> bool:
        """Continue decoding for a few milliseconds; return whether more is left. If nothing is left, the
        transfer continues, unless `all_received` or `stopped`."""
        hop = self._hop
        assert hop is not None
        handler = hop.receiver
        if monotonic() >= self._deadline:
            self.failure = late(hop.max_time)
            self.stopped = True
        elif handler.resume():
            self.decoding = False
            if not all_received:
                self._unpause()
        elif handler.pending:
            return True
        else:
            self.stopped = True
        return False

    @property
    def ready_at(self) -> float:
        """The time from which `go_on()` can do something, on the monotonic clock."""
        return 0.0 if self._hop is None else self._hop.receiver.ready_at

    def _unpause(self) -> None:
        """Continue the transfer; libcurl may call `_write()` at once."""
        try:
            self.curl.pause(pycurl.PAUSE_CONT)
        except pycurl.error as error:
            if not self.stopped:
                code, message = error.args  # type: ignore[misc]  # pycurl's stubs leave it untyped
                self.failure = failure_of(code, message, 0)
                self.stopped = True

    def _write(self, chunk: bytes) -> int | None:
        """Handle libcurl's WRITEFUNCTION callback."""
        hop = self._hop
        assert hop is not None
        if not self.begun:
            self.failure = self.begin(hop)
            if self.stopped:
                return 0
        self._counter.progress += 1
        self.size += len(chunk)
        if hop.receiver.feed(chunk):
            return None  # stands for the chunk's length
        if hop.receiver.pending and self._decode(hop):
            return None
        self.stopped = True
        return 0

    def _decode(self, hop: HopRequest) -> bool:
        """Continue a long decoding now or later; return whether more bytes are wanted."""
        if self._paused is not None:
            if not self.decoding:
                self.decoding = True
                self._paused.append(self)
                self.curl.pause(pycurl.PAUSE_RECV)
            return True
        handler, counter = hop.receiver, self._counter
        while handler.pending:
            if counter.ending:
                self.failure = FORCED[FailureKind.ABORTED]
                return False
            if monotonic() >= self._deadline:
                self.failure = late(hop.max_time)
                return False
            counter.progress += 1
            if handler.resume():
                return True
            if (pause := handler.ready_at - monotonic()) > 0:
                sleep(min(pause, SLICE))
        return False
