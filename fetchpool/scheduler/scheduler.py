"""What may start now, and when to look again. Pure: it is handed `now`, never sleeps, does no I/O.

In: requests, in input order, and what became of those that started. Out: the next request that may
start. Hosts take turns: each has its own queue, and a rotation goes round those that may start
something, so that a list sorted by host does not starve the rest. A host that has to wait (its limit
is reached, its delay is not over) is out of the rotation until it may go on: looking for the next
request costs the same however many hosts and requests wait. How a host is to be treated is its slot's
to know (`hosts.py`), the pace over all hosts is `pace.py`'s.

    add() ──▶ HostSlot.queue ──▶ rotation ──next()──▶ in flight ──finished()──▶ gone
                   ▲                 ▲                    │
                   │              waiting (heap by time)  │
                   └──── retries (heap by time) ◀─────────┘
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

from fetchpool.model.derive import by_itself, with_addresses
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.host import BlockReason, HostSlot
from fetchpool.scheduler.proxy_breaker import ProxyBreaker
from fetchpool.scheduler.rate_limit import RateLimiter

IDLE_TTL = 60.0
"""Seconds after which an idle host's behaviour is forgotten: memory must not grow with the hosts."""


class Scheduler:
    """All times are seconds on the caller's monotonic clock."""

    def __init__(
        self,
        *,
        per_host: int | None = None,
        host_delay: float = 0.0,
        rate: float | None = None,
        resolve_hosts: bool = False,
        proxied: bool = False,
    ) -> None:
        """`per_host`: at most so many requests of one host in flight; `host_delay`: seconds between two
        starts at one host; `rate`: starts per second over all hosts. None is no limit.

        `resolve_hosts`: a host's requests wait until `host_resolved()` has said what must be known of it
        first. `proxied`: everything goes through one proxy."""
        self._per_host = per_host or (1 << 60)
        self._host_delay = host_delay
        self._rate_limiter = RateLimiter(rate)
        self.is_rate_limited = bool(host_delay or rate)
        """A start must reach the server when it is made: nobody may hold it in a queue."""
        self._resolve_hosts = resolve_hosts
        self._hosts: dict[str, HostSlot] = {}
        self._rotation: deque[HostSlot] = deque()
        self._waiting: list[tuple[float, int, HostSlot]] = []
        self._evicting: list[tuple[float, int, HostSlot]] = []
        self._retries: list[tuple[float, int, FetchRequest]] = []
        self._sequence = 0
        self.queued = 0
        """Requests that have not started: those whose turn is to come and those to be retried."""
        self._proxy = ProxyBreaker() if proxied else None
        self.abandoned: deque[tuple[FetchRequest, FailureKind]] = deque()
        """Requests that `next_request()` gave up because their host or the proxy is down; the caller takes
        them away."""
        self.notices: deque[str] = deque()
        """What a person is to be told; the caller takes it away."""
        self.to_resolve: deque[str] = deque()
        """Hosts of which something must be known before their requests start; the caller takes them
        away, and answers with `host_resolved()` or `host_failed()`."""
        self.resolving = 0
        """Hosts that were asked for, or are held, and not answered yet."""

    def enqueue(self, request: FetchRequest, now: float, *, first: bool = False) -> None:
        """Queues a request behind its host's others; with `first` before them (it was on its way). Those of
        our own come before all, since others wait for what they find."""
        slot = self._hosts.get(request.host)
        if slot is None:
            slot = self._hosts[request.host] = HostSlot(request.host)
        if request.urlnum < 0:
            slot.internal.append(request)
        elif first:
            slot.queue.appendleft(request)
        else:
            slot.queue.append(request)
        self.queued += 1
        if not slot.is_scheduled:
            self._schedule(slot, now)

    def enqueue_at(self, request: FetchRequest, at: float) -> None:
        """Queues a request that may not start before `at`: an attempt to be made again."""
        self._push(self._retries, at, request)
        self.queued += 1

    def next_request(self, now: float) -> FetchRequest | None:
        """The next request that may start now, which thereby has started; None when all must wait."""
        if self._waiting or self._retries or self._evicting:
            self._wake(now)
        if self._rate_limiter.next_at > now:
            return None
        rotation = self._rotation
        proxy = self._proxy
        if proxy is not None and not proxy.may_start(now):
            if proxy.is_rejecting(now):
                for slot in rotation:
                    self._abandon(slot, FailureKind.PROXY)
            return None
        while rotation:
            slot = rotation.popleft()
            slot.is_scheduled = False
            if slot.resolving:
                continue  # `host_resolved()` lists it again
            if (slot.on_hold or not slot.queue) and not slot.internal:  # `has_next()`, without the call
                # Taken away by `host_failed()` since it was listed.
                self._maybe_evict(slot, now)
            elif slot.is_rejecting(now):
                self._abandon(slot, FailureKind.HOST_DOWN)
                self._maybe_evict(slot, now)
            elif slot.ready_at > now:  # it has been told to wait since it was listed
                self._schedule(slot, now)
            elif slot.resolved_until <= now and self._resolve_hosts:
                slot.resolving = True
                self.resolving += 1
                self.to_resolve.append(slot.host)
            elif slot.in_flight < slot.limit(self._per_host):
                request = slot.pop()
                self.queued -= 1
                slot.started(now, self._host_delay)
                self._rate_limiter.started(now)
                if proxy is not None:
                    proxy.started()
                self._schedule(slot, now)
                if slot.connection_limit is not None and slot.has_connection_limit:
                    request = by_itself(request)
                if slot.addresses:  # the first one after a lookup bears its time
                    seconds, slot.dns_time = slot.dns_time, 0.0
                    return with_addresses(request, slot.addresses, seconds)
                return request
        return None

    def complete(
        self,
        request: FetchRequest,
        now: float,
        started: float,
        outcome: Outcome | None,
        retry_after: float | None = None,
    ) -> None:
        """The request, begun at `started`, is no longer in flight; whatever follows from it is added
        anew. `outcome` is None when it came to nothing that says anything of the host; `retry_after`
        is how many seconds the host asked to be left alone."""
        slot = self._hosts[request.host]
        slot.in_flight -= 1
        if outcome is not None:
            before = slot.connection_limit is not None and slot.has_connection_limit
            slot.record_result(outcome, now, started, retry_after, retried=request.num_retries > 0)
            if slot.connection_limit is not None and slot.has_connection_limit and not before:
                self.notices.append(f"{request.host} bears few connections: fewer are made")
        if self._proxy is not None:
            self._proxy.record_result(outcome, now, started)
            if self._proxy.notice:
                self.notices.append(self._proxy.notice)
                self._proxy.notice = ""
        if not slot.is_scheduled:
            self._schedule(slot, now)
            self._maybe_evict(slot, now)

    def hit_connection_limit(self, request: FetchRequest, outcome: Outcome) -> bool:
        """Whether that seems to have broken only because its host bears no more connections at once."""
        slot = self._hosts.get(request.host)
        return slot is not None and slot.hit_connection_limit(outcome)

    def is_throttled(self, host: str, now: float) -> bool:
        """No more of that host may start now, or fewer than have, whoever is free."""
        slot = self._hosts.get(host)
        return slot is not None and (slot.ready_at > now or slot.in_flight > slot.limit(self._per_host))

    def hold(self, request: FetchRequest) -> None:
        """Takes back a request that `next_request()` has just handed out: one of our own has started in its
        place, to find out what must be known of that host first. Until `resume_host()` nothing else of it
        starts."""
        slot = self._hosts[request.host]
        slot.queue.appendleft(request)
        self.queued += 1
        slot.on_hold = True
        self.resolving += 1

    def delay_host(self, host: str, seconds: float, now: float) -> None:
        """The host, of which a request has just started, asked for so many seconds until the next one
        (`Crawl-delay`)."""
        slot = self._hosts[host]
        slot.ready_at = max(slot.ready_at, now + seconds)

    def host_resolved(
        self, host: str, now: float, until: float, addresses: tuple[str, ...], seconds: float
    ) -> None:
        """The host's requests may start, at these addresses, until they must be asked for again.
        `seconds`: how long that took."""
        slot = self._hosts[host]
        slot.resolved_until, slot.addresses, slot.dns_time = until, addresses, seconds
        slot.resolving = False
        self._release(slot, now)

    def resume_host(self, host: str, now: float) -> None:
        """What `hold()` held may start."""
        slot = self._hosts[host]
        slot.on_hold = False
        self._release(slot, now)

    def host_failed(self, host: str, now: float) -> list[FetchRequest]:
        """The host's requests can't start; those that were queued, for the caller to end."""
        slot = self._hosts[host]
        slot.resolving = False
        self.resolving -= 1
        requests = slot.take_all()
        self.queued -= len(requests)
        self._maybe_evict(slot, now)
        return requests

    def remove_queued(self, host: str, condition: Callable[[FetchRequest], bool]) -> list[FetchRequest]:
        """Takes away what is queued of a host that `hold()` holds, and meets the condition."""
        slot = self._hosts[host]
        withdrawn = [request for request in slot.queue if condition(request)]
        if withdrawn:
            slot.queue = deque(request for request in slot.queue if not condition(request))
            self.queued -= len(withdrawn)
        return withdrawn

    def _release(self, slot: HostSlot, now: float) -> None:
        """What was asked about a host has been answered, and may be forgotten by its next turn."""
        self.resolving -= 1
        if not slot.is_scheduled:
            self._schedule(slot, now, first=True)
            self._maybe_evict(slot, now)

    @property
    def delayed_hosts(self) -> int:
        """Hosts that wait for a time."""
        return len(self._waiting)

    @property
    def delayed(self) -> int:
        """Of the queued requests: those that wait for a time, not for a worker."""
        return len(self._retries) + sum(slot.queued() for _, _, slot in self._waiting)

    def block_reason(self, now: float) -> BlockReason:
        """What most of the queued wait for that may not start now. It looks at every host there is: not to be
        asked for with every request."""
        if self._proxy is not None and self._proxy.paused:
            return BlockReason.RETRY
        waiting = dict.fromkeys(BlockReason, 0)
        for slot in self._hosts.values():
            if slot.has_next() and not slot.resolving:
                waiting[slot.block_reason(now, self._per_host)] += slot.queued()
        for _, _, request in self._retries:
            found = self._hosts.get(request.host)
            paused = found is not None and found.block_reason(now, self._per_host) is BlockReason.BACKOFF
            waiting[BlockReason.BACKOFF if paused else BlockReason.RETRY] += 1
        return max(waiting, key=waiting.__getitem__)

    def next_wakeup(self) -> float | None:
        """When `next_request()` may find something without anything having finished; None: only then."""
        times = [heap[0][0] for heap in (self._retries, self._waiting) if heap]
        if self._rotation:
            proxy_at = 0.0 if self._proxy is None else self._proxy.next_wakeup()
            times.append(max(self._rate_limiter.next_at, proxy_at))
        return min(times) if times else None

    def _wake(self, now: float) -> None:
        """Whatever waited for a time that has come is queued or listed again."""
        while self._retries and self._retries[0][0] <= now:
            self.queued -= 1
            self.enqueue(heappop(self._retries)[2], now)
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
        """Puts an unlisted slot where it belongs: into the rotation, into the heap of those that wait
        for a time, or nowhere while its limit holds (`complete()` lists it again)."""
        # `has_next()`, without the call: this runs twice for each request.
        if (slot.on_hold or not slot.queue) and not slot.internal:
            return
        if slot.resolving or slot.in_flight >= slot.limit(self._per_host):
            return
        slot.is_scheduled = True
        if slot.ready_at > now and not slot.is_rejecting(now):
            self._push(self._waiting, slot.ready_at, slot)
        elif first:
            self._rotation.appendleft(slot)
        else:
            self._rotation.append(slot)

    def _abandon(self, slot: HostSlot, kind: FailureKind) -> None:
        requests = slot.take_all()
        self.queued -= len(requests)
        self.abandoned.extend((request, kind) for request in requests)

    def _maybe_evict(self, slot: HostSlot, now: float) -> None:
        """Forgets a host that has nothing to do: now, or later when its behaviour is worth knowing."""
        if slot.is_evicting or not slot.idle():
            return
        if slot.is_default(now):
            del self._hosts[slot.host]
        else:
            slot.is_evicting = True
            self._push(self._evicting, max(slot.ready_at, now + IDLE_TTL), slot)

    def _push(self, heap: list[Any], at: float, entry: HostSlot | FetchRequest) -> None:
        self._sequence += 1  # of two at the same time the earlier comes first, and none is compared
        heappush(heap, (at, self._sequence, entry))
