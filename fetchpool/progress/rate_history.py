"""The rates of a run since its start, in bounded memory, for a sparkline of any width.

In: the counts of snapshots. Out: rates, one for each column. Pure.
"""

from __future__ import annotations

from msgspec import Struct

FIRST_STEP = 0.25
"""Seconds between two points of a short run."""
MOST_POINTS = 480
"""Maximum number of points. When there are more, every other one is dropped, so a long run has at least half
as many."""


class Point(Struct, frozen=True, gc=False):
    """Counts at one moment, whose time is in seconds since the start."""

    at: float
    ok: int
    failed: int


class RateHistory:
    """Stores points at equal intervals, which double when there are too many."""

    def __init__(self) -> None:
        self._points = [Point(0.0, 0, 0)]
        self._latest = self._points[0]
        self._step = FIRST_STEP

    def add(self, at: float, ok: int, failed: int) -> None:
        """Add the counts at a moment. Takes constant time, however long the run is."""
        self._latest = Point(at, ok, failed)
        if at - self._points[-1].at < self._step:
            return
        self._points.append(self._latest)
        if len(self._points) > MOST_POINTS:
            del self._points[1::2]
            self._step *= 2

    def columns(self, most: int) -> tuple[list[float], list[float]]:
        """Return the rates of rows without an error and of failed rows, in at most `most` columns of equal
        length, the first of which begins at the start of the run."""
        points = [*self._points]
        if self._latest is not points[-1]:
            points.append(self._latest)
        width = min(most, len(points) - 1)
        if width < 1:
            return [], []
        length = points[-1].at / width
        ok: list[float] = []
        failed: list[float] = []
        before = place = 0
        for column in range(1, width + 1):
            while place < len(points) - 1 and points[place].at < column * length - length / 1000:
                place += 1
            first, last = points[before], points[place]
            seconds = last.at - first.at
            ok.append((last.ok - first.ok) / seconds if seconds > 0 else (ok or [0.0])[-1])
            failed.append((last.failed - first.failed) / seconds if seconds > 0 else (failed or [0.0])[-1])
            before = place
        return ok, failed
