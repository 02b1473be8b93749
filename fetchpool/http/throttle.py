"""Limits the rate at which all bodies of a run are received (`--limit-rate`).

In: the sizes of pieces, as they are received, from every worker. Out: the time until which each transfer must
pause, so that all together stay within the rate. Worker processes share the state through a file. Nothing
here sleeps; the driver does the waiting.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from time import monotonic
from types import TracebackType

from fetchpool.http.body import ResponseBody
from fetchpool.transports.base import ResponseHandler, ResponseHead

_TIME = struct.Struct("=d")


class ByteRate:
    """Bytes per second, over all transfers of a run."""

    def __init__(self, per_second: int, path: str = "") -> None:
        """`path`: a file of eight bytes that the run's processes share; empty for a run in one process."""
        self._per_second = per_second
        self._lock = threading.Lock()
        self._paid_at = 0.0
        """The time at which all bytes received so far are within the rate."""
        self._file = SharedTime(path) if path else None

    def charge(self, size: int) -> float:
        """Count received bytes; return when the next ones may be received, on the monotonic clock."""
        with self._lock:
            if self._file is None:
                self._paid_at = self._after(self._paid_at, size)
                return self._paid_at
            with self._file as shared:
                until = self._after(shared.time, size)
                shared.time = until
                return until

    def _after(self, paid_at: float, size: int) -> float:
        return max(paid_at, monotonic()) + size / self._per_second


class SharedTime:
    """A time in a file, accessed by one process at a time with `with`. The monotonic clock is common to all
    processes of the system."""

    def __init__(self, path: str) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._descriptor, _TIME.size)

    def __enter__(self) -> SharedTime:
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN)

    @property
    def time(self) -> float:
        value: float = _TIME.unpack_from(self._memory)[0]
        return value

    @time.setter
    def time(self, value: float) -> None:
        _TIME.pack_into(self._memory, 0, value)


class ThrottledBody:
    """The `ResponseHandler` of a hop that passes everything on to the body, and is `pending` after each piece
    until the piece is within the rate."""

    __slots__ = ("_more", "_rate", "_waits", "body", "ready_at")

    def __init__(self, body: ResponseBody, rate: ByteRate) -> None:
        self.body = body
        self._rate = rate
        self._more = True
        """Whether the body wants more bytes."""
        self._waits = False
        self.ready_at = 0.0

    def on_head(self, head: ResponseHead) -> bool:
        return self.body.on_head(head)

    def feed(self, chunk: bytes) -> bool:
        self.ready_at = self._rate.charge(len(chunk))
        self._more = self.body.feed(chunk)
        self._waits = self._more or self.body.pending
        return False  # after the wait, `resume()` asks for more

    @property
    def pending(self) -> bool:
        return self._waits

    def resume(self) -> bool:
        body = self.body
        if body.pending:
            self._more = body.resume()
            if not self._more and body.pending:
                return False
        if self._more and monotonic() < self.ready_at:
            return False
        self._waits = False
        return self._more


def body_of(receiver: ResponseHandler) -> ResponseHandler:
    """Return the body that receives a hop, throttled or not."""
    return receiver.body if isinstance(receiver, ThrottledBody) else receiver
