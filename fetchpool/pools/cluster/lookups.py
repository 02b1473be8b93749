"""DNS lookups at a station, for the driver: the station that connects to a host also resolves it.

In: host names. Out: the results, in order of completion, for the next report.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.cluster.messages import Lookup
from fetchpool.transports import resolver
from fetchpool.transports.lookup import PendingLookup


class StationLookups:
    """Runs lookups in the resolver of the worker's process."""

    def __init__(self, options: FetchOptions) -> None:
        self._resolver = resolver.shared(options.ip_version)
        self._results: deque[Lookup] = deque()

    def start(self, host: str, notify: Callable[[], object]) -> None:
        """Look up a name, and call `notify`, from any thread, when its result is available."""

        def on_done(found: PendingLookup) -> None:
            addresses = list(found.addresses)
            self._results.append(
                Lookup(host, addresses, found.error, found.kind.value if found.error else "")
            )
            notify()

        self._resolver.resolve_async(host, on_done)
        self._resolver.hurry()

    @property
    def has_results(self) -> bool:
        """Whether results wait for the next report."""
        return bool(self._results)

    def take(self) -> list[Lookup]:
        """Remove and return the results."""
        results: list[Lookup] = []
        while self._results:
            results.append(self._results.popleft())
        return results
