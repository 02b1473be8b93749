"""Scheduler: decides which request may start now, and when to check again. Pure: the time is a parameter; it
never sleeps and does no I/O.

In: requests, in input order, and the outcomes of those that started. Out: the next request that may start.
Each host has a queue of its own, and a rotation (`rotation.py`) serves the hosts that may start a request one
after the other, so that a list sorted by host does not hold up other hosts. A host that has to wait (its
limit is reached, its delay is not over) is not in the rotation, so that finding the next request takes the
same time however many hosts and requests wait. `host.py` has the rules for one host, `rate_limit.py` the rate
over all hosts.

    enqueue() ──▶ HostSlot.queue ──▶ rotation ──next_request()──▶ in flight ──complete()──▶ done
                      ▲                 ▲                             │
                      │              waiting (heap by time)           │
                      └──── retries (heap by time) ◀── enqueue_at() ──┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from fetchpool.model.derive import closing, spaced, with_addresses
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler import waits
from fetchpool.scheduler.host import OPEN, BlockReason, HostSlot
from fetchpool.scheduler.host_change import HostChange
from fetchpool.scheduler.proxy_breaker import ProxyBreaker
from fetchpool.scheduler.rate_limit import RateLimiter
from fetchpool.scheduler.rotation import Rotation

IDLE_TTL = 60.0
"""Seconds after which the state of an idle host is dropped, so that memory does not grow with the number of
hosts."""
NO_LIMIT = 1 << 60
LATEST_WEIGHT = 0.2
"""Weight of the latest request in the mean time of its host."""


class Scheduler:
    """Queues requests and hands them out. All times are seconds on the caller's monotonic clock."""

    def __init__(
        self,
        *,
        per_host: int | None = None,
        host_delay: float = 0.0,
        rate: float | None = None,
        resolve_hosts: bool = False,
        proxied: bool = False,
    ) -> None:
        """`per_host`: maximum of requests to one host in flight; `host_delay`: seconds between two starts at
        one host; `rate`: starts per second over all hosts. None means no limit.

        `resolve_hosts`: the requests of a host wait for `host_resolved()`. `proxied`: all requests go through
        one proxy.
        """
        self.per_host = per_host
        self._per_host = per_host or NO_LIMIT
        self.host_delay = host_delay
        self.rate = rate
        self._rate_limiter = RateLimiter(rate)
        self._resolve_hosts = resolve_hosts
        self._hosts: dict[str, HostSlot] = {}
        self._rotation = Rotation()
        self._regular, self._slowest = self._rotation.regular, self._rotation.slowest
        self._waiting: list[tuple[float, int, HostSlot]] = []
        self._evicting: list[tuple[float, int, HostSlot]] = []
        self._retries: list[tuple[float, int, FetchRequest]] = []
        self._sequence = 0
        self.queued = 0
        """Number of requests that have not started, including retries."""
        self._proxy = ProxyBreaker() if proxied else None
        self.abandoned: deque[tuple[FetchRequest, FailureKind]] = deque()
        """Requests that will not start because their host or the proxy is down; the caller removes them."""
        self.notices: deque[str | HostChange] = deque()
        """Notices and changes of hosts; the caller removes them."""
        self.to_resolve: deque[str] = deque()
        """Hosts that must be resolved before their requests start; the caller removes them and then calls
        `host_resolved()` or `host_failed()`."""
        self.resolving = 0
        """Number of hosts that are being resolved or are on hold."""
        self._resolving_since: dict[str, float] = {}
        """When lookups began, by host, the oldest first."""
        self._held_since: dict[str, float] = {}
        """When holds began, by host, the oldest first."""

    def set_rate(self, rate: float | None, now: float) -> None:
        """Change the number of starts per second over all hosts; None means no limit."""
        self.rate = rate
        self._rate_limiter.change(rate, now)

    def set_per_host(self, per_host: int | None, now: float) -> None:
        """Change the maximum of requests to one host in flight; None means no limit."""
        self.per_host = per_host
        self._per_host = per_host or NO_LIMIT
        for slot in self._hosts.values():
            slot.set_per_host(self._per_host)
            if not slot.is_scheduled:
                self._schedule(slot, now)

    def enqueue(self, request: FetchRequest, now: float, *, first: bool = False, retry: bool = False) -> None:
        """Add a request to the end of its host's queue; with `first` to the front (it was started before);
        with `retry` to the retries that are due, which take turns with the queue. Internal requests come
        before all others, which wait for their results."""
        slot = self._hosts.get(request.host)
        if slot is None:
            slot = self._hosts[request.host] = HostSlot(request.host, self._per_host, self.notices)
        if request.urlnum < 0:
            slot.internal.append(request)
        elif first:
            slot.queue.appendleft(request)
        elif retry:
            slot.enqueue_retry(request)
        else:
            slot.queue.append(request)
        self.queued += 1
        if not slot.is_scheduled:
            self._schedule(slot, now)

    def enqueue_at(self, request: FetchRequest, at: float) -> None:
        """Add a retry, which may not start before `at`."""
        self._push(self._retries, at, request)
        self.queued += 1

    def next_request(self, now: float) -> FetchRequest | None:
        """Pop the next request that may start and count it as in flight; None if all must wait."""
        if self._waiting or self._retries or self._evicting:
            self._wake(now)
        if self._rate_limiter.next_at > now:
            return None
        regular, slowest = self._regular, self._slowest
        proxy = self._proxy
        if proxy is not None and not proxy.may_start(now):
            if proxy.is_rejecting(now):
                for slot in self._rotation:
                    self._abandon(slot, FailureKind.PROXY)
            return None
        while regular or slowest:
            slot = self._rotation.take() if slowest else regular.popleft()
            slot.is_scheduled = False
            if slot.resolving:
                continue  # `host_resolved()` schedules it again
            if (slot.on_hold or not slot.queue) and not slot.has_next():  # usually without the call
                # `host_failed()` has removed its requests since it was scheduled.
                self._maybe_evict(slot, now)
            elif slot.breaker is OPEN and slot.is_rejecting(now):
                self._abandon(slot, FailureKind.HOST_DOWN)
                self._maybe_evict(slot, now)
            elif slot.ready_at > now:  # it was delayed since it was scheduled
                self._schedule(slot, now)
            elif slot.resolved_until <= now and self._resolve_hosts:
                slot.resolving = True
                self.resolving += 1
                self._resolving_since[slot.host] = now
                self.to_resolve.append(slot.host)
            elif slot.in_flight < slot.limit:
                if slot.internal or slot.retries is not None:
                    request = slot.take_next()
                else:
                    request = slot.queue.popleft()
                self.queued -= 1
                spacing = slot.started(now, self.host_delay)
                if self.rate:
                    self._rate_limiter.started(now)
                if proxy is not None:
                    proxy.started()
                self._schedule(slot, now)
                if slot.connection_limit is not None and slot.has_connection_limit:
                    request = closing(request)
                if slot.addresses:  # the first request after a lookup gets its duration
                    seconds, slot.dns_time = slot.dns_time, 0.0
                    return with_addresses(request, slot.addresses, seconds, spacing)
                return request if request.spacing == spacing else spaced(request, spacing)
        return None

    def complete(
        self,
        request: FetchRequest,
        now: float,
        started: float,
        outcome: Outcome | None,
        retry_after: float | None = None,
    ) -> None:
        """Remove a request that began at `started` from those in flight and update its host's state. A retry
        or redirect must be enqueued separately. `outcome` is None if it says nothing about the host;
        `retry_after` is the number of seconds that the host asked to wait."""
        slot = self._hosts[request.host]
        slot.in_flight -= 1
        if outcome is not None:
            if self.per_host and outcome.record.error is None:  # a timeout says nothing about the next ones
                seconds = now - started
                slot.seconds += LATEST_WEIGHT * (seconds - slot.seconds) if slot.seconds else seconds
            before = slot.connection_limit is not None and slot.has_connection_limit
            slot.record_result(outcome, now, started, retry_after, retried=request.num_retries > 0)
            if slot.connection_limit is not None and slot.has_connection_limit and not before:
                self.notices.append(f"{request.host} accepts few connections: opening fewer")
        if self._proxy is not None:
            self._proxy.record_result(outcome, now, started)
            if self._proxy.notice:
                self.notices.append(self._proxy.notice)
                self._proxy.notice = ""
        if not slot.is_scheduled:
            self._schedule(slot, now)
            self._maybe_evict(slot, now)

    def hit_connection_limit(self, request: FetchRequest, outcome: Outcome) -> bool:
        """Whether a request probably failed only because its host accepts no more connections."""
        slot = self._hosts.get(request.host)
        return slot is not None and slot.hit_connection_limit(outcome)

    def is_throttled(self, host: str, now: float) -> bool:
        """Whether requests of the host are in flight that would not be started now: it is backing off, or
        more are in flight than allowed."""
        slot = self._hosts.get(host)
        if slot is None or not slot.in_flight:
            return False
        return slot.ready_at > now or slot.in_flight > slot.limit

    def hold_host(self, request: FetchRequest, now: float) -> None:
        """Take back a request that `next_request()` has just returned, because an internal request for the
        same host has started instead. Until `resume_host()`, no other request to the host starts."""
        slot = self._hosts[request.host]
        slot.queue.appendleft(request)
        self.queued += 1
        slot.on_hold = True
        self.resolving += 1
        self._held_since[slot.host] = now

    def delay_host(self, host: str, seconds: float, now: float) -> None:
        """Delay the next start at a host, at which a request has just started, by `seconds`
        (`Crawl-delay`)."""
        slot = self._hosts[host]
        slot.ready_at = max(slot.ready_at, now + seconds)

    def host_resolved(
        self, host: str, now: float, until: float, addresses: tuple[str, ...], seconds: float
    ) -> None:
        """Let the host's requests start, at these addresses, until `until`; after that it must be resolved
        again. `seconds` is the duration of the lookup."""
        slot = self._hosts[host]
        slot.resolved_until, slot.addresses, slot.dns_time = until, addresses, seconds
        slot.resolving = False
        self._resolving_since.pop(host, None)
        self._release(slot, now)

    def resume_host(self, host: str, now: float) -> None:
        """Let the requests start that `hold_host()` has stopped."""
        slot = self._hosts[host]
        slot.on_hold = False
        self._held_since.pop(host, None)
        self._release(slot, now)

    def host_failed(self, host: str, now: float) -> list[FetchRequest]:
        """Remove and return the queued requests of a host that could not be resolved."""
        slot = self._hosts[host]
        slot.resolving = False
        self.resolving -= 1
        self._resolving_since.pop(host, None)
        requests = slot.take_all()
        self.queued -= len(requests)
        self._maybe_evict(slot, now)
        return requests

    def remove_queued(self, host: str, condition: Callable[[FetchRequest], bool]) -> list[FetchRequest]:
        """Remove and return the queued requests of a host that meet the condition. The host must be on
        hold."""
        withdrawn = self._hosts[host].take_matching(condition)
        self.queued -= len(withdrawn)
        return withdrawn

    def _release(self, slot: HostSlot, now: float) -> None:
        """Schedule a host that has been resolved or resumed first, since the result may expire before its
        next turn."""
        self.resolving -= 1
        if not slot.is_scheduled:
            self._schedule(slot, now, first=True)
            self._maybe_evict(slot, now)

    @property
    def active_hosts(self) -> int:
        """Number of hosts with requests that are queued or in flight, approximately."""
        return len(self._hosts) - len(self._evicting)

    @property
    def delayed_hosts(self) -> int:
        """Number of hosts that wait for a point in time."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """Number of queued requests that wait for a point in time, not for a worker."""
        return len(self._retries) + sum(slot.queued() for _, _, slot in self._waiting)

    def wait(self, now: float) -> waits.Wait | None:
        """Return what most of the requests wait for that can't start; None if there are none."""
        if self._proxy is not None and self._proxy.paused:
            return waits.Wait(waits.WaitReason.PROXY, self.queued, self._proxy.seconds_left(now))
        return waits.main_wait(
            (slot for _, _, slot in self._waiting),
            self._retries,
            self._hosts,
            now,
            resolving=self._resolving_since,
            held=self._held_since,
        )

    def paused_hosts(self, now: float, most: int) -> tuple[waits.PausedHost, ...]:
        """Return the paused hosts, at most `most`, those with the most waiting requests first."""
        return waits.paused_hosts(
            (slot for _, _, slot in self._waiting), self._retries, self._hosts, now, most
        )

    def queued_for(self, host: str) -> int:
        """Return the number of queued requests of a host, without retries that are not due."""
        slot = self._hosts.get(host)
        return 0 if slot is None else slot.queued()

    def least_wait(self, now: float) -> float:
        """Return the minimum number of seconds until the last of the queued requests may start."""
        waiting = (slot for _, _, slot in self._waiting)
        by_rate = self._rate_limiter.least_wait(self.queued, now)
        return max(by_rate, waits.least_wait(waiting, self._retries, self.host_delay, now))

    def block_reason(self, now: float) -> BlockReason:
        """Return what most of the queued requests wait for."""
        if self._proxy is not None and self._proxy.paused:
            return BlockReason.PROXY
        return waits.main_block_reason(self._hosts, self._retries, now)

    def next_wakeup(self) -> float | None:
        """Return the earliest time at which `next_request()` may return a request; None if only a completion
        can change that."""
        times = [heap[0][0] for heap in (self._retries, self._waiting) if heap]
        if self._regular or self._slowest:
            proxy_at = 0.0 if self._proxy is None else self._proxy.next_wakeup()
            times.append(max(self._rate_limiter.next_at, proxy_at))
        return min(times) if times else None

    def _wake(self, now: float) -> None:
        """Schedule the requests and hosts whose time has come."""
        while self._retries and self._retries[0][0] <= now:
            self.queued -= 1
            self.enqueue(heappop(self._retries)[2], now, retry=True)
        while self._waiting and self._waiting[0][0] <= now:
            slot = heappop(self._waiting)[2]
            slot.is_scheduled = False
            self._schedule(slot, now)
            self._maybe_evict(slot, now)
        while self._evicting and self._evicting[0][0] <= now:
            slot = heappop(self._evicting)[2]
            slot.is_evicting = False
            if slot.idle() and slot.ready_at <= now:
                del self._hosts[slot.host]
            else:
                self._maybe_evict(slot, now)

    def _schedule(self, slot: HostSlot, now: float, *, first: bool = False) -> None:
        """Put a slot into the rotation, or into the heap of those that wait for a point in time, or nowhere
        while its limit is reached (`complete()` schedules it again)."""
        # Usually without the call: this runs twice for each request.
        if (slot.on_hold or not slot.queue) and not slot.has_next():
            return
        if slot.resolving or slot.in_flight >= slot.limit:
            return
        slot.is_scheduled = True
        if slot.ready_at > now and not slot.is_rejecting(now):
            self._push(self._waiting, slot.ready_at, slot)
        elif first:
            self._regular.appendleft(slot)
        elif slot.seconds:
            self._rotation.add(slot)
        else:
            self._regular.append(slot)

    def _abandon(self, slot: HostSlot, kind: FailureKind) -> None:
        """Move all requests of a host to `abandoned`."""
        requests = slot.take_all()
        self.queued -= len(requests)
        self.abandoned.extend((request, kind) for request in requests)

    def _maybe_evict(self, slot: HostSlot, now: float) -> None:
        """Drop the state of an idle host, at once if it is the default, otherwise later."""
        if slot.is_evicting or not slot.idle():
            return
        if slot.is_default(now):
            del self._hosts[slot.host]
        else:
            slot.is_evicting = True
            self._push(self._evicting, max(slot.ready_at, now + IDLE_TTL), slot)

    def _push(self, heap: list[Any], at: float, entry: HostSlot | FetchRequest) -> None:
        self._sequence += 1  # equal times keep their order, and entries are never compared
        heappush(heap, (at, self._sequence, entry))
