"""Dispatcher: reads ahead from the source and submits every request that is allowed to start.

In: the reader, the scheduler and the preflight checks. Out: requests in flight, as many as the pool needs,
and the reason why no more could start. It never waits; only the engine's thread calls it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, perf_counter
from typing import TYPE_CHECKING

from fetchpool.engine.bottlenecks import Bottleneck
from fetchpool.engine.events import Notice, ReadBack
from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.inbox import Inbox
from fetchpool.engine.lifecycle import Lifecycle
from fetchpool.engine.observers import Observers
from fetchpool.engine.preflight import Preflight
from fetchpool.engine.reader import RequestReader
from fetchpool.engine.workers import Workers
from fetchpool.engine.writer import Writer
from fetchpool.pools.base import Pool
from fetchpool.scheduler.host import BlockReason
from fetchpool.scheduler.scheduler import Scheduler

if TYPE_CHECKING:  # loaded only for a crawl
    from fetchpool.engine.crawl import CrawlResult

READ_AHEAD = 10_000
READ_AHEAD_EACH = 50
DELAYED_AHEAD = 10
MAX_READ_AHEAD = 1_000_000
"""Number of requests that may be queued, so that a list sorted by host keeps all hosts busy: `READ_AHEAD`, or
`READ_AHEAD_EACH` per worker if that is more; `DELAYED_AHEAD` times as many if a delay between requests to a
host makes more hosts necessary; at most `MAX_READ_AHEAD`, which take about 0.6 GB. At this number reading
pauses until enough requests have started."""
READ_AHEAD_BYTES = 64 << 20
BYTES_PER_WORKER = 256 << 10
"""Reading also pauses while the requests in memory take more than `READ_AHEAD_BYTES`, or this much per
worker, since each row of a list may have a text of a megabyte."""
CHECK_INTERVAL = 0.25
"""Minimum seconds between two checks of what the queued requests wait for."""
CHECK_FACTOR = 20
"""Minimum interval as a multiple of a check's duration, since a million requests may be queued."""
PIPE_INTERVAL = 0.002
"""Seconds until the next check whether the reader of the output has read its rows, since no event reports
that; doubles with each check without progress."""
MAX_PIPE_INTERVAL = 0.064
READER_PATIENCE = 0.5
"""Seconds after which twice as many rows may be unread, if the reader reads none."""
READ_AHEAD_OF_READER = 10
"""Number of rows read for each that may be written ahead of the reader."""
BOTTLENECKS = {
    BlockReason.HOST_LIMIT: Bottleneck.HOST_LIMIT,
    BlockReason.RATE_LIMIT: Bottleneck.RATE_LIMIT,
    BlockReason.BACKOFF: Bottleneck.BACKOFF,
    BlockReason.RETRY: Bottleneck.RETRIES,
    BlockReason.PROXY: Bottleneck.PROXY,
}


class Dispatcher:
    """Keeps the pool supplied with requests."""

    def __init__(
        self,
        reader: RequestReader,
        scheduler: Scheduler,
        preflight: Preflight,
        in_flight: InFlightRequests,
        pool: Pool,
        writer: Writer,
        workers: Workers,
        *,
        inbox: Inbox,
        lifecycle: Lifecycle,
        observers: Observers,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """Messages in `inbox` interrupt reading, since they may be more urgent."""
        self._reader = reader
        self._scheduler = scheduler
        self._preflight = preflight
        self._in_flight = in_flight
        self._pool = pool
        self._workers = workers
        self._inbox = inbox
        self._lifecycle = lifecycle
        self._observers = observers
        self._clock = clock
        self._writer = writer
        self._pipe_check_at: float | None = None
        """When to check again whether the reader of the output has read its rows; None if nothing waits for
        that."""
        self._pipe_interval = PIPE_INTERVAL
        self._rows_read = 0
        self._read_at = clock()
        """When the reader was last seen to have read rows."""
        self._allowance = 0
        """Number of rows that may be unread."""
        self._has_idle_workers = False
        """Whether workers are free while every queued request has to wait."""
        self._continues = False
        """Whether there is more to read at once, so that the engine should not wait."""
        self._next_check = float("-inf")
        self._bottleneck_of_hosts = Bottleneck.HOST_LIMIT
        """What the queued requests were waiting for at the last check."""

    @property
    def has_more(self) -> bool:
        """Whether there are requests that have not started."""
        return not self._reader.exhausted or self._scheduler.queued > 0

    @property
    def input_failure(self) -> str | None:
        """Why an input could not be read to its end, in one line."""
        return self._reader.failure

    @property
    def crawl_result(self) -> CrawlResult | None:
        """The result of a crawl; None for a list."""
        return self._reader.crawl_result

    def next_wakeup(self) -> float | None:
        """Return the earliest time at which `dispatch()` may have work without a new message; None if only a
        message can change that."""
        if self._continues:
            return float("-inf")
        if not self._lifecycle.is_running:
            return None
        if self._pipe_check_at is not None:
            return self._pipe_check_at
        lookups_at = self._preflight.next_wakeup()
        # While every worker is busy, only a completed attempt lets another one start.
        starts_at = self._scheduler.next_wakeup() if self._has_idle_workers else None
        if lookups_at is None or starts_at is None:
            return starts_at if lookups_at is None else lookups_at
        return min(lookups_at, starts_at)

    def dispatch(self, now: float) -> Bottleneck:
        """Submit requests until the pool has enough of them or none may start; return why no more could
        start."""
        self._has_idle_workers = self._continues = False
        if self._lifecycle.is_stopped:
            return Bottleneck.STOPPING
        if self._reader.loading:
            self._load_history()
            return Bottleneck.SOURCE
        if not self._lifecycle.is_running:
            return Bottleneck.PAUSED
        if self._in_flight.internal_results:
            self._preflight.update(now)
        window = self._window()
        if self._writer.waits_for_reader:
            window = self._window_of_reader(window, now)
        self._submit_ready(now, window)
        if not self._has_idle_workers:
            self._top_up(window, now)
        while self._scheduler.abandoned:
            self._in_flight.abandon(*self._scheduler.abandoned.popleft(), now)
        while self._scheduler.notices:
            notice = self._scheduler.notices.popleft()
            self._observers.on_event(Notice(notice) if isinstance(notice, str) else notice)
        self._preflight.update(now)
        return self._bottleneck(window, now)

    def close(self) -> None:
        """Close the inputs."""
        self._reader.close()

    def _window(self) -> int:
        """Return the maximum number of requests in flight."""
        if self._workers.autoscaler is not None:
            return self._workers.autoscaler.target
        scheduler, pool = self._scheduler, self._pool
        if scheduler.rate or (scheduler.host_delay and not pool.keeps_spacing):
            return pool.max_workers  # so that requests start when the scheduler says
        return pool.max_pending

    def _most_ahead(self) -> int:
        """Return the maximum number of queued requests."""
        each = READ_AHEAD_EACH * (DELAYED_AHEAD if self._scheduler.host_delay else 1)
        return min(max(READ_AHEAD, each * self._workers.number), MAX_READ_AHEAD)

    def _window_of_reader(self, window: int, now: float) -> int:
        """Return the maximum number of requests in flight if unread rows count as such: at first all unread
        rows, later those beyond a tenth of the rows read, since the reader will probably continue. The wait
        for a reader that reads nothing is limited, because it may read only after the run has ended."""
        read, unread = self._writer.read_and_unread_rows()
        ahead = read // READ_AHEAD_OF_READER
        full = min(window, max(self._pool.max_workers, ahead))
        if read != self._rows_read:
            self._rows_read, self._read_at = read, now
        elif unread and now - self._read_at >= READER_PATIENCE:
            self._allowance, self._read_at = max(full, 2 * self._allowance), now
        unread = max(unread - max(ahead, self._allowance), 0)
        if unread and unread + len(self._in_flight) >= full:
            self._pipe_check_at = now + self._pipe_interval
            self._pipe_interval = min(2.0 * self._pipe_interval, MAX_PIPE_INTERVAL)
        else:
            self._pipe_check_at, self._pipe_interval = None, PIPE_INTERVAL
        return max(full - unread, 0)

    def _submit_ready(self, now: float, window: int) -> None:
        scheduler, in_flight = self._scheduler, self._in_flight
        pause = has_read = False
        rows = len(in_flight.finished_records)
        free = window - len(in_flight)
        # Rows of rejected requests are written before reading continues: there may be millions of them.
        while free > 0 and len(in_flight.finished_records) == rows:
            request = scheduler.next_request(now)
            if request is None:
                self._has_idle_workers = True
                self._preflight.update(now)  # so that lookups run during further reading
                pause = pause or (has_read and self._inbox.has_messages)
                if pause or not self._read_ahead(window, now):
                    return
                has_read = True
                # After a short read, messages come first: an iterable may take long for each URL.
                pause = self._reader.short_read
                now = self._clock()
            elif (admitted := self._preflight.admit(request, now)) is None:
                continue
            else:
                in_flight.submit(admitted, now)
                free -= 1
                pause = False
        self._has_idle_workers = False

    def _read_ahead(self, window: int, now: float) -> bool:
        """Queue a batch from the source. False if the batch is empty, or enough requests are queued."""
        free = self._most_ahead() - self._scheduler.queued
        if free <= 0 or self._reader.exhausted:
            return False
        most = max(READ_AHEAD_BYTES, self._pool.max_workers * BYTES_PER_WORKER)
        if self._in_flight.bytes_held >= most and (self._scheduler.queued or self._in_flight):
            return False
        requests, more = self._reader.read(free, window, window - len(self._in_flight))
        for request in requests:
            self._in_flight.bytes_held += request.weight
            if request.error is None:
                self._scheduler.enqueue(request, now)
            else:
                self._in_flight.reject(request, request.error, now, request.error_message)
        if self._reader.has_notices:
            for notice in self._reader.take_notices():
                self._observers.notify(notice)
        if more:  # commands are handled and rows written before reading continues, which may take very long
            self._continues = True
        return len(requests) > 0

    def _top_up(self, window: int, now: float) -> None:
        """Read one batch ahead while all workers are busy, so that all hosts among the next requests get
        their turn early. The first requests have started; the rest is read between results."""
        if self._reader.has_batch(self._most_ahead() - self._scheduler.queued, window):
            continues = self._continues
            self._read_ahead(window, now)
            self._continues = continues  # results take precedence: workers are busy

    def _load_history(self) -> None:
        """Load some rows of earlier runs; nothing is fetched before all are loaded."""
        if notice := self._reader.load_history():
            self._observers.notify(notice)
        if not self._reader.loading and self._reader.rows_read:
            self._observers.on_event(ReadBack(self._reader.rows_read))
        self._continues = True

    def _bottleneck(self, window: int, now: float) -> Bottleneck:
        queued, exhausted = self._scheduler.queued, self._reader.exhausted
        if exhausted and not queued:
            return Bottleneck.ENDING
        if self._pipe_check_at is not None and len(self._in_flight) < self._pool.max_workers:
            return Bottleneck.OUTPUT
        # The window may be larger than the number of workers, for batches: all workers are busy then.
        if len(self._in_flight) >= min(window, self._pool.max_workers):
            return Bottleneck.WORKERS
        if self._scheduler.resolving > self._scheduler.delayed_hosts:
            return Bottleneck.DNS
        if not queued:
            return Bottleneck.SOURCE
        if self._has_idle_workers and now >= self._next_check:
            began = perf_counter()
            self._bottleneck_of_hosts = BOTTLENECKS[self._scheduler.block_reason(now)]
            self._next_check = now + max(CHECK_INTERVAL, CHECK_FACTOR * (perf_counter() - began))
        return self._bottleneck_of_hosts
