"""What observers are told. Frozen values: an observer can't slow or change a run.

The engine keeps counters (`stats.Stats`) as it goes; a few times a second, and once at the end, it
makes a `Snapshot` of them and hands it to every observer, with the rare events in between.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.model.record import Record


class ActiveRequest(Struct, frozen=True):
    """A request that a worker holds now. `url` is safe to show; `seconds` is how long it has run."""

    url: str
    seconds: float


class FailureCount(Struct, frozen=True):
    """How many final rows had this `error`, and one of them to look at (`url` is safe to show)."""

    kind: str
    count: int
    example: str


class WaitTimes(Struct, frozen=True):
    """Where the run's seconds went, for the line that says what held it back. They add up to the
    elapsed time, about: each turn of the engine's loop is put under one of them."""

    workers: float
    """Every worker was busy and more was waiting."""
    turns: float
    """Workers were free, but of the hosts of what was waiting as many were in flight as may be."""
    pace: float
    """Workers were free, but starts are spaced: by the person, or by a robots.txt."""
    pauses: float
    """Workers were free, but the hosts of what was waiting had asked to be left alone."""
    retries: float
    """Workers were free, but what was waiting had failed before, or its host did not answer."""
    names: float
    """Workers were free, and the hosts of what was waiting were being looked up."""
    source: float
    """Workers were free, and the input had not yet said more."""
    ending: float
    """The input was read to its end and the last requests were in flight."""
    stopping: float
    """The run was stopped before its end, and what was in flight was to end."""
    cpu: float
    """CPU seconds that this process and its children used in the run."""
    cores: int


class Snapshot(Struct, frozen=True):
    """The run at one moment. Times are seconds, sizes bytes, rates per second over the last few."""

    elapsed: float
    done: int
    """URLs that are done: their final rows, those of earlier runs included."""
    ok: int
    failed: tuple[FailureCount, ...]
    """Most frequent first."""
    retries: int
    in_flight: int
    slowest: tuple[ActiveRequest, ...]
    """The longest-running requests in flight, longest first, at most five."""
    queued: int
    """Read from the input, not yet started."""
    delayed: int
    """Of `queued`: those that wait for a time (a rate limit, a backoff or a retry), not for a worker."""
    total: int | None
    """Distinct URLs in the whole input: exact once read to its end, before that estimated from the share of
    bytes read, None when there is nothing to estimate from (a pipe)."""
    total_exact: bool
    eta: float | None
    """Seconds until `total` is done at the pace of the last minute; None when that can't be said."""
    size_delivered: int
    size_download: int
    urls_per_second: float
    bytes_per_second: float
    """Delivered bytes."""
    time_p50: float
    time_p95: float
    time_max: float
    """Of `time_total`, over all rows that have one; percentiles are within 2.5 %."""
    time_waiting: float
    """Of all attempts together: until the first byte of the answer, or until there was to be none (they
    overlap, worker by worker)."""
    time_receiving: float
    """Of all rows together, from the first byte to the last. Threads wait for the interpreter in it, too."""
    size_p50: int
    size_max: int
    """Of `size_delivered`, over all rows without an error."""
    workers: int
    """How many fetches at once there may be just now."""
    workers_reason: str
    """Why `-w auto` chose that many; empty when a person did."""
    stopping: bool
    """A first Ctrl-C (or the end of `max_runtime`) has been seen."""
    limits: WaitTimes
    done_before: int = 0
    """Of `done`: URLs with a row from an earlier run. Sizes, times and rates do not include them."""
    duplicates: int = 0
    """URLs of the input that it had before; not in `total`."""


class RetryScheduled(Struct, frozen=True):
    """An attempt failed and will be made again `delay` seconds from now."""

    record: Record
    delay: float


class Notice(Struct, frozen=True):
    """One line for the person, shown once: a worker lost, a limit raised."""

    text: str


Event = RetryScheduled | Notice


def light(said: Event | Record) -> tuple[Event | Record, int]:
    """The same for a slow reader, without what no line shows: all that stands in a row beside its own fields.
    And how many bytes it holds, about."""
    if isinstance(said, Notice):
        return said, len(said.text)
    if isinstance(said, RetryScheduled):
        return RetryScheduled(_bare(said.record), said.delay), _weight(said.record)
    return _bare(said), _weight(said)


def _bare(record: Record) -> Record:
    return replace(record, extra={}) if record.extra else record


def _weight(record: Record) -> int:
    return len(record.url) + len(record.url_effective) + len(record.errormsg or "")
