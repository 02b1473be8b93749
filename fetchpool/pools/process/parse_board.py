"""ParseBoard: the activity of a worker process, in memory shared with its parent, since a process whose
parser holds the interpreter lock can't respond. In: in the process, signs of life of its loop, and the start
and end of parsers. Out: the same, in the parent.
"""

from __future__ import annotations

import os
import tempfile
import threading
from mmap import mmap
from multiprocessing import reduction
from time import monotonic
from typing import Any

PLACES = 64
"""Maximum number of parsers that are recorded at once."""
NUMBER, SINCE = 1, 1 + PLACES
"""Offsets of the requests' numbers and of the times; a time is 0 if no parser is running. The first cell
belongs to the loop."""
SIZE = 8 * (1 + 2 * PLACES)
"""Size in bytes, with a double per cell."""


class ParseBoard:
    """Memory shared by one process and its parent, passed to the process at its start. (The arrays of
    `multiprocessing.sharedctypes` come from a heap that never closes its descriptors.)"""

    def __init__(self, descriptor: int | None = None) -> None:
        """Map new memory, or the memory of a descriptor, which is closed with the board."""
        self._descriptor = memory_file() if descriptor is None else descriptor
        self._memory = mmap(self._descriptor, SIZE)
        self._cells = memoryview(self._memory).cast("d")

    def __reduce__(self) -> tuple[Any, ...]:
        return attached, (reduction.DupFd(self._descriptor),)

    # In the parent

    @property
    def beat(self) -> float:
        """The time of the loop's last sign of life, on a clock that all processes share."""
        return self._cells[0]

    def running(self) -> list[tuple[int, float]]:
        """Return the numbers of the requests whose parsers are running, with their start times."""
        cells = self._cells
        times = cells[SINCE : SINCE + PLACES]
        return [(int(cells[NUMBER + place]), since) for place, since in enumerate(times) if since]

    def close(self) -> None:
        """Unmap the memory. Idempotent."""
        if self._descriptor >= 0:
            self._cells.release()
            self._memory.close()
            os.close(self._descriptor)
            self._descriptor = -1

    # In the process

    def sign(self) -> None:
        """Record a sign of life of the loop."""
        self._cells[0] = monotonic()


def memory_file() -> int:
    """Return the descriptor of a file of `SIZE` zeros that has no name. Raises `OSError`."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("fetchpool")
    else:
        with tempfile.TemporaryFile() as file:
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, SIZE)
    return descriptor


def attached(passed: Any) -> ParseBoard:
    """Return the board of a descriptor that was passed to this process."""
    return ParseBoard(passed.detach())


class ParseNotes:
    """The observer of a process's parsers, which records them on the board."""

    def __init__(self, board: ParseBoard) -> None:
        self._cells = board._cells
        self._lock = threading.Lock()
        self._free = list(range(PLACES))

    def started(self, urlnum: int) -> int:
        with self._lock:
            place = self._free.pop() if self._free else -1
        if place >= 0:
            self._cells[NUMBER + place] = urlnum
            self._cells[SINCE + place] = monotonic()
        return place

    def ended(self, place: int) -> None:
        if place >= 0:
            self._cells[SINCE + place] = 0.0
            with self._lock:
                self._free.append(place)
