"""Stats: the counters of a run.

In: batches of final rows, and the engine's state at the moment of a snapshot. Out: `Snapshot`s. Only the
engine's thread calls it. It does no I/O, its clock is a parameter, and its memory does not grow with the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from fetchpool.engine.events import SIZE_BOUNDS, TIME_BOUNDS, ActiveRequest, Snapshot, WaitTimes
from fetchpool.engine.failure_counter import FailureCounter
from fetchpool.engine.histogram import Histogram
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.steering import State

NOT_MODIFIED = 304
RATE_WINDOW = 5.0
"""Seconds over which a rate is measured: long enough to be readable, short enough to show a stall."""
ETA_WINDOW = 60.0
"""Seconds over which the rate for the remaining time is measured, so that it does not jump."""
PAUSED = frozenset((State.PAUSING, State.PAUSED))
SAMPLE_EVERY = 0.2
"""Seconds between the samples for rates, so that there are a few hundred."""
RECENT = 1.0
"""Seconds over which the recent percentiles are measured."""


class Sample(Struct, frozen=True, gc=False):
    """The counters at one moment."""

    at: float
    done: int
    ok: int
    size_delivered: int


class Stats:
    """Counts rows. `clock` returns monotonic seconds; the run starts now."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._done = self._ok = self._retries = 0
        self._done_before = self._ok_before = 0
        self._size_delivered = self._size_download = 0
        self._time_waiting = self._time_receiving = 0.0
        self._time_in_timeouts: dict[str, float] = {}
        self._longest_response = 0.0
        self.failures = FailureCounter()
        self._times = Histogram(1e-6, 1e6)
        self._sizes = Histogram(1, 1e15)
        self._samples: deque[Sample] = deque([Sample(self._started, 0, 0, 0)])
        self._recent_since = self._started
        self._recent_before = self._times.counts()
        self._recent: tuple[float | None, float | None] = (None, None)
        self._is_paused = False
        """Whether the run was paused at the last snapshot."""
        self._snapshot_at = self._started
        self._time_paused = 0.0

    def add(self, records: Sequence[Record]) -> None:
        """Count a batch of final rows. Takes about half a microsecond for each: this runs for every row."""
        sizes: list[int] = []
        times: list[float] = []
        delivered = downloaded = failed = 0
        waiting = receiving = 0.0
        longest = self._longest_response
        for record in records:
            # The row of an unchanged page (--refresh) has the size of its earlier version, of which nothing
            # was received now.
            size = record.size_delivered if record.response_code != NOT_MODIFIED else None
            delivered += size or 0
            downloaded += record.size_download or 0
            error = record.error
            if error is not None:
                failed += 1
                self.failures.add(error, record)
                self._count_timeout(error, record)
            elif size is not None:
                sizes.append(size)
            time_total = record.time_total
            if time_total is not None:
                times.append(time_total)
                if error is None and time_total > longest:
                    longest = time_total
                starttransfer = record.time_starttransfer
                if starttransfer is None:
                    waiting += time_total
                else:
                    waiting += starttransfer
                    receiving += time_total - starttransfer
        self._done += len(records)
        self._ok += len(records) - failed
        self._size_delivered += delivered
        self._size_download += downloaded
        self._time_waiting += waiting
        self._time_receiving += receiving
        self._longest_response = longest
        self._sizes.add(sizes)
        self._times.add(times)

    def add_earlier(self, rows: Sequence[StoredRow]) -> None:
        """Count a batch of URLs that an earlier run has finished: they count as done, but not in rates, sizes
        or times."""
        for row in rows:
            if row.error is not None:
                self.failures.count(row.error, row.url)
            else:
                self._ok_before += 1
        self._done_before += len(rows)

    def add_earlier_ok(self, number: int) -> None:
        """Count URLs that an earlier run has finished without an error."""
        self._ok_before += number
        self._done_before += number

    @property
    def done(self) -> int:
        """Number of final rows."""
        return self._done

    def retried(self, record: Record) -> None:
        """Count an attempt that failed and will be retried. Its time was a worker's time."""
        self._retries += 1
        self._time_waiting += record.time_total or 0.0
        if record.error is not None:
            self._count_timeout(record.error, record)

    def _count_timeout(self, error: str, record: Record) -> None:
        """Count the time of an attempt if it timed out."""
        if error.startswith("timeout_"):
            before = self._time_in_timeouts.get(error, 0.0)
            self._time_in_timeouts[error] = before + (record.time_total or 0.0)

    def snapshot(
        self,
        *,
        in_flight: int,
        slowest: tuple[ActiveRequest, ...],
        queued: int,
        delayed: int,
        total: int | None,
        total_exact: bool,
        state: State,
        workers: int,
        workers_reason: str,
        wait_times: WaitTimes,
        least_wait: float = 0.0,
        duplicates: int = 0,
    ) -> Snapshot:
        """Return a snapshot of the counters and of the given values; `least_wait`: seconds until the last
        queued request may start, at least. Rates are based on previous calls, so it must be called at least
        every few seconds."""
        now = self._clock()
        elapsed = now - self._started
        if self._is_paused:
            self._time_paused += now - self._snapshot_at
        self._is_paused, self._snapshot_at = state is State.PAUSED, now
        active = now - self._time_paused
        self._sample(active)
        self._update_recent(now)
        urls_per_second, rate_ok, bytes_per_second = self._rates(active, RATE_WINDOW)
        if self._is_paused:
            urls_per_second = rate_ok = bytes_per_second = 0.0
        worked = elapsed - self._time_paused
        sizes, times = self._sizes, self._times
        return Snapshot(
            elapsed=elapsed,
            done=self._done + self._done_before,
            ok=self._ok + self._ok_before,
            done_before=self._done_before,
            failed_before=self._done_before - self._ok_before,
            duplicates=duplicates,
            failed=self.failures.kinds(),
            retries=self._retries,
            in_flight=in_flight,
            slowest=slowest,
            queued=queued,
            delayed=delayed,
            total=total,
            total_exact=total_exact,
            eta=None if state in PAUSED else self._eta(active, total, least_wait),
            size_delivered=self._size_delivered,
            size_download=self._size_download,
            urls_per_second=urls_per_second,
            bytes_per_second=bytes_per_second,
            time_p50=times.percentile(0.5),
            time_p95=times.percentile(0.95),
            time_max=times.maximum,
            time_waiting=self._time_waiting,
            time_receiving=self._time_receiving,
            time_in_timeouts=tuple(self._time_in_timeouts.items()),
            time_longest_response=self._longest_response,
            size_p50=round(sizes.percentile(0.5)),
            size_max=int(sizes.maximum),
            workers=workers,
            workers_reason=workers_reason,
            state=state,
            time_paused=self._time_paused,
            wait_times=wait_times,
            rate_average=self._done / worked if worked > 0 else 0.0,
            rate_ok=rate_ok,
            rate_failed=urls_per_second - rate_ok,
            recent_p50=self._recent[0],
            recent_p95=self._recent[1],
        )

    def histograms(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the numbers of rows in the buckets of `TIME_BOUNDS` and of `SIZE_BOUNDS`."""
        return self._times.grouped(TIME_BOUNDS), self._sizes.grouped(SIZE_BOUNDS)

    def _update_recent(self, now: float) -> None:
        """Measure the recent percentiles once a second."""
        if now - self._recent_since < RECENT:
            return
        times, before = self._times, self._recent_before
        self._recent_since = now
        self._recent_before = times.counts()
        if before == self._recent_before:
            self._recent = (None, None)
        else:
            self._recent = (times.percentile(0.5, before), times.percentile(0.95, before))

    def _sample(self, now: float) -> None:
        """Add a sample; drop samples that are too old for every window."""
        samples = self._samples
        if now - samples[-1].at >= SAMPLE_EVERY:
            samples.append(Sample(now, self._done, self._ok, self._size_delivered))
        while len(samples) > 1 and samples[1].at <= now - ETA_WINDOW:
            samples.popleft()

    def _rates(self, now: float, window: float) -> tuple[float, float, float]:
        """Return URLs, URLs without an error, and delivered bytes per second, since the latest sample that is
        `window` seconds old."""
        before = self._samples[0]
        for sample in reversed(self._samples):
            if sample.at <= now - window:
                before = sample
                break
        seconds = now - before.at
        if seconds <= 0:
            return 0.0, 0.0, 0.0
        return (
            (self._done - before.done) / seconds,
            (self._ok - before.ok) / seconds,
            (self._size_delivered - before.size_delivered) / seconds,
        )

    def _eta(self, now: float, total: int | None, least_wait: float) -> float | None:
        if total is None:
            return None
        left = max(total - self._done - self._done_before, 0)
        if not left:
            return 0.0
        per_second, _, _ = self._rates(now, ETA_WINDOW)
        return max(left / per_second, least_wait) if per_second > 0 else None
