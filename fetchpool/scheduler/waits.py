"""Explains what requests that can't start are waiting for, and for how long at least.

In: hosts that wait for a point in time, for DNS or for robots.txt, and retries. Out: a `Wait`, for the
display. Pure: the time is a parameter. It takes time proportional to their number, so it is called once per
snapshot, not per request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from heapq import nlargest

from msgspec import Struct

from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.host import BlockReason, Breaker, HostSlot


class WaitReason(Enum):
    """Why requests wait."""

    PAUSE = "pause"
    """Their host responded with 429 or 503 and a Retry-After."""
    BACKOFF = "backoff"
    """Their host responded with 429 or 503."""
    NO_RESPONSE = "no_response"
    """Their host did not respond several times in a row."""
    DELAY = "delay"
    """The user or the host's robots.txt asks for it."""
    RETRY = "retry"
    """Their last attempt failed."""
    PROXY = "proxy"
    """The proxy did not respond several times in a row."""
    DNS = "dns"
    """Their host's name is being resolved."""
    ROBOTS = "robots"
    """Their host's robots.txt is being fetched."""


EVENTS = (WaitReason.DNS, WaitReason.ROBOTS)
"""Reasons that end with a result, not at a known point in time."""
SLOW_AFTER = 2.0
"""Seconds from which a lookup or a robots.txt is slow; a shorter wait needs no explanation."""


class Wait(Struct, frozen=True):
    """The reason why most of the requests that can't start are waiting."""

    reason: WaitReason
    requests: int
    """Number of requests that wait for this reason."""
    seconds: float
    """Seconds until the first of them may start; for DNS and robots.txt, since the first began to wait."""
    host: str = ""
    """The host with most of them; empty for retries and the proxy."""
    hosts: int = 0
    """Number of hosts."""
    status: int = 0
    """The status with which the host asked for the pause; 0 if it did not."""


class PausedHost(Struct, frozen=True):
    """A host whose requests wait because it is overloaded or does not respond."""

    host: str
    requests: int
    """Number of its requests that wait."""
    seconds: float
    """Seconds until the first of them may start."""
    reason: WaitReason
    status: int = 0
    """The status with which the host asked for the pause; 0 if it did not."""


class _Group:
    """The requests that wait for the same reason."""

    def __init__(self) -> None:
        self.requests = 0
        self.first = float("inf")
        self.by_host: dict[str, int] = {}

    def add(self, host: str, requests: int, at: float) -> None:
        self.requests += requests
        self.first = min(self.first, at)
        if host:
            self.by_host[host] = self.by_host.get(host, 0) + requests


def main_wait(
    waiting: Iterable[HostSlot],
    retries: Iterable[tuple[float, int, FetchRequest]],
    hosts: Mapping[str, HostSlot],
    now: float,
    *,
    resolving: Mapping[str, float],
    held: Mapping[str, float],
) -> Wait | None:
    """Return the reason why most of the requests that can't start are waiting; None if there are none.
    `waiting`: hosts that wait for a point in time; `hosts`: all by name; `resolving`, `held`: since when
    hosts wait for DNS and for robots.txt, the oldest first."""
    groups: dict[WaitReason, _Group] = {}
    for slot in waiting:
        groups.setdefault(_reason(slot), _Group()).add(slot.host, slot.queued(), slot.ready_at)
    for at, _, request in retries:
        host = hosts.get(request.host)
        if host is not None and (host.is_backing_off or host.breaker is not Breaker.CLOSED):
            groups.setdefault(_reason(host), _Group()).add(host.host, 1, max(at, host.ready_at))
        else:
            groups.setdefault(WaitReason.RETRY, _Group()).add("", 1, at)
    for reason, since in ((WaitReason.DNS, resolving), (WaitReason.ROBOTS, held)):
        if since and now - next(iter(since.values())) >= SLOW_AFTER:
            group = groups[reason] = _Group()
            for name, began in since.items():
                group.add(name, hosts[name].queued(), began)
    if not groups:
        return None
    reason = max(groups, key=lambda each: groups[each].requests)
    group = groups[reason]
    most = max(group.by_host, key=group.by_host.__getitem__, default="")
    return Wait(
        reason,
        group.requests,
        abs(group.first - now) if reason in EVENTS else max(group.first - now, 0.0),
        host=most,
        hosts=len(group.by_host),
        status=hosts[most].throttled_by if most in hosts else 0,
    )


def paused_hosts(
    waiting: Iterable[HostSlot],
    retries: Iterable[tuple[float, int, FetchRequest]],
    hosts: Mapping[str, HostSlot],
    now: float,
    most: int,
) -> tuple[PausedHost, ...]:
    """Return the paused hosts, at most `most`, those with the most waiting requests first. A delay requested
    by the user or by robots.txt does not count as a pause."""
    requests: dict[str, int] = {}
    for slot in waiting:
        if _reason(slot) is not WaitReason.DELAY:
            requests[slot.host] = slot.queued()
    for _, _, request in retries:
        host = hosts.get(request.host)
        if host is not None and host.ready_at > now and _reason(host) is not WaitReason.DELAY:
            requests[request.host] = requests.get(request.host, 0) + 1
    names = nlargest(most, requests, key=requests.__getitem__)
    return tuple(
        PausedHost(
            name,
            requests[name],
            max(hosts[name].ready_at - now, 0.0),
            _reason(hosts[name]),
            status=hosts[name].throttled_by,
        )
        for name in names
    )


def _reason(slot: HostSlot) -> WaitReason:
    if slot.breaker is not Breaker.CLOSED:
        return WaitReason.NO_RESPONSE
    if slot.throttled_by:
        return WaitReason.PAUSE if slot.asked_to_wait else WaitReason.BACKOFF
    return WaitReason.DELAY


def main_block_reason(
    hosts: Mapping[str, HostSlot], retries: Iterable[tuple[float, int, FetchRequest]], now: float
) -> BlockReason:
    """Return the reason why most of the queued requests are waiting, including those whose host could start
    one."""
    waiting = dict.fromkeys(BlockReason, 0)
    for slot in hosts.values():
        if slot.has_next() and not slot.resolving:
            waiting[slot.block_reason(now)] += slot.queued()
    for _, _, request in retries:
        found = hosts.get(request.host)
        paused = found is not None and found.block_reason(now) is BlockReason.BACKOFF
        waiting[BlockReason.BACKOFF if paused else BlockReason.RETRY] += 1
    return max(waiting, key=waiting.__getitem__)


def least_wait(
    waiting: Iterable[HostSlot],
    retries: Iterable[tuple[float, int, FetchRequest]],
    host_delay: float,
    now: float,
) -> float:
    """Return the minimum number of seconds until the last of the delayed requests may start."""
    last = now
    for slot in waiting:
        last = max(last, slot.ready_at + max(slot.queued() - 1, 0) * host_delay)
    for at, _, _ in retries:
        last = max(last, at)
    return last - now
