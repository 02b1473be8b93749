"""The series of a run: exact sums in a bounded number of points."""

from __future__ import annotations

from typing import Any

from fetchpool.web.series import MAX_POINTS, Sample, Series


def sample(elapsed: float, **changes: Any) -> Sample:
    values: dict[str, Any] = {
        "elapsed": elapsed,
        "ok": round(elapsed * 100),
        "failed": round(elapsed * 4),
        "size": round(elapsed * 1000),
        "p50": 0.1,
        "p95": 0.5,
        "in_flight": 7,
        "allowed": 10,
        "waiting": 40,
        "held": {"workers": elapsed * 0.75, "dns": elapsed * 0.25},
    }
    return Sample(**{**values, **changes})


def filled(seconds: float, per_second: int = 4, max_points: int = MAX_POINTS) -> Series:
    series = Series(max_points)
    for number in range(round(seconds * per_second) + 1):
        series.add(sample(number / per_second))
    return series


def test_a_point_is_a_second() -> None:
    columns = filled(3).columns()
    assert columns["t"] == [1.0, 2.0, 3.0]
    assert columns["ok"] == [100.0] * 3
    assert columns["failed"] == [4.0] * 3
    assert columns["bytes"] == [1000.0] * 3
    assert columns["p50"] == [0.1] * 3
    assert columns["held"] == {"workers": [0.75] * 3, "dns": [0.25] * 3}


def test_a_run_of_days_has_no_more_points_than_fit() -> None:
    series = filled(40_000, per_second=1)
    columns = series.columns()
    assert len(columns["t"]) == len(series) <= MAX_POINTS
    assert columns["step"] == 64.0
    assert columns["t"][-1] == 40_000
    widths = [now - before for before, now in zip([0.0, *columns["t"]], columns["t"], strict=False)]
    assert sum(rate * width for rate, width in zip(columns["ok"], widths, strict=True)) == 4_000_000


def test_only_later_points_are_returned_and_the_last_again() -> None:
    series = filled(5)
    first = series.columns()
    series.add(sample(5.5))
    assert series.columns(after=first["complete"])["t"] == [5.0, 5.5]


def test_a_merge_changes_the_step_so_that_a_reader_starts_over() -> None:
    assert (filled(8, max_points=8).columns()["step"], filled(9, max_points=8).columns()["step"]) == (
        1.0,
        2.0,
    )
    columns = filled(10, max_points=8).columns()
    assert columns["t"] == [2.0, 4.0, 6.0, 8.0, 10.0]
    assert columns["ok"] == [100.0] * 5


def test_a_second_without_rows_has_no_percentile() -> None:
    series = Series()
    series.add(sample(0))
    series.add(sample(1, ok=10, failed=0))
    series.add(sample(2, ok=10, failed=0, p50=None, p95=None))
    assert series.columns()["p95"] == [0.5, None]


def test_rows_of_earlier_runs_are_in_no_rate() -> None:
    series = Series()
    series.add(sample(0, ok=1_000_000, failed=0))
    series.add(sample(1, ok=1_000_010, failed=0))
    assert series.columns()["ok"] == [10.0]


def test_a_snapshot_that_comes_twice_counts_once() -> None:
    series = Series()
    for elapsed in (0.0, 1.0, 1.0, 0.5):
        series.add(sample(elapsed))
    assert series.columns()["ok"] == [100.0]
