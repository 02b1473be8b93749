"""The run over time, for the page's charts: at most 720 points, however long the run takes.

In: snapshots, with seconds since the run's start. Out: columns. A point is one second at first; if there are
too many, neighbours are merged and points become twice as long. Pure.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

MAX_POINTS = 720
FIRST_STEP = 1.0
"""Seconds that a point covers at first."""


class Sample(Struct, frozen=True):
    """The values of a snapshot that the series needs. Counters are since the run's start."""

    elapsed: float
    ok: int
    failed: int
    size: int
    p50: float | None
    p95: float | None
    in_flight: int
    allowed: int
    waiting: int
    held: dict[str, float]
    """Seconds spent at each bottleneck."""


class _Point(Struct):
    """The run during one interval: differences of counters, and sums over the seconds."""

    number: int
    start: float
    seconds: float = 0.0
    ok: int = 0
    failed: int = 0
    size: int = 0
    timed: int = 0
    """Number of rows in the seconds that have percentiles."""
    p50: float = 0.0
    p95: float = 0.0
    in_flight: float = 0.0
    allowed: float = 0.0
    waiting: float = 0.0
    held: dict[str, float] = {}

    def add(self, before: Sample, now: Sample) -> None:
        """Add what happened between two samples."""
        seconds = now.elapsed - before.elapsed
        self.seconds += seconds
        self.ok += now.ok - before.ok
        self.failed += now.failed - before.failed
        self.size += now.size - before.size
        rows = now.ok + now.failed - before.ok - before.failed
        if rows and now.p50 is not None and now.p95 is not None:
            self.timed += rows
            self.p50 += rows * now.p50
            self.p95 += rows * now.p95
        self.in_flight += seconds * now.in_flight
        self.allowed += seconds * now.allowed
        self.waiting += seconds * now.waiting
        held = dict(self.held)
        for name, value in now.held.items():
            held[name] = held.get(name, 0.0) + max(value - before.held.get(name, 0.0), 0.0)
        self.held = held

    def merge(self, later: _Point) -> None:
        """Add the point that follows this one."""
        for name in (
            "seconds",
            "ok",
            "failed",
            "size",
            "timed",
            "p50",
            "p95",
            "in_flight",
            "allowed",
            "waiting",
        ):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.held = {name: self.held.get(name, 0.0) + value for name, value in later.held.items()}


class Series:
    """The points of a run."""

    def __init__(self, max_points: int = MAX_POINTS) -> None:
        """`max_points`: an even number."""
        self._max = max_points
        self._step = FIRST_STEP
        self._points: list[_Point] = []
        self._latest: Sample | None = None
        self._number = 0

    def __len__(self) -> int:
        return len(self._points)

    def add(self, sample: Sample) -> None:
        """Add a snapshot. Snapshots must be added in order."""
        before = self._latest
        if before is not None and sample.elapsed <= before.elapsed:
            return
        self._latest = sample
        if before is None:
            return
        if not self._points or sample.elapsed > self._points[-1].start + self._step:
            self._begin(before.elapsed)
        self._points[-1].add(before, sample)

    def _begin(self, start: float) -> None:
        if len(self._points) >= self._max:
            self._merge()
        self._number += 1
        self._points.append(_Point(self._number, start))

    def _merge(self) -> None:
        self._step *= 2
        merged = self._points[::2]
        for point, later in zip(merged, self._points[1::2], strict=False):
            point.merge(later)
            point.number = later.number
        self._points = merged

    def columns(self, after: int = 0) -> dict[str, Any]:
        """Return the points with a number above `after`. The last point is incomplete; `complete` is the
        number of the one before. When `step` has changed, all points have changed."""
        points = [point for point in self._points if point.number > after and point.seconds > 0]
        causes = sorted({name for point in points for name, value in point.held.items() if value > 0.0005})
        return {
            "step": self._step,
            "complete": self._points[-2].number if len(self._points) > 1 else 0,
            "t": [round(point.start + point.seconds, 2) for point in points],
            "ok": [_mean(point.ok, point) for point in points],
            "failed": [_mean(point.failed, point) for point in points],
            "bytes": [_mean(point.size, point) for point in points],
            "p50": [_mean_of_rows(point.p50, point) for point in points],
            "p95": [_mean_of_rows(point.p95, point) for point in points],
            "in_flight": [_mean(point.in_flight, point) for point in points],
            "allowed": [_mean(point.allowed, point) for point in points],
            "waiting": [_mean(point.waiting, point) for point in points],
            "held": {name: [round(point.held.get(name, 0.0), 3) for point in points] for name in causes},
        }


def _mean(total: float, point: _Point) -> float:
    return round(total / point.seconds, 2)


def _mean_of_rows(total: float, point: _Point) -> float | None:
    return round(total / point.timed, 6) if point.timed else None
