"""Frames: the boundaries of messages to and from a worker process on their socket.

In: a kind and a payload. Out: bytes that start with the length of the payload; and the same frames from a
stream of bytes, however it is split.
"""

from __future__ import annotations

from enum import IntEnum, auto
from struct import Struct

MAX_RECEIVED = 1 << 18
"""Maximum number of bytes that are received at once."""
HEAD = Struct("<IB")
"""Length of the payload, kind."""


class Kind(IntEnum):
    """The kind of a frame."""

    # To a worker
    REQUESTS = auto()
    """Requests to fetch, as in `wire.py`."""
    CANCEL = auto()
    """Return the requests that have not started, for the host in the payload or, if it is empty, for all
    hosts."""
    PLACES = auto()
    """Run this many fetches at once from now on (a decimal number)."""
    SPACED = auto()
    """Return every redirect to the parent from now on; with an empty payload, only those that the options
    say."""
    HANG_UP = auto()
    """Close idle connections to these addresses, one per line, because another process needs them."""
    CLOSE = auto()
    """Exit when all fetches have ended."""

    # From a worker
    STARTED = auto()
    """The process is running."""
    READY = auto()
    """The process's station accepts requests."""
    OUTCOMES = auto()
    """Outcomes, as in `wire.py`."""


Frame = tuple[Kind, bytes]


def frame(kind: Kind, payload: bytes = b"") -> bytes:
    """Return a frame's bytes."""
    return HEAD.pack(len(payload), kind) + payload


class FrameReader:
    """Splits a stream into frames."""

    def __init__(self, space: int = MAX_RECEIVED) -> None:
        self.space = memoryview(bytearray(space))
        """The buffer for the next bytes. A new buffer for each call would cost more than the call."""
        self._buffer = bytearray()

    def received(self, count: int) -> list[Frame]:
        """Return the frames that are complete after `count` bytes were received into `space`. Raises
        `ValueError` for data that is not a frame."""
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
