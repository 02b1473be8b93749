"""What is known of one host while the run has to do with it, and how it is to be treated.

In: when its requests start and what they come to. Out: whether it may start another one, and from
when on. Pure: it is handed `now`.

A host that says it is busy (429, 503) is left alone for as long as it asks, or for a delay that grows;
then it is asked one request at a time, the spaces between them shrinking with each good answer. A host
that does not answer at all is paused after a run of failures, tried once more, and then given up:
what is queued for it ends in `host_down` rows, until a later try finds it back.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.connection_limit import ConnectionLimit, is_broken_connection

INITIAL_BACKOFF = 0.1
"""Seconds between starts at a host that has just said it is busy; doubled each time it says so again."""
MAX_BACKOFF = 60.0
MIN_BACKOFF = 0.05
"""Seconds: a smaller spacing is none."""
FAILURE_THRESHOLD = 10
"""Attempts in a row without any answer before a host is paused."""
HALF_OPEN_AFTER = 5.0
"""Seconds of the first pause: a server's restart should not cost a list its rest."""
OPEN_FOR = 60.0
"""Seconds between tries at a host that was given up."""
THROTTLE_STATUSES = frozenset((429, 503))


class Breaker(Enum):
    """Whether a host is believed to answer."""

    CLOSED = auto()
    """It does."""
    HALF_OPEN = auto()
    """A run of failures: what is queued waits for one try."""
    OPEN = auto()
    """The try failed too: what is queued is given up, until the next try."""


class BlockReason(Enum):
    """What a request that may not start waits for, while there would be a worker for it."""

    HOST_LIMIT = auto()
    """As many of its host's are in flight as may be."""
    RATE_LIMIT = auto()
    """Starts are spaced: because the person wants it so, or the host's robots.txt."""
    BACKOFF = auto()
    """Its host has said that it is busy."""
    RETRY = auto()
    """An attempt failed, and the next one has its time; or its host does not answer."""


CLOSED, OPEN = Breaker.CLOSED, Breaker.OPEN
"""Looked up once: an enumeration finds its members by a slow way, and these are asked for at every start."""


class HostSlot:
    """One host's queue, its count in flight, and how it has behaved. Times are monotonic seconds."""

    __slots__ = (
        "_backoff",
        "_backoff_since",
        "_failures",
        "_probe_from",
        "_ready_at_before",
        "_responded_at",
        "addresses",
        "breaker",
        "connection_limit",
        "dns_time",
        "host",
        "in_flight",
        "internal",
        "is_evicting",
        "is_scheduled",
        "on_hold",
        "queue",
        "ready_at",
        "resolved_until",
        "resolving",
    )

    def __init__(self, host: str) -> None:
        self.host = host
        self.queue: deque[FetchRequest] = deque()
        self.internal: list[FetchRequest] = []
        """Queued, too: what is to be known before others start (`robots.txt`, of this host or another)."""
        self.on_hold = False
        """One of ours is under way for this host: nothing else of it starts."""
        self.in_flight = 0
        self.is_scheduled = False
        """Whether the scheduler's rotation or its waiting heap holds this slot."""
        self.is_evicting = False
        """Whether the scheduler has put it down to be forgotten."""
        self.ready_at = float("-inf")
        """Nothing may start before."""
        self.resolving = False
        """What must be known of the host first (its addresses) has been asked for; nothing starts."""
        self.resolved_until = float("-inf")
        """When that has to be asked again."""
        self.addresses: tuple[str, ...] = ()
        self.dns_time = 0.0
        """How long the name took to look up: the times of the next request begin with it."""
        self.breaker = CLOSED
        self.connection_limit: ConnectionLimit | None = None
        """None as long as none has broken."""
        self._backoff = 0.0
        self._backoff_since = 0.0
        self._failures = 0
        self._responded_at = float("-inf")
        self._probe_from = self._ready_at_before = 0.0

    def limit(self, per_host: int) -> int:
        """How many may be in flight: one while its answer decides what happens next."""
        if self._backoff or self.breaker is not CLOSED:
            return 1
        return per_host if self.connection_limit is None else min(per_host, self.connection_limit.limit)

    @property
    def has_connection_limit(self) -> bool:
        """Fewer connections are made to it than might be."""
        return self.connection_limit is not None and self.connection_limit.is_limited

    def hit_connection_limit(self, outcome: Outcome) -> bool:
        """Whether a connection seems to have broken for no other reason than the others, which may be over
        already: a server takes a moment to see that a place is free."""
        return self.has_connection_limit and is_broken_connection(outcome)

    def block_reason(self, now: float, per_host: int) -> BlockReason:
        """What keeps what is queued from starting."""
        if self._failures:  # more at once is not what it lacks, whether its limit is reached or not
            return BlockReason.RETRY
        if self._backoff:
            return BlockReason.BACKOFF
        return (
            BlockReason.HOST_LIMIT
            if self.in_flight >= per_host and self.ready_at <= now
            else BlockReason.RATE_LIMIT
        )

    def is_rejecting(self, now: float) -> bool:
        """Whether what is queued now ends without having been tried."""
        return self.breaker is OPEN and now < self.ready_at

    def has_next(self) -> bool:
        """Whether something is queued that need not wait for one of ours."""
        return len(self.internal) > 0 or (not self.on_hold and len(self.queue) > 0)

    def pop(self) -> FetchRequest:
        """What `has_next()` has promised."""
        return self.internal.pop(0) if self.internal else self.queue.popleft()

    def take_all(self) -> list[FetchRequest]:
        """Everything that is queued."""
        requests = [*self.internal, *self.queue]
        self.internal.clear()
        self.queue.clear()
        return requests

    def queued(self) -> int:
        """How many are."""
        return len(self.internal) + len(self.queue)

    def idle(self) -> bool:
        return not (self.queued() or self.in_flight or self.is_scheduled or self.resolving or self.on_hold)

    def is_default(self, now: float) -> bool:
        """Whether a slot made anew would be treated the same."""
        slow = self._failures or self._backoff or self.ready_at > now or self.has_connection_limit
        return not slow and self.breaker is CLOSED

    def started(self, now: float, host_delay: float) -> None:
        self.in_flight += 1
        delay = max(host_delay, self._backoff)
        if delay:
            self.ready_at = max(self.ready_at, now + delay)

    def record_result(
        self,
        outcome: Outcome,
        now: float,
        started: float,
        retry_after: float | None,
        *,
        retried: bool = False,
    ) -> None:
        """What a request that began at `started` came to. `retry_after`: seconds the host asked for;
        `retried`: it had failed before."""
        if outcome.record.response_code is None:
            if _blames_host(outcome) and outcome.redirect is None:
                # A page that breaks each time says nothing of how many the host bears.
                if is_broken_connection(outcome) and (self.has_connection_limit or not retried):
                    if self.connection_limit is None:
                        self.connection_limit = ConnectionLimit()
                    self.connection_limit.record_break(now, started, self.in_flight, self._responded_at)
                self._record_no_response(now, started)
            return
        self._failures = 0
        self._responded_at = now
        if self.breaker is not CLOSED:
            self.breaker = CLOSED
            self.ready_at = min(self.ready_at, max(now, self._ready_at_before))
        if self.connection_limit is not None:
            self.connection_limit.record_response(now, started)
        if outcome.record.response_code in THROTTLE_STATUSES:
            if started >= self._backoff_since:  # not one of those that were on their way already
                self._backoff = min(MAX_BACKOFF, max(INITIAL_BACKOFF, 2.0 * self._backoff))
                self._backoff_since = now
            wait = self._backoff if retry_after is None else retry_after
            self.ready_at = max(self.ready_at, now + wait)
        elif self._backoff:
            self._backoff /= 2.0
            if self._backoff < MIN_BACKOFF:
                self._backoff = 0.0

    def _record_no_response(self, now: float, started: float) -> None:
        self._failures += 1
        if self.breaker is CLOSED:
            if self._failures >= FAILURE_THRESHOLD:
                self.breaker = Breaker.HALF_OPEN
                self._ready_at_before = self.ready_at
                self.ready_at = self._probe_from = max(self.ready_at, now + HALF_OPEN_AFTER)
        elif started >= self._probe_from:  # the try; not one of those that were on their way before it
            self.breaker = OPEN
            self.ready_at = self._probe_from = max(self.ready_at, now + OPEN_FOR)


def _blames_host(outcome: Outcome) -> bool:
    """Whether an attempt without a response says that the host does not respond."""
    return not isinstance(outcome.record.error, FailureKind) or outcome.record.error.blames_host
