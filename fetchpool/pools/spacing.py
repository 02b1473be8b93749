"""StartSpacer: enforces the minimum time between two starts at a spaced host, where the requests start. Pure.
In: requests that could start now. Out: the same requests, each no sooner than its spacing after the last
start at its host. The scheduler spaces requests as well, but each then waits for messages and a free place
for a different time, so that requests that were scheduled a second apart could start together.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from heapq import heappop, heappush

from fetchpool.model.request import FetchRequest

REMEMBERED = 10_000
"""Number of hosts whose last start is remembered; more if it still matters."""


class StartSpacer:
    """Holds back requests that may not start yet."""

    def __init__(self) -> None:
        self._last: OrderedDict[str, float] = OrderedDict()
        """The last start by host, the oldest first."""
        self._longest = 0.0
        """The longest spacing so far."""
        self._held: dict[str, deque[FetchRequest]] = {}
        self._due: list[tuple[float, str]] = []
        """A heap of the hosts that hold requests, by the time at which the next of them may start."""

    def __bool__(self) -> bool:
        return bool(self._held)

    @property
    def next_due(self) -> float | None:
        """When the next request may start; None if none is held."""
        return self._due[0][0] if self._due else None

    def hold_host(self, host: str, now: float) -> None:
        """Record that another station may have started a request until now."""
        self._last[host] = now
        self._last.move_to_end(host)

    def start(self, request: FetchRequest, now: float) -> bool:
        """Return whether a request may start now, and record its start; if not, hold it back."""
        host = request.host
        if host not in self._held:
            last = self._last.get(host)
            if last is None or now - last >= request.spacing:
                self._started(request, now)
                return True
            self._held[host] = deque()
            heappush(self._due, (last + request.spacing, host))
        self._held[host].append(request)
        return False

    def take(self, now: float) -> FetchRequest | None:
        """Remove and return a request that may start now, and record its start."""
        while self._due and self._due[0][0] <= now:
            _, host = heappop(self._due)
            if (held := self._held.get(host)) is None:
                continue  # all of them were returned
            due = self._last.get(host, 0.0) + held[0].spacing
            if due > now:  # others were returned, and more have arrived since
                heappush(self._due, (due, host))
                continue
            request = held.popleft()
            if held:
                heappush(self._due, (now + held[0].spacing, host))
            else:
                del self._held[host]
            self._started(request, now)
            return request
        return None

    def remove(self, host: str | None) -> list[FetchRequest]:
        """Remove and return the held requests for a host; without a host, all held requests."""
        hosts = list(self._held) if host is None else [host] if host in self._held else []
        return [request for each in hosts for request in self._held.pop(each)]

    def _started(self, request: FetchRequest, now: float) -> None:
        last = self._last
        last[request.host] = now
        last.move_to_end(request.host)
        self._longest = max(self._longest, request.spacing)
        while len(last) > REMEMBERED and now - last[next(iter(last))] >= self._longest:
            last.popitem(last=False)
