"""Evaluates trials: the median and range of each combination's measurements, and whether the rows agree.

In: trials, and the rows of each. Out: a `Result` per combination, fastest first, and `Differences`. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct

from fetchpool.compare.plan import Combination
from fetchpool.compare.trial import Trial

FIELDS = ("error", "response_code", "size_delivered")
"""The fields in which the rows of a URL must agree."""
ROW_FIELDS = ("urlnum", "url", *FIELDS)
"""The fields that are compared, or that identify a row."""
SHOWN = 10
"""Maximum number of differences that are listed."""


class Spread(Struct, frozen=True):
    """The median of some values, and their range."""

    median: float
    low: float
    high: float

    def overlaps(self, other: Spread) -> bool:
        """Whether the ranges have a value in common."""
        return self.low <= other.high and other.low <= self.high


def spread(values: Sequence[float]) -> Spread:
    """Return the spread of one or more values."""
    return Spread(median(values), min(values), max(values))


def _spread_if_known(values: Iterable[float | None]) -> Spread | None:
    known = [value for value in values if value is not None]
    return spread(known) if known else None


class Result(Struct, frozen=True):
    """The measurements of one combination in its successful trials. Times are seconds, sizes bytes."""

    combination: Combination
    trials: int
    urls: int
    wall: Spread
    cpu: Spread | None
    memory: Spread | None
    failed: Spread
    p50: Spread
    p95: Spread
    retries: int = 0
    """The largest number in any trial."""

    @property
    def rate(self) -> float:
        """URLs per second, including the start of the process."""
        return self.urls / self.wall.median if self.wall.median else 0.0

    @property
    def cpu_per_url(self) -> float | None:
        return None if self.cpu is None or not self.urls else self.cpu.median / self.urls


def results(trials: Iterable[Trial]) -> list[Result]:
    """Return the result of each combination with a trial that counts, the fastest first."""
    by_combination: dict[Combination, list[Trial]] = {}
    for trial in trials:
        if trial.round and trial.summary is not None:
            by_combination.setdefault(trial.combination, []).append(trial)
    found = [_result(combination, group) for combination, group in by_combination.items()]
    return sorted(found, key=lambda result: result.wall.median)


def _result(combination: Combination, trials: list[Trial]) -> Result:
    summaries = [trial.summary for trial in trials if trial.summary is not None]
    return Result(
        combination,
        len(trials),
        round(median(summary.urls for summary in summaries)),
        spread([trial.wall for trial in trials]),
        _spread_if_known([trial.cpu for trial in trials]),
        _spread_if_known([trial.memory for trial in trials]),
        spread([summary.failed for summary in summaries]),
        spread([summary.times.p50 for summary in summaries]),
        spread([summary.times.p95 for summary in summaries]),
        max(summary.retries for summary in summaries),
    )


# Rows

Value = tuple[Any, ...] | None
"""The values of `FIELDS`; None if there is no row."""


class Difference(Struct, frozen=True):
    """A URL whose rows differ, and the values of each trial."""

    url: str
    found: dict[Value, list[str]]


class Differences(Struct, frozen=True):
    """The URLs whose rows differ."""

    count: int
    """Number of URLs whose rows differ."""
    listed: tuple[Difference, ...]
    """The first of these URLs."""
    trials: int
    """Number of trials whose rows were compared."""


Key = tuple[Any, str]
"""A row's `urlnum` and `url`. The URL alone is not unique: it may be in the list twice, or differ from
another one only in its password, which rows don't have."""


class RowJudge:
    """Compares the rows of each trial with those of the first one."""

    def __init__(self) -> None:
        self._first: dict[Key, Value] = {}
        self._names: list[str] = []
        self._differing: dict[Key, dict[str, Value]] = {}
        """The values of trials that differ from the first."""

    def add(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Compare the rows of one trial. `name` identifies the trial."""
        is_first = not self._names
        self._names.append(name)
        absent = set() if is_first else set(self._first)
        for row in rows:
            key = (row.get("urlnum"), str(row["url"]))
            value = tuple(map(row.get, FIELDS))
            if is_first:
                self._first[key] = value
                continue
            absent.discard(key)
            self._compare(name, key, value)
        for key in absent:
            self._compare(name, key, None)

    def _compare(self, name: str, key: Key, value: Value) -> None:
        if self._first.get(key) != value:
            self._differing.setdefault(key, {})[name] = value

    def differences(self) -> Differences:
        """Return the differences, in the order of the first trial's rows."""
        order = {key: number for number, key in enumerate(self._first)}
        keys = sorted(self._differing, key=lambda key: order.get(key, len(order)))
        listed = []
        for key in keys[:SHOWN]:
            found: dict[Value, list[str]] = {}
            for name in self._names:
                value = self._differing[key].get(name, self._first.get(key))
                found.setdefault(value, []).append(name)
            listed.append(Difference(key[1], found))
        return Differences(len(keys), tuple(listed), len(self._names))
