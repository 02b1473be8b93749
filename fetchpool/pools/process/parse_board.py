"""What a worker process is doing, in memory that its parent can read: a process whose parser holds the
interpreter lock can't answer.

In: in the process, a sign of life of its loop, and the parsers that start and end. Out: in the parent, the
same.
"""

from __future__ import annotations

import threading
from ctypes import Array, c_double
from multiprocessing.context import BaseContext
from time import monotonic

PLACES = 64
"""Parsers that are noted at once; of more, the others are not."""
NUMBER, SINCE = 1, 1 + PLACES
"""Where the requests' numbers and the times begin; a time is 0 when no parser runs. The first cell is the
loop's."""


class ParseBoard:
    """Shared memory of one process and its parent. It is passed to the process when that is started."""

    def __init__(self, context: BaseContext) -> None:
        self._cells: Array[c_double] = context.RawArray("d", 1 + 2 * PLACES)

    # In the parent

    @property
    def beat(self) -> float:
        """When the loop was last known to run, by a clock that all processes share."""
        return self._cells[0]

    def running(self) -> list[tuple[int, float]]:
        """Return the numbers of the requests whose parsers run, and since when each does."""
        cells = self._cells
        times = cells[SINCE : SINCE + PLACES]
        return [(int(cells[NUMBER + place]), since) for place, since in enumerate(times) if since]

    # In the process

    def sign(self) -> None:
        """Note that the loop runs."""
        self._cells[0] = monotonic()


class ParseNotes:
    """The observer of a process's parsers: notes them on the board."""

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
