"""What the worker processes of a crew are parsing: a table in memory that all of them share.

In: each process writes down which request its parsers have begun with, and when. Out: to the parent, the
requests whose parsers take too long. A process whose parser holds the interpreter can say nothing any more;
what it has written is there.
"""

from __future__ import annotations

import os
from ctypes import Array, c_double
from multiprocessing.context import BaseContext
from time import monotonic

from fetchpool.transports.base import ParseRequest

ROW = 3
"""A process's numbers: its id, the request it parses, and since when; the last is 0 when it parses none."""


class ParseBoard:
    """Shared: it goes to each process when that is started."""

    def __init__(self, workers: int, context: BaseContext) -> None:
        self._cells: Array[c_double] = context.RawArray("d", ROW * workers)

    def place(self) -> ParsePlace:
        """A process's own; to be asked for by one at a time."""
        cells = self._cells
        for start in range(0, len(cells), ROW):
            if not cells[start]:
                cells[start] = os.getpid()
                return ParsePlace(cells, start)
        raise RuntimeError("there are more processes than places")

    def overdue(self, limit: float) -> set[int]:
        """The numbers of the requests whose parsers have taken as long."""
        cells, now = self._cells, monotonic()  # a clock that all processes share
        numbers = set()
        for start in range(0, len(cells), ROW):
            _, number, since = cells[start : start + ROW]
            if since and now - since >= limit:
                numbers.add(int(number))
        return numbers


class ParsePlace:
    """What one process says of itself."""

    def __init__(self, cells: Array[c_double], start: int) -> None:
        self._cells = cells
        self._number, self._since = start + 1, start + 2
        self.number = 0
        """Of the request that is being fetched."""

    def run(self, request: ParseRequest) -> None:
        """Has its parsers run, here and now."""
        self._cells[self._number] = self.number
        self._cells[self._since] = monotonic()
        try:
            request.parsed = request.run()
        finally:
            self._cells[self._since] = 0.0
