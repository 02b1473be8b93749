"""Resolves each host once, before its requests are given to workers, so that no worker waits for DNS.

In: host names, in the scheduler's order. Out: a `HostAddresses` for each, passed to the callback `on_result`:
its addresses, or the reason why it has none. A dead name server delays only its own hosts, and ten thousand
URLs of one host need one lookup (faults 6 and 33). A lookup whose name server failed is retried until its
timeout, which uses up no attempt of a URL (fault 63).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from heapq import heappop, heappush
from time import monotonic

from msgspec import Struct

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.transports.lookup import PendingLookup
from fetchpool.transports.resolver import RETRY_DELAYS, STUCK, Resolver

TTL = 60.0
"""Seconds until a host that is still being fetched from is looked up again."""
FOREVER = float("inf")


class HostAddresses(Struct, frozen=True):
    """The result of one lookup."""

    host: str
    addresses: tuple[str, ...] = ()
    """Empty after a failure, and for a host that is itself an address."""
    failure: FailureKind | None = None
    """`dns` or `timeout_dns`."""
    message: str = ""
    until: float = FOREVER
    """The time of the next lookup, on the caller's clock."""
    seconds: float = 0.0
    """The lookup's duration."""
    transient: bool = False
    """Whether the name server failed, so that a retry may help."""


class HostLookup:
    """A lookup in progress, retries included."""

    __slots__ = ("attempt_at", "callback", "failures", "pending", "started_at")

    def __init__(self, now: float) -> None:
        self.started_at = self.attempt_at = now
        """The times of the first and the last attempt."""
        self.failures = 0
        """The number of failures of the name server."""
        self.pending: PendingLookup | None = None
        """The resolver's lookup; None if the host needs none, or waits for a retry."""
        self.callback: Callable[[PendingLookup], None] | None = None
        """The callback given to the resolver, needed to cancel the lookup."""


class HostLookups:
    """Starts lookups in the resolver, and cancels those that exceed the timeout."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        timeout: float,
        fixed: Mapping[str, tuple[str, ...]] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`timeout`: seconds for a lookup, from the moment a resolver thread starts it. `fixed`: hosts with
        given addresses."""
        self._resolver = resolver
        self._timeout = timeout
        self._clock = clock
        self._fixed = fixed or {}
        self._lookups: dict[str, HostLookup] = {}
        """The lookups in progress by host, oldest first."""
        self._retries: list[tuple[float, int, str, HostLookup]] = []
        """A heap of lookups that wait for a retry, by its time. They are not in `_lookups`."""
        self._num_retries = 0

    def start(self, on_result: Callable[[HostAddresses], None]) -> None:
        """Register the callback, which is called from any thread, once for each lookup that does not time
        out."""
        self._on_result = on_result

    @property
    def busy(self) -> bool:
        """Whether the maximum number of concurrent lookups is reached."""
        return len(self._lookups) >= self._resolver.most_threads

    def start_lookup(self, host: str) -> None:
        """Start a lookup. If the host is an address, the result is reported at once."""
        self._lookups[host] = lookup = HostLookup(self._clock())
        fixed = self._fixed.get(host)
        if fixed is not None or urls.is_address(host):
            self._on_result(HostAddresses(host, fixed or ()))
            return
        self._attempt(host, lookup)

    def finish(self, result: HostAddresses) -> bool:
        """End a lookup whose result was reported. Return False if the result must be ignored: the lookup was
        cancelled, or will be retried because the name server failed."""
        lookup = self._lookups.pop(result.host, None)
        if lookup is None:
            return False
        lookup.pending = lookup.callback = None
        if result.transient and lookup.failures < len(RETRY_DELAYS):
            retry_at = result.until + RETRY_DELAYS[lookup.failures]
            if retry_at < lookup.started_at + self._timeout:
                lookup.failures += 1
                self._num_retries += 1
                heappush(self._retries, (retry_at, self._num_retries, result.host, lookup))
                return False
        return True

    def expire(self, now: float) -> list[HostAddresses]:
        """Cancel the lookups that exceed the timeout, and return their results. Start the retries that are
        due."""
        while self._retries and self._retries[0][0] <= now:
            _, _, host, lookup = heappop(self._retries)
            self._lookups[host] = lookup
            self._attempt(host, lookup)
        late = []
        for host, lookup in self._lookups.items():
            if lookup.pending is None:
                continue  # it needed no lookup, and its result was reported
            if lookup.pending.begun is None:
                self._resolver.hurry()
                break  # later ones have not started either
            if max(lookup.attempt_at, lookup.pending.begun) + self._timeout > now:
                break
            late.append(host)
        for host in late:
            lookup = self._lookups.pop(host)
            assert lookup.pending is not None
            assert lookup.callback is not None
            self._resolver.cancel(host, lookup.pending, lookup.callback)
        return [
            HostAddresses(
                host,
                (),
                FailureKind.TIMEOUT_DNS,
                f"no address for {host} after {self._timeout:.3g} s",
                now,
                self._timeout,
            )
            for host in late
        ]

    def next_wakeup(self) -> float | None:
        """Return the time at which `expire()` will have something to do; None if there is none."""
        retry_at = self._retries[0][0] if self._retries else None
        for lookup in self._lookups.values():
            if lookup.pending is not None:
                begun = lookup.pending.begun
                if begun is None:
                    late_at = self._clock() + STUCK
                else:
                    late_at = max(lookup.attempt_at, begun) + self._timeout
                return late_at if retry_at is None else min(retry_at, late_at)
        return retry_at

    def _attempt(self, host: str, lookup: HostLookup) -> None:
        lookup.attempt_at = self._clock()
        lookup.callback = partial(self._on_resolved, host, lookup.attempt_at)
        lookup.pending = self._resolver.resolve_async(host, lookup.callback)

    def _on_resolved(self, host: str, attempt_at: float, found: PendingLookup) -> None:
        now = self._clock()
        seconds = max(
            0.0, now - max(attempt_at, found.begun or attempt_at)
        )  # a clock for limits may be behind
        if found.error:
            self._on_result(HostAddresses(host, (), found.kind, found.error, now, seconds, found.transient))
        else:
            self._on_result(HostAddresses(host, found.ips, until=now + TTL, seconds=seconds))
