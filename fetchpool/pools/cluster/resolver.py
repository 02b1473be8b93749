"""The resolver of a run on a cluster: has stations look up names, since results depend on their network.

In: host names. Out: the lookups of `transports/lookup.py`. Several hosts are looked up at once, each at the
station that fetches from it. Nothing is cached here: the engine looks a host up once a minute, and stations
have a cache.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from fetchpool.model.failures import FailureKind
from fetchpool.pools.cluster.messages import Lookup
from fetchpool.transports.lookup import PendingLookup

KINDS: dict[str, FailureKind] = {kind.value: kind for kind in (FailureKind.DNS, FailureKind.TIMEOUT_DNS)}
MOST_LOOKUPS = 2_000
"""Maximum number of concurrent lookups, over all stations."""


class ClusterResolver:
    """The engine's interface of a resolver, backed by the stations of a pool."""

    most_threads = MOST_LOOKUPS

    def __init__(self, ask: Callable[[str], None]) -> None:
        """`ask` starts the lookup of a name; the pool calls `finish()` with the result."""
        self._ask = ask
        self._lock = threading.Lock()
        self._pending: dict[str, PendingLookup] = {}
        self.asked: list[str] = []
        """Names that have not been sent to a station. Only the thread that runs the pool's loop uses it."""

    def resolve_async(self, host: str, callback: Callable[[PendingLookup], None]) -> PendingLookup:
        """Look up a name, and call `callback` with the finished lookup, in any thread."""
        with self._lock:
            found = self._pending.get(host)
            is_new = found is None
            if found is None:
                found = self._pending[host] = PendingLookup()
            found.callbacks.append(callback)
        if is_new:
            self._ask(host)
        return found

    def cancel(self, host: str, found: PendingLookup, callback: Callable[[PendingLookup], None]) -> None:
        """Cancel a pending lookup (no effect if it has completed)."""
        with self._lock:
            if callback in found.callbacks:
                found.callbacks.remove(callback)
            if not found.callbacks and self._pending.get(host) is found:
                del self._pending[host]

    def hurry(self) -> None:
        """Do nothing: the stations make sure that lookups start."""

    def begin(self, host: str) -> None:
        """Start the timeout of a name: a station looks it up from now on."""
        with self._lock:
            if (found := self._pending.get(host)) is not None:
                found.begun = monotonic()

    def finish(self, lookup: Lookup) -> None:
        """Complete the lookup of a name."""
        with self._lock:
            found = self._pending.pop(lookup.host, None)
            if found is None:
                return
            callbacks, found.callbacks = found.callbacks, []
        if lookup.error:
            found.error = lookup.error
            found.kind = KINDS[lookup.kind]
        found.addresses = tuple(lookup.addresses)
        found.ips = tuple(f"[{ip}]" if ":" in ip else ip for _, ip, _ in found.addresses)
        found.done.set()
        for callback in callbacks:
            callback(found)
