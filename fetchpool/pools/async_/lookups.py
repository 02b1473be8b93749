"""Hops of the async pool that wait until a name was looked up: the pool's one thread must not.

In: hops that lack an address. Out: each again, once there is one, or with why there is none. Everything runs
in the pool's thread, but for the resolver's answers, which ring the bell.
"""

from __future__ import annotations

from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.failures import FailureKind
from fetchpool.pools.async_.wakeup import Wakeup
from fetchpool.transports import resolver
from fetchpool.transports.base import Failure, HopRequest
from fetchpool.transports.curl.lookups import HopNames
from fetchpool.transports.dns import HostAddresses, HostLookups

if TYPE_CHECKING:
    from fetchpool.pools.async_.loop import Transfer


class Naming:
    """Who waits for which name."""

    def __init__(self, options: FetchOptions, bell: Wakeup) -> None:
        self._bell = bell
        self._hop_names = HopNames(options, resolver.shared())
        self._names = HostLookups(
            resolver.shared(), timeout=min(options.connect_timeout, options.max_time), clock=monotonic
        )
        self._names.start(self._tell)
        self._told: deque[HostAddresses] = deque()
        self._waiting: dict[str, list[tuple[Transfer, HopRequest, float]]] = {}
        self.waiting = 0
        """How many hops wait."""

    @property
    def proxy_addresses(self) -> tuple[str, ...]:
        """Where the proxy is."""
        return self._hop_names.proxy_addresses

    def holds(self, flight: Transfer, hop: HopRequest, since: float) -> bool:
        """Whether the hop has to wait; then `ready()` gives it back."""
        host = self._hop_names.missing(hop)
        if not host:
            return False
        waiting = self._waiting.get(host)
        if waiting is None:
            self._waiting[host] = waiting = []
            self._names.ask(host)
        waiting.append((flight, hop, since))
        self.waiting += 1
        return True

    def flights(self) -> list[Transfer]:
        """Those that wait."""
        return [flight for waiting in self._waiting.values() for flight, _, _ in waiting]

    def ready(self, now: float) -> list[tuple[Transfer, HopRequest, Failure | None, float]]:
        """The hops that wait no longer, each with why it can't be made, and since when it waited."""
        ready: list[tuple[Transfer, HopRequest, Failure | None, float]] = []
        while self._told:
            named = self._told.popleft()
            if self._names.heard(named):
                self._release(named, ready)
        for named in self._names.overdue(now):
            self._release(named, ready)
        for host, waiting in list(self._waiting.items()):
            if late := [each for each in waiting if now - each[2] >= each[1].max_time]:
                self._end(host, waiting, late, ready)
        self.waiting -= len(ready)
        return ready

    def _tell(self, named: HostAddresses) -> None:
        self._told.append(named)
        self._bell.notify()

    def _release(
        self, named: HostAddresses, ready: list[tuple[Transfer, HopRequest, Failure | None, float]]
    ) -> None:
        failure = None
        if named.failure is not None:
            failure = self._hop_names.failure(named.host, named.failure, named.message)
        for flight, hop, since in self._waiting.pop(named.host, ()):
            ready.append((flight, hop, failure, since))

    def _end(
        self,
        host: str,
        waiting: list[tuple[Transfer, HopRequest, float]],
        late: list[tuple[Transfer, HopRequest, float]],
        ready: list[tuple[Transfer, HopRequest, Failure | None, float]],
    ) -> None:
        """Those whose deadline has come; the name goes on being looked up."""
        for each in late:
            waiting.remove(each)
            flight, hop, since = each
            message = f"no address for {host} after {hop.max_time:.3g} s"
            ready.append((flight, hop, Failure(FailureKind.TIMEOUT_DNS, message), since))
