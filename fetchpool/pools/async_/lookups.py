"""DNS lookups for the hops of the async pool, whose one thread must not block.

In: hops that lack an address. Out: each hop again, once its host is resolved, or with the reason why it is
not. Everything runs in the pool's thread except the resolver's callback, which wakes that thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.failures import FailureKind
from fetchpool.pools.async_.transfer import Transfer
from fetchpool.pools.wakeup import Wakeup
from fetchpool.transports import resolver
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.curl.lookups import HopNames
from fetchpool.transports.dns import HostAddresses, HostLookups


class DeferredHop:
    """A hop that waits for DNS."""

    __slots__ = ("hop", "since", "transfer")

    def __init__(self, transfer: Transfer, hop: HopRequest, since: float) -> None:
        self.transfer = transfer
        self.hop = hop
        self.since = since


class HopLookups:
    """Keeps the hops that wait for DNS, by host."""

    def __init__(self, options: FetchOptions, wakeup: Wakeup, clock: Callable[[], float]) -> None:
        """`clock`: used for all times."""
        self._wakeup = wakeup
        self._hop_names = HopNames(options, resolver.shared(options.ip_version))
        self.missing = self._hop_names.missing
        """Returns the name that a hop must wait for; empty if there is none."""
        self._lookups = HostLookups(
            resolver.shared(options.ip_version),
            timeout=min(options.connect_timeout, options.max_time),
            clock=clock,
        )
        self._lookups.start(self._on_result)
        self._results: deque[HostAddresses] = deque()
        self._deferred: dict[str, list[DeferredHop]] = {}
        self.waiting = 0
        """Number of hops that wait."""

    def defer(self, host: str, transfer: Transfer, hop: HopRequest, since: float) -> None:
        """Make the hop wait for a name; `ready()` returns the hop when the wait is over."""
        deferred = self._deferred.get(host)
        if deferred is None:
            self._deferred[host] = deferred = []
            self._lookups.start_lookup(host)
        deferred.append(DeferredHop(transfer, hop, since))
        self.waiting += 1

    def transfers(self) -> list[Transfer]:
        """Return the transfers whose hop waits."""
        return [each.transfer for deferred in self._deferred.values() for each in deferred]

    def ready(self, now: float) -> list[tuple[DeferredHop, Failure | None]]:
        """Remove and return the hops that no longer wait, each with the reason if its lookup failed."""
        ready: list[tuple[DeferredHop, Failure | None]] = []
        while self._results:
            result = self._results.popleft()
            if self._lookups.finish(result):
                self._release(result, ready)
        for result in self._lookups.expire(now):
            self._release(result, ready)
        for host, deferred in list(self._deferred.items()):
            for each in [each for each in deferred if now - each.since >= each.hop.max_time]:
                deferred.remove(each)  # the hop's deadline is over; the lookup continues for other hops
                message = f"no address for {host} after {each.hop.max_time:.3g} s"
                ready.append((each, Failure(FailureKind.TIMEOUT_DNS, message)))
        self.waiting -= len(ready)
        return ready

    def _on_result(self, result: HostAddresses) -> None:
        self._results.append(result)
        self._wakeup.notify()

    def _release(self, result: HostAddresses, ready: list[tuple[DeferredHop, Failure | None]]) -> None:
        failure = None
        if result.failure is not None:
            failure = self._hop_names.failure(result.host, result.failure, result.message)
        ready += [(each, failure) for each in self._deferred.pop(result.host, ())]
