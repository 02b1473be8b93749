"""Frames: the boundaries of messages to and from a worker process on their socket.

In: a kind and a payload. Out: bytes with the payload's length in front, and from a stream of bytes the same
frames, however the stream is split.
"""

from __future__ import annotations

from enum import IntEnum, auto
from struct import Struct

SPACE = 1 << 18
"""Bytes that are received at once, at most."""
HEAD = Struct("<IB")
"""Length of the payload, kind."""


class Kind(IntEnum):
    """What a frame says."""

    # To a worker
    REQUESTS = auto()
    """Requests to fetch, as in `wire.py`."""
    CANCEL = auto()
    """Return the requests that have not started, for the host in the payload or, if it is empty, for all
    hosts."""
    PLACES = auto()
    """Run so many fetches at once from now on: a decimal number."""
    SPACED = auto()
    """Return every redirect to the parent from now on; with an empty payload, only those that the options
    say."""
    HANG_UP = auto()
    """Close idle connections to these addresses, one a line: another process needs them."""
    CLOSE = auto()
    """End when all fetches have ended."""

    # From a worker
    STARTED = auto()
    """The process runs."""
    READY = auto()
    """Its station takes requests."""
    OUTCOMES = auto()
    """Outcomes, as in `wire.py`."""


Frame = tuple[Kind, bytes]


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """Return a frame's bytes."""
    return HEAD.pack(len(payload), kind) + payload


class FrameReader:
    """Splits a stream into frames."""

    def __init__(self, space: int = SPACE) -> None:
        self.space = memoryview(bytearray(space))
        """Where the next bytes are to be received: a buffer that is made anew for each call costs more than
        the call."""
        self._buffer = bytearray()

    def received(self, count: int) -> list[Frame]:
        """Return the frames that are complete with so many bytes of `space`. Raises `ValueError` for what is
        not a frame."""
        buffer = self._buffer
        buffer += self.space[:count]
        frames: list[Frame] = []
        start = 0
        while len(buffer) - start >= HEAD.size:
            length, kind = HEAD.unpack_from(buffer, start)
            end = start + HEAD.size + length
            if len(buffer) < end:
                break
            frames.append((Kind(kind), bytes(buffer[start + HEAD.size : end])))
            start = end
        if start:
            del buffer[:start]
        return frames
