"""WorkerProcess: the parent's view of a worker process: its start, its requests, its end. In: frames to send,
and an event whenever its socket is readable or writable. Out: the frames that it has sent. Nothing here
blocks, even if the process is stopped or its parser holds the interpreter lock. Only the pool's thread uses
it, except `kill()`.
"""

from __future__ import annotations

import socket
from contextlib import suppress
from multiprocessing.context import BaseContext

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.process import worker
from fetchpool.pools.process.frames import Frame, FrameReader, Kind, frame
from fetchpool.pools.process.parent_pipe import ParentPipe
from fetchpool.pools.process.parse_board import ParseBoard
from fetchpool.pools.process.shares import Rate
from fetchpool.pools.process.work import WorkItem
from fetchpool.runtime import forks

SILENT_AFTER = 2
BLOCKED_AFTER = 4
"""Checks, half a second apart, without a sign of life after which a process counts as silent, or as blocked.
Checks are counted, since the parent itself may have been stopped."""


class WorkerProcess:
    """The parent's view of a worker process. `places`: the number of fetches that it runs at once."""

    def __init__(self, places: int, options: FetchOptions, context: BaseContext) -> None:
        """Start the process without waiting until it is ready. Raises `OSError` and similar errors if the
        system lacks resources."""
        self.places = places
        self.held: dict[int, WorkItem] = {}
        """Requests that were sent and have no outcome yet, by number, in the order of sending."""
        self.is_started = self.is_ready = False
        """Whether the process runs, and whether its station accepts requests."""
        self.is_isolating = False
        """Whether the process runs a single request, or is about to."""
        self.retires_at = 0.0
        """When the process is killed because a parser in it did not return; 0 if it is not. Until then it
        gets no more requests."""
        self.killed_for_parser = False
        """Whether its requests run again without counting as lost."""
        self.is_ended = False
        self.rate = Rate()
        self.last_outcome = self.recalled_at = 0.0
        """The times of the last outcome, and of the last command to return requests that have not started."""
        self.board = ParseBoard()
        self._beat = 0.0
        self._silent_checks = 0
        self._reader = FrameReader()
        self._unsent = bytearray()
        self._parent_pipe = ParentPipe(context)
        self.channel, theirs = socket.socketpair()
        arguments = (max(places, 1), options, self._parent_pipe.reader, theirs, self.board)
        self.process = context.Process(target=worker.run, args=arguments, name="fetchpool-worker")  # type: ignore[attr-defined]
        try:
            self.channel.setblocking(False)
            forks.not_for_children(self.channel.fileno())
            self.process.start()
        except BaseException:
            self._parent_pipe.close()
            self.channel.close()
            self.board.close()
            raise
        finally:
            theirs.close()
            self._parent_pipe.reader.close()
        self.name = f"worker process {self.process.pid}"

    @property
    def sentinel(self) -> int:
        """A descriptor that becomes readable when the process has ended."""
        descriptor: int = self.process.sentinel
        return descriptor

    @property
    def is_usable(self) -> bool:
        """Whether it can be sent requests."""
        return self.is_ready and not self.retires_at and not self.is_blocked

    def capacity(self, *, ahead: bool) -> int:
        """Return the number of requests that it can be sent: those that it would start, and those `ahead` of
        them."""
        if self.is_isolating or not self.is_usable or not self.places:
            return 0
        return max(0, self.places + (self.rate.ahead if ahead else 0) - len(self.held))

    @property
    def surplus(self) -> int:
        """Number of requests that the process holds but has not started."""
        return max(0, len(self.held) - self.places)

    @property
    def is_blocked(self) -> bool:
        """Whether its loop has made no progress for some time."""
        return self._silent_checks >= BLOCKED_AFTER

    @property
    def is_silent(self) -> bool:
        """Whether its loop has made no progress since the last check but one."""
        return self._silent_checks >= SILENT_AFTER

    def resize(self, places: int) -> None:
        """Change the number of fetches that it runs at once."""
        if places != self.places:
            self.places = places
            self.send(Kind.PLACES, str(places).encode())

    def check(self) -> None:
        """Check for a sign of life. Must be called twice a second."""
        beat = self.board.beat
        self._silent_checks = self._silent_checks + 1 if beat == self._beat and self.is_ready else 0
        self._beat = beat

    # Its socket

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Send a frame; buffer the part that the socket doesn't accept."""
        self._unsent += frame(kind, payload)
        self.flush()

    def flush(self) -> None:
        """Send the buffered bytes, as far as the socket accepts them."""
        try:
            while self._unsent:
                del self._unsent[: self.channel.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:  # the process has ended, as its sentinel shows
            self._unsent.clear()

    @property
    def has_unsent(self) -> bool:
        """Whether `flush()` must be called when the socket is writable."""
        return bool(self._unsent)

    def receive(self) -> tuple[list[Frame], bool]:
        """Return the received frames, and whether more may follow."""
        try:
            count = self.channel.recv_into(self._reader.space)
        except BlockingIOError:
            return [], True
        except OSError:
            return [], False
        return self._reader.received(count), count > 0

    # Its end

    def kill(self) -> None:
        """End the process, whatever it is doing. Any thread may call it."""
        with suppress(OSError, ValueError):  # it has ended
            self.process.kill()

    def close(self) -> None:
        """End the process, and release its resources. Idempotent."""
        if self.is_ended:
            return
        self.is_ended = True
        self._parent_pipe.close()  # also ends a process whose fork server has died, which `kill()` doesn't
        self.kill()
        self.process.join(1.0)
        self.channel.close()
        self.board.close()
        with suppress(ValueError):  # it can't be waited for: the fork server has been stopped
            self.process.close()
