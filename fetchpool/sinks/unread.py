"""Determines how many rows in a pipe its reader has not read yet, and whether the reader has closed the pipe.
In: the descriptor of a pipe, and the rows that are written to it. Out: the number of unread rows. This lets a
run whose rows go to `head -3` end soon after the third row, although a pipe holds a thousand rows.
"""

from __future__ import annotations

import fcntl
import os
import select
import stat
import struct
import termios

from fetchpool.model.errors import OutputClosedError

SMALL_PART = 20
"""Number of rows for each that may be buffered."""
CLOSED = "standard output was closed by its reader"


def is_pipe(descriptor: int) -> bool:
    """Whether a descriptor is a pipe."""
    return stat.S_ISFIFO(os.fstat(descriptor).st_mode)


class UnreadRows:
    """Counts the rows of a pipe that were written and not read, by their mean length."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._rows = self._bytes = 0
        self._buffered = 0
        self._poll = select.poll()
        self._poll.register(descriptor, 0)  # only for errors, which are always reported

    def written(self, rows: int, octets: int) -> None:
        """Count rows that were written, for now into a buffer."""
        self._rows += rows
        self._bytes += octets
        self._buffered += rows

    def flushed(self) -> None:
        """Record that all rows are in the pipe."""
        self._buffered = 0

    @property
    def must_flush(self) -> bool:
        """Whether buffered rows should be written at once: the first rows one by one, later ones in growing
        batches."""
        return self._buffered * SMALL_PART >= self._rows

    def count(self) -> tuple[int, int]:
        """Return the numbers of rows that were read and not read. Raises `OutputClosedError` if there is no
        longer a reader."""
        if any(events & select.POLLERR for _, events in self._poll.poll(0)):
            raise OutputClosedError(CLOSED)
        if not self._rows:
            return 0, 0
        try:
            answer = fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4)
        except OSError:  # a system that doesn't report this
            return self._rows, 0
        unread: int = struct.unpack("i", answer)[0]
        rows = -(-unread * self._rows // self._bytes) + self._buffered
        return max(self._rows - rows, 0), rows
