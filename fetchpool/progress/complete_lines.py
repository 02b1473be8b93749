"""Writes complete lines to a file descriptor, and removes a line that a full disk has truncated. In: lines,
and a descriptor, which the caller owns. Out: the lines in the file, pipe or terminal.
"""

from __future__ import annotations

import os
import select
import stat
from contextlib import suppress


def write_lines(descriptor: int, lines: bytes) -> tuple[int, OSError | None]:
    """Write lines, however long it takes. Return the size of the completely written lines, and the error if
    not all are. A regular file then ends in a complete line."""
    view, written = memoryview(lines), 0
    try:
        while written < len(lines):
            try:
                written += os.write(descriptor, view[written:])
            except BlockingIOError:  # another program made the descriptor non-blocking
                select.select([], [descriptor], [])
    except OSError as failure:
        complete = lines.rfind(b"\n", 0, written) + 1
        _remove_partial_line(descriptor, written - complete)
        return complete, failure
    return written, None


def _remove_partial_line(descriptor: int, length: int) -> None:
    """Remove the last `length` bytes, unless another program has written after them."""
    if not length:
        return
    with suppress(OSError):  # a pipe or a terminal
        end, status = os.lseek(descriptor, 0, os.SEEK_CUR), os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode) and status.st_size == end:
            os.ftruncate(descriptor, end - length)
            os.lseek(descriptor, end - length, os.SEEK_SET)
