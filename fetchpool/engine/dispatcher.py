"""Dispatcher: reads ahead from the source and submits every request that is allowed to start.

In: the intake, the scheduler, the gate. Out: requests in flight, as many as the pool likes to hold, and what
kept more from starting. It waits for nothing; only the engine's thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from fetchpool.engine.bottlenecks import Bottleneck
from fetchpool.engine.events import Notice
from fetchpool.engine.in_flight import InFlightRequests, RunState
from fetchpool.engine.inbox import Inbox
from fetchpool.engine.preflight import Preflight
from fetchpool.engine.reader import RequestReader
from fetchpool.scheduler.host import BlockReason
from fetchpool.scheduler.scheduler import Scheduler

READ_AHEAD = 10_000
"""Requests read ahead of those that may start, so that a list sorted by host keeps all hosts busy.
Past it nothing is read until something of it has started."""
LOOK_AHEAD_BYTES = 64 << 20
BYTES_EACH = 256 << 10
"""Nor is anything read while what was read weighs more than that, or than so much for each worker: a list may
have a text of a megabyte beside each URL."""
LOOK_INTERVAL = 0.25
"""Seconds between two looks at what all those that are queued wait for."""
HELD_BY = {
    BlockReason.TURN: Bottleneck.TURNS,
    BlockReason.PACE: Bottleneck.PACE,
    BlockReason.PAUSE: Bottleneck.PAUSES,
    BlockReason.FAILURE: Bottleneck.RETRIES,
}


class Dispatcher:
    """Keeps the pool supplied with requests."""

    def __init__(
        self,
        intake: RequestReader,
        scheduler: Scheduler,
        gate: Preflight,
        flights: InFlightRequests,
        *,
        workers: int,
        inbox: Inbox,
        tell: Callable[[Notice], None],
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`workers`: the pool's; `inbox`: its messages may matter more than reading on; `tell` notifies
        the observers."""
        self._intake = intake
        self._scheduler = scheduler
        self._gate = gate
        self._flights = flights
        self._workers = workers
        self._most_held = max(LOOK_AHEAD_BYTES, workers * BYTES_EACH)
        self._inbox = inbox
        self._tell = tell
        self._clock = clock
        self.has_idle_workers = False
        """Workers are free, and nothing may start before its time."""
        self.has_more_input = False
        """There is more to be read at once: the next turn should not wait."""
        self._next_check = float("-inf")
        self._last_bottleneck = Bottleneck.TURNS
        """What the hosts' requests were seen to wait for, the last time that all of them were looked at."""

    def fill(self, now: float, window: int) -> Bottleneck:
        """Submits what may start while no more than `max_pending` are in flight; why no more may."""
        self.has_idle_workers = self.has_more_input = False
        if self._flights.state is not RunState.RUNNING:
            return Bottleneck.STOPPING
        if self._intake.loading:
            self._read_back()
            return Bottleneck.SOURCE
        if self._flights.is_isolating(now):
            return Bottleneck.WORKERS
        self._submit_ready(now, window)
        while self._scheduler.given_up:
            self._flights.give_up(*self._scheduler.given_up.popleft(), now)
        while self._scheduler.news:
            self._tell(Notice(self._scheduler.news.popleft()))
        self._gate.open(now)
        return self._bottleneck(window, now)

    def _submit_ready(self, now: float, window: int) -> None:
        scheduler = self._scheduler
        pause = has_read = False
        rows = len(self._flights.final)
        # What is refused here is written before more is read: there may be millions of it.
        while len(self._flights) < window and len(self._flights.final) == rows:
            request = scheduler.next(now)
            if request is None:
                self.has_idle_workers = True
                self._gate.open(now)  # so that lookups are under way while more is read
                pause = pause or (has_read and self._inbox.has_messages)
                if pause or not self._read_ahead(window, now):
                    return
                has_read = True
                # What has been heard meanwhile matters more than the rest of a source that gives
                # little at once: an iterable may take its time for each.
                pause = self._intake.short_read
                now = self._clock()
            elif (admitted := self._gate.admit(request, now)) is None:
                continue
            elif self._flights.start(admitted, now):
                pause = False
            else:
                return
        self.has_idle_workers = False

    def _bottleneck(self, window: int, now: float) -> Bottleneck:
        queued, exhausted = self._scheduler.queued, self._intake.exhausted
        if exhausted and not queued:
            return Bottleneck.ENDING
        # A window may be larger, for batches: what is missing there keeps no worker from its work.
        if len(self._flights) >= min(window, self._workers):
            return Bottleneck.WORKERS
        if self._scheduler.resolving > self._scheduler.waiting_hosts:
            return Bottleneck.NAMES
        return self._held_by_hosts(now) if queued else Bottleneck.SOURCE

    def _held_by_hosts(self, now: float) -> Bottleneck:
        if self.has_idle_workers and now >= self._next_check:
            self._next_check = now + LOOK_INTERVAL
            self._last_bottleneck = HELD_BY[self._scheduler.block_reason(now)]
        return self._last_bottleneck

    def _read_back(self) -> None:
        """Learns what earlier runs have done, piece by piece; nothing is fetched before all is known."""
        if notice := self._intake.read_back():
            self._tell(Notice(notice))
        self.has_more_input = True

    def _read_ahead(self, window: int, now: float) -> bool:
        """Queues a batch from the source. False when there is nothing to start in it, or enough waits
        already."""
        room = READ_AHEAD - self._scheduler.queued
        if room <= 0 or self._intake.exhausted:
            return False
        if self._flights.held >= self._most_held and (self._scheduler.queued or len(self._flights)):
            return False
        requests, more = self._intake.take(room, window, window - len(self._flights))
        for request in requests:
            self._flights.held += request.weight
            if request.refused is None:
                self._scheduler.add(request, now)
            else:
                self._flights.refuse(request, request.refused, now, request.problem)
        if more:  # it may go on like this for millions: signals are heard, and rows written, in between
            self.has_more_input = True
        return len(requests) > 0
