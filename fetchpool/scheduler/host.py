"""Per-host state: queue, concurrency limit, backoff and circuit breaker. Pure: the time is a parameter.

In: when requests to the host start, and their outcomes. Out: whether another one may start, and when.

A host that responds with 429, or with `Retry-After`, is left alone for as long as it asks, or for a delay
that doubles; then requests go out one at a time, and each success halves the delay between them. Responses to
requests that had already started change nothing. A 503 without `Retry-After` may concern only a single page;
`request_rate.py` determines that. A host that does not respond several times in a row is paused, then one
probe is sent. If the probe fails, queued requests end as `host_down`, until a later probe succeeds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum, auto

from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.connection_limit import ConnectionLimit, is_broken_connection
from fetchpool.scheduler.host_change import HostChange
from fetchpool.scheduler.request_rate import RequestRate

INITIAL_BACKOFF = 0.1
"""Seconds between starts after the first 429 or 503; doubles with each further one."""
MAX_BACKOFF = 60.0
MIN_BACKOFF = 0.05
"""Seconds: a shorter delay ends the backoff."""
FAILURE_THRESHOLD = 10
"""Consecutive attempts without a response after which a host is paused."""
HALF_OPEN_AFTER = 5.0
"""Seconds from the pause to the first probe: enough for a server to restart."""
OPEN_FOR = 60.0
"""Seconds between probes of a host that is down."""
TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE = 429, 503
THROTTLED = frozenset((TOO_MANY_REQUESTS, SERVICE_UNAVAILABLE))
RATE_TTL = 60.0
"""Seconds after its last 503 for which the request rate of a host is measured."""


class Breaker(Enum):
    """Circuit breaker of a host."""

    CLOSED = auto()
    """Requests pass."""
    HALF_OPEN = auto()
    """After several failures: one probe is sent, queued requests wait."""
    OPEN = auto()
    """The probe failed: queued requests are abandoned until the next probe."""


class BlockReason(Enum):
    """Why a queued request cannot start although a worker is free."""

    HOST_LIMIT = auto()
    """As many requests to its host are in flight as allowed."""
    RATE_LIMIT = auto()
    """The user or the host's robots.txt asks for a delay between starts."""
    BACKOFF = auto()
    """Its host responded with 429 or 503."""
    RETRY = auto()
    """It waits for its next attempt, or its host does not respond."""
    PROXY = auto()
    """The proxy does not respond."""


CLOSED, OPEN = Breaker.CLOSED, Breaker.OPEN
"""Bound once: accessing a member of an enum is slow, and every start needs these."""


class HostSlot:
    """The queue and the state of one host. Times are monotonic seconds."""

    __slots__ = (
        "_backoff",
        "_backoff_since",
        "_changes",
        "_failures",
        "_is_unrestricted",
        "_per_host",
        "_probe_from",
        "_ready_at_before",
        "_responded_at",
        "_retry_is_next",
        "_throttle_status",
        "addresses",
        "asked_to_wait",
        "breaker",
        "connection_limit",
        "dns_time",
        "host",
        "in_flight",
        "internal",
        "is_evicting",
        "is_scheduled",
        "limit",
        "on_hold",
        "queue",
        "ready_at",
        "request_rate",
        "resolved_until",
        "resolving",
        "retries",
        "seconds",
    )

    def __init__(self, host: str, per_host: int, changes: deque[str | HostChange] | None = None) -> None:
        """`changes`: gets a `HostChange` when the host begins to back off or is down."""
        self.host = host
        self._changes = changes
        self._per_host = per_host
        self.limit = per_host
        """Maximum number of requests in flight."""
        self.queue: deque[FetchRequest] = deque()
        self.retries: deque[FetchRequest] | None = None
        """Queued retries that are due. They and the queue take turns: the results of retries distinguish
        pages that always fail from a host that rejects many requests."""
        self.internal: list[FetchRequest] = []
        """Queued internal requests (`robots.txt`, of this host or for another), which start before all
        others."""
        self.seconds = 0.0
        """The recent mean time of its requests; 0 if it is not measured."""
        self.on_hold = False
        """Whether an internal request for this host is in flight, during which no other request starts."""
        self.in_flight = 0
        self.is_scheduled = False
        """Whether the scheduler's rotation or its waiting heap holds this slot."""
        self.is_evicting = False
        """Whether the scheduler's eviction heap holds this slot."""
        self.ready_at = float("-inf")
        """Earliest time of the next start."""
        self.resolving = False
        """Whether the host is being resolved, during which nothing starts."""
        self.resolved_until = float("-inf")
        """When the host must be resolved again."""
        self.addresses: tuple[str, ...] = ()
        self.dns_time = 0.0
        """Duration of the lookup, which is part of the next request's times."""
        self.breaker = CLOSED
        self.connection_limit: ConnectionLimit | None = None
        """None until a connection breaks."""
        self.request_rate: RequestRate | None = None
        """None until a 503."""
        self._is_unrestricted = True
        """Whether only `--per-host` limits the requests, and nothing is measured."""
        self._backoff = 0.0
        self._backoff_since = 0.0
        self._throttle_status = 0
        self.asked_to_wait = False
        """Whether the host asked for the current pause, with Retry-After."""
        self._failures = 0
        self._responded_at = float("-inf")
        self._retry_is_next = True
        self._probe_from = self._ready_at_before = 0.0

    @property
    def has_connection_limit(self) -> bool:
        """Whether fewer connections are opened than `--per-host` allows."""
        return self.connection_limit is not None and self.connection_limit.is_limited

    @property
    def throttled_by(self) -> int:
        """The status (429 or 503) that made the host back off; 0 if it is not backing off."""
        if self._backoff:
            return self._throttle_status
        return SERVICE_UNAVAILABLE if self.request_rate is not None else 0

    @property
    def is_backing_off(self) -> bool:
        """Whether fewer requests start because of 429 or 503."""
        return self._backoff > 0.0 or (self.request_rate is not None and self.request_rate.interval > 0.0)

    def hit_connection_limit(self, outcome: Outcome) -> bool:
        """Whether a connection probably broke because of the host's other connections. Some of these may be
        closed already, which a server notices with a delay."""
        return self.has_connection_limit and is_broken_connection(outcome)

    def block_reason(self, now: float) -> BlockReason:
        """Return why the queued requests cannot start."""
        if self._failures:  # whether the limit is reached or not
            return BlockReason.RETRY
        if self.is_backing_off:
            return BlockReason.BACKOFF
        return (
            BlockReason.HOST_LIMIT
            if self.in_flight >= self._per_host and self.ready_at <= now
            else BlockReason.RATE_LIMIT
        )

    def set_per_host(self, per_host: int) -> None:
        """Change the maximum number of requests in flight."""
        self._per_host = per_host
        self._update_limit()

    def is_rejecting(self, now: float) -> bool:
        """Whether queued requests are abandoned without an attempt."""
        return self.breaker is OPEN and now < self.ready_at

    def has_next(self) -> bool:
        """Whether a queued request is not on hold."""
        if self.internal:
            return True
        return not self.on_hold and (len(self.queue) > 0 or self.retries is not None)

    def enqueue_retry(self, request: FetchRequest) -> None:
        """Queue a retry that is due."""
        if self.retries is None:
            self.retries = deque()
        self.retries.append(request)

    def take_next(self) -> FetchRequest:
        """Remove and return the next request; there must be one."""
        if self.internal:
            return self.internal.pop(0)
        if self.retries is None or (self.queue and not self._retry_is_next):
            self._retry_is_next = True
            return self.queue.popleft()
        self._retry_is_next = False
        request = self.retries.popleft()
        if not self.retries:
            self.retries = None
        return request

    def take_all(self) -> list[FetchRequest]:
        """Remove and return all queued requests."""
        requests = [*self.internal, *self.take_matching(lambda _: True)]
        self.internal.clear()
        return requests

    def take_matching(self, condition: Callable[[FetchRequest], bool]) -> list[FetchRequest]:
        """Remove and return the queued requests that meet the condition, except for internal ones."""
        requests = [*(self.retries or ()), *self.queue]
        taken = [request for request in requests if condition(request)]
        if taken:
            self.queue = deque(request for request in requests if not condition(request))
            self.retries = None
        return taken

    def queued(self) -> int:
        """Return the number of queued requests."""
        return len(self.internal) + len(self.queue) + len(self.retries or ())

    def idle(self) -> bool:
        """Whether the host has no request and is in none of the scheduler's collections."""
        return not (self.queued() or self.in_flight or self.is_scheduled or self.resolving or self.on_hold)

    def is_default(self, now: float) -> bool:
        """Whether the slot holds no state worth keeping, so that it can be evicted."""
        slow = self._failures or self._backoff or self.ready_at > now or self.has_connection_limit
        return not slow and self.request_rate is None and self.breaker is CLOSED

    def started(self, now: float, host_delay: float) -> float:
        """Count a request as in flight; return the seconds until the next one may start."""
        self.in_flight += 1
        delay = max(host_delay, self._backoff)
        if self.request_rate is not None:
            delay = max(delay, self.request_rate.interval)
        if delay:
            self.ready_at = max(self.ready_at, now + delay)
        return delay

    def record_result(
        self,
        outcome: Outcome,
        now: float,
        started: float,
        retry_after: float | None,
        *,
        retried: bool = False,
    ) -> None:
        """Update the state with the outcome of a request that began at `started`. `retry_after`: seconds that
        the host asked to wait; `retried`: the request had failed before."""
        status = outcome.record.response_code
        if status is None:
            if _blames_host(outcome) and outcome.pending_redirect is None:
                # A page that fails every time is no evidence about the host's limit.
                if is_broken_connection(outcome) and (self.has_connection_limit or not retried):
                    if self.connection_limit is None:
                        self.connection_limit = ConnectionLimit()
                    self.connection_limit.record_break(now, started, self.in_flight, self._responded_at)
                self._record_no_response(now, started)
                self._update_limit()
            return
        self._failures = 0
        self._responded_at = now
        if self._is_unrestricted and status not in THROTTLED:
            return  # nearly always
        if self.breaker is not CLOSED:
            self.breaker = CLOSED
            self.ready_at = min(self.ready_at, max(now, self._ready_at_before))
        if self.connection_limit is not None:
            self.connection_limit.record_response(now, started)
        is_unavailable = status == SERVICE_UNAVAILABLE and retry_after is None
        if self.request_rate is not None or is_unavailable:
            self._measure_rate(now, started, accepted=not is_unavailable, retried=retried)
        if status == TOO_MANY_REQUESTS or (status == SERVICE_UNAVAILABLE and retry_after is not None):
            begins = self._backoff == 0.0
            if started >= self._backoff_since:  # it began after the last change of the backoff
                self._backoff = min(MAX_BACKOFF, max(INITIAL_BACKOFF, 2.0 * self._backoff))
                self._backoff_since = now
            wait = self._backoff if retry_after is None else retry_after
            self._throttle_status = status
            self.asked_to_wait = retry_after is not None or (self.asked_to_wait and self.ready_at > now)
            self.ready_at = max(self.ready_at, now + wait)
            if begins:
                self._report(self.ready_at - now, status)
        elif self._backoff and not is_unavailable and started >= self._backoff_since:
            self._backoff /= 2.0
            if self._backoff < MIN_BACKOFF:
                self._backoff = 0.0
        self._update_limit()

    def _update_limit(self) -> None:
        """Allow one request during a backoff or a probe."""
        self._is_unrestricted = not (
            self._backoff
            or self.breaker is not CLOSED
            or self.connection_limit is not None
            or self.request_rate is not None
        )
        if self._backoff or self.breaker is not CLOSED:
            self.limit = 1
        elif self.connection_limit is None:
            self.limit = self._per_host
        else:
            self.limit = min(self._per_host, self.connection_limit.limit)

    def _measure_rate(self, now: float, started: float, *, accepted: bool, retried: bool) -> None:
        """Update the request rate with a response. The first 503 also delays the next request a little."""
        rate = self.request_rate
        if rate is None:
            self.request_rate = RequestRate(now)
            self.asked_to_wait = False
            self.ready_at = max(self.ready_at, now + INITIAL_BACKOFF)
        elif rate.is_over(now, RATE_TTL):
            self.request_rate = None
        else:
            was_limited = rate.interval > 0.0
            rate.record(now, started, accepted=accepted, retried=retried)
            if not was_limited and rate.interval > 0.0:
                self._report(rate.interval, SERVICE_UNAVAILABLE)

    def _record_no_response(self, now: float, started: float) -> None:
        """Count a failure, which may open the circuit breaker."""
        self._failures += 1
        if self.breaker is CLOSED:
            if self._failures >= FAILURE_THRESHOLD:
                self.breaker = Breaker.HALF_OPEN
                self._ready_at_before = self.ready_at
                self.ready_at = self._probe_from = max(self.ready_at, now + HALF_OPEN_AFTER)
                self._report(self.ready_at - now)
        elif started >= self._probe_from:  # it is the probe, not a request that began earlier
            was_down, self.breaker = self.breaker is OPEN, OPEN
            self.ready_at = self._probe_from = max(self.ready_at, now + OPEN_FOR)
            if not was_down:
                self._report(self.ready_at - now, is_down=True)

    def _report(self, seconds: float, status: int = 0, *, is_down: bool = False) -> None:
        """Report that the host begins to back off or is down."""
        if self._changes is not None:
            self._changes.append(HostChange(self.host, seconds, status, is_down))


def _blames_host(outcome: Outcome) -> bool:
    """Whether an attempt without a response indicates that the host does not respond."""
    return not isinstance(outcome.record.error, FailureKind) or outcome.record.error.blames_host
