"""The stage before the workers: a host's name is looked up once, and no worker waits for it.

In: host names, as the scheduler comes to them. Out: a `HostAddresses` for each, by way of `tell`: its
addresses, or why it has none. A dead name server holds up its own hosts and nobody else's, and ten
thousand URLs of one host ask once (faults 6 and 33). A name server that can't say is asked again while there
is time: it may be back in a moment, and nobody's attempt is used up (fault 63).
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
    """What came of one name."""

    host: str
    addresses: tuple[str, ...] = ()
    """Empty for an address, which needs none, and after a failure."""
    failure: FailureKind | None = None
    """`dns` or `timeout_dns`."""
    message: str = ""
    until: float = FOREVER
    """When it is to be asked again, on the caller's clock."""
    seconds: float = 0.0
    """How long it took."""
    passing: bool = False
    """The name server could not say; it may in a moment."""


class Asked:
    """A host that somebody waits for."""

    __slots__ = ("asked", "lookup", "since", "then", "times")

    def __init__(self, asked: float) -> None:
        self.asked = self.since = asked
        """When that was: for the first time, and the last."""
        self.times = 0
        """The name server could not say."""
        self.lookup: PendingLookup | None = None
        """None: it needs none, or waits until it is made again."""
        self.then: Callable[[PendingLookup], None] | None = None
        """What the resolver has to be told to forget, should it take too long."""


class HostLookups:
    """Asks the resolver, and gives up when it does not answer in time."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        timeout: float,
        fixed: Mapping[str, tuple[str, ...]] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`timeout`: seconds a lookup may take, from when somebody takes it up. `fixed`: hosts that need
        none."""
        self._resolver = resolver
        self._timeout = timeout
        self._clock = clock
        self._fixed = fixed or {}
        self._asked: dict[str, Asked] = {}
        """By host, the first asked first."""
        self._again: list[tuple[float, int, str, Asked]] = []
        """A heap: when hosts are to be asked for again, which are not among those asked meanwhile."""
        self._pauses = 0

    def start(self, tell: Callable[[HostAddresses], None]) -> None:
        """`tell` is called, from any thread, once for each lookup that `overdue()` does not give up."""
        self._tell = tell

    @property
    def busy(self) -> bool:
        """So many are being looked up that another one would only wait."""
        return len(self._asked) >= self._resolver.most_threads

    def ask(self, host: str) -> None:
        """Begins a lookup; a host that is an address is answered at once."""
        self._asked[host] = asked = Asked(self._clock())
        fixed = self._fixed.get(host)
        if fixed is not None or urls.is_address(host):
            self._tell(HostAddresses(host, fixed or ()))
            return
        self._look_up(host, asked)

    def heard(self, named: HostAddresses) -> bool:
        """Whether this is what was waited for. A name server that could not say is asked again first."""
        asked = self._asked.pop(named.host, None)
        if asked is None:
            return False
        asked.lookup = asked.then = None
        if named.passing and asked.times < len(RETRY_DELAYS):
            again = named.until + RETRY_DELAYS[asked.times]
            if again < asked.asked + self._timeout:
                asked.times += 1
                self._pauses += 1
                heappush(self._again, (again, self._pauses, named.host, asked))
                return False
        return True

    def overdue(self, now: float) -> list[HostAddresses]:
        """The hosts whose lookup has taken too long, given up. Those whose pause is over are asked for
        again."""
        while self._again and self._again[0][0] <= now:
            _, _, host, asked = heappop(self._again)
            self._asked[host] = asked
            self._look_up(host, asked)
        late = []
        for host, asked in self._asked.items():
            if asked.lookup is None:
                continue  # it needed none, and has its answer
            if asked.lookup.begun is None:
                self._resolver.hurry()
                break  # so are those behind it
            if max(asked.since, asked.lookup.begun) + self._timeout > now:
                break
            late.append(host)
        for host in late:
            asked = self._asked.pop(host)
            assert asked.lookup is not None
            assert asked.then is not None
            self._resolver.cancel(host, asked.lookup, asked.then)
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
        """When `overdue()` will have something to do."""
        again = self._again[0][0] if self._again else None
        for asked in self._asked.values():
            if asked.lookup is not None:
                begun = asked.lookup.begun
                late_at = self._clock() + STUCK if begun is None else max(asked.since, begun) + self._timeout
                return late_at if again is None else min(again, late_at)
        return again

    def _look_up(self, host: str, asked: Asked) -> None:
        asked.since = self._clock()
        asked.then = partial(self._answered, host, asked.since)
        asked.lookup = self._resolver.resolve_async(host, asked.then)

    def _answered(self, host: str, asked: float, found: PendingLookup) -> None:
        now = self._clock()
        seconds = now - max(asked, found.begun or asked)
        if found.error:
            self._tell(HostAddresses(host, (), found.kind, found.error, now, seconds, found.passing))
        else:
            self._tell(HostAddresses(host, found.ips, until=now + TTL, seconds=seconds))
