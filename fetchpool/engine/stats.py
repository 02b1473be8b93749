"""The run's counters, fed with final rows and read a few times a second as a `Snapshot`.

In: batches of `Record`s, and what only the engine knows at the moment of a snapshot. Out:
`Snapshot`s. Only the engine's thread calls it; it does no I/O, takes its time from an injected
monotonic clock, and its memory does not grow with the run.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from fetchpool.engine.events import ActiveRequest, FailureCount, Snapshot, WaitTimes
from fetchpool.engine.histogram import Histogram
from fetchpool.model.record import Record, StoredRow

RATE_WINDOW = 5.0
"""Seconds that a rate looks back: long enough to be read, short enough to show a stall."""
ETA_WINDOW = 60.0
"""Seconds that the time left looks back: a countdown that jumps about says nothing."""
SAMPLE_EVERY = 0.2
"""Seconds between the samples that rates are made of, so that they stay a few hundred."""


class Stats:
    """Counts rows. `clock` gives monotonic seconds; the run starts when this is made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._started = clock()
        self._done = self._ok = self._retries = 0
        self._done_before = self._ok_before = 0
        self._size_delivered = self._size_download = 0
        self._time_waiting = self._time_receiving = 0.0
        self._failed: dict[str, int] = {}
        self._examples: dict[str, str] = {}
        self._times = Histogram(1e-6, 1e6)
        self._sizes = Histogram(1, 1e15)
        self._samples: deque[tuple[float, int, int]] = deque([(self._started, 0, 0)])

    def add(self, records: Sequence[Record]) -> None:
        """A batch of final rows. About half a microsecond each: this runs for every row there is."""
        sizes: list[int] = []
        times: list[float] = []
        delivered = downloaded = failed = 0
        waiting = receiving = 0.0
        for record in records:
            size = record.size_delivered
            delivered += size or 0
            downloaded += record.size_download or 0
            error = record.error
            if error is not None:
                failed += 1
                self._failure(error, record)
            elif size is not None:
                sizes.append(size)
            time_total = record.time_total
            if time_total is not None:
                times.append(time_total)
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
        self._sizes.add(sizes)
        self._times.add(times)

    def found(self, rows: Sequence[StoredRow]) -> None:
        """A batch of URLs that an earlier run has done: they count as done, and in no rate, size or time."""
        for row in rows:
            if row.error is not None:
                self._failure(row.error, row)
            else:
                self._ok_before += 1
        self._done_before += len(rows)

    def _failure(self, error: str, record: Record | StoredRow) -> None:
        if error in self._failed:
            self._failed[error] += 1
        else:
            self._failed[error] = 1
            self._examples[error] = record.url

    @property
    def done(self) -> int:
        """Final rows."""
        return self._done

    def retried(self, record: Record) -> None:
        """An attempt failed and will be made again. What it took was a worker's time all the same."""
        self._retries += 1
        self._time_waiting += record.time_total or 0.0

    def snapshot(
        self,
        *,
        in_flight: int,
        slowest: tuple[ActiveRequest, ...],
        queued: int,
        delayed: int,
        duplicates: int = 0,
        total: int | None,
        total_exact: bool,
        stopping: bool,
        workers: int,
        workers_reason: str,
        limits: WaitTimes,
    ) -> Snapshot:
        """The run now: the counters, beside what the caller knows. The rates reach back over the
        snapshots taken before, so it is to be called at least every few seconds."""
        now = self._clock()
        self._sample(now)
        urls_per_second, bytes_per_second = self._rates(now, RATE_WINDOW)
        sizes, times = self._sizes, self._times
        return Snapshot(
            elapsed=now - self._started,
            done=self._done + self._done_before,
            ok=self._ok + self._ok_before,
            done_before=self._done_before,
            duplicates=duplicates,
            failed=self._kinds(),
            retries=self._retries,
            in_flight=in_flight,
            slowest=slowest,
            queued=queued,
            delayed=delayed,
            total=total,
            total_exact=total_exact,
            eta=self._eta(now, total),
            size_delivered=self._size_delivered,
            size_download=self._size_download,
            urls_per_second=urls_per_second,
            bytes_per_second=bytes_per_second,
            time_p50=times.percentile(0.5),
            time_p95=times.percentile(0.95),
            time_max=times.maximum,
            time_waiting=self._time_waiting,
            time_receiving=self._time_receiving,
            size_p50=round(sizes.percentile(0.5)),
            size_max=int(sizes.maximum),
            workers=workers,
            workers_reason=workers_reason,
            stopping=stopping,
            limits=limits,
        )

    def _kinds(self) -> tuple[FailureCount, ...]:
        kinds = [FailureCount(kind, number, self._examples[kind]) for kind, number in self._failed.items()]
        kinds.sort(key=lambda kind: (-kind.count, kind.kind))
        return tuple(kinds)

    def _sample(self, now: float) -> None:
        """Remembers how far the run is; drops what no window reaches back to."""
        samples = self._samples
        if now - samples[-1][0] >= SAMPLE_EVERY:
            samples.append((now, self._done, self._size_delivered))
        while len(samples) > 1 and samples[1][0] <= now - ETA_WINDOW:
            samples.popleft()

    def _rates(self, now: float, window: float) -> tuple[float, float]:
        """URLs and delivered bytes per second, from the youngest sample that is `max_pending` old."""
        then, done, delivered = self._samples[0]
        for sample in reversed(self._samples):
            if sample[0] <= now - window:
                then, done, delivered = sample
                break
        seconds = now - then
        if seconds <= 0:
            return 0.0, 0.0
        return (self._done - done) / seconds, (self._size_delivered - delivered) / seconds

    def _eta(self, now: float, total: int | None) -> float | None:
        if total is None:
            return None
        left = max(total - self._done - self._done_before, 0)
        if not left:
            return 0.0
        per_second, _ = self._rates(now, ETA_WINDOW)
        return left / per_second if per_second > 0 else None
