"""The stage before the workers: a host's name is looked up once, and no worker waits for it.

In: host names, as the scheduler comes to them. Out: a `Named` for each, by way of `tell`: its
addresses, or why it has none. A dead name server holds up its own hosts and nobody else's, and ten
thousand URLs of one host ask once (faults 6 and 33).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic

from msgspec import Struct

from fetchpool import urls
from fetchpool.model import FailureKind
from fetchpool.resolver import THREADS, Lookup, Resolver

KNOWN_FOR = 60.0
"""Seconds until a host that is still being fetched from is looked up again."""
MOST_AT_ONCE = 2 * THREADS
"""Lookups under way: the resolver's threads, and as many to be next."""
FOREVER = float("inf")


class Named(Struct, frozen=True):
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


class Names:
    """Asks the resolver, and gives up when it does not answer in time."""

    def __init__(
        self,
        resolver: Resolver,
        *,
        timeout: float,
        fixed: Mapping[str, tuple[str, ...]] | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        """`timeout`: seconds a lookup may take. `fixed`: hosts that need none."""
        self._resolver = resolver
        self._timeout = timeout
        self._clock = clock
        self._fixed = fixed or {}
        self._asked: dict[str, float] = {}
        """When, by host, the first asked first."""
        self._lookups: dict[str, tuple[Lookup, Callable[[Lookup], None]]] = {}
        """What the resolver has to be told to forget, should it take too long."""

    def start(self, tell: Callable[[Named], None]) -> None:
        """`tell` is called, from any thread, once for each `ask()` that `overdue()` does not answer."""
        self._tell = tell

    @property
    def busy(self) -> bool:
        """So many are being looked up that another one would only wait, with its time running."""
        return len(self._asked) >= MOST_AT_ONCE

    def ask(self, host: str) -> None:
        """Begins a lookup; a host that is an address is answered at once."""
        now = self._clock()
        self._asked[host] = now
        fixed = self._fixed.get(host)
        if fixed is not None or urls.is_address(host):
            self._tell(Named(host, fixed or ()))
            return
        then = partial(self._answered, host, now)
        self._lookups[host] = (self._resolver.look_up(host, then), then)

    def heard(self, named: Named) -> bool:
        """Whether this answer is still waited for."""
        self._lookups.pop(named.host, None)
        return self._asked.pop(named.host, None) is not None

    def overdue(self, now: float) -> list[Named]:
        """The hosts whose lookup has taken too long, given up."""
        late = []
        for host, asked in self._asked.items():
            if asked + self._timeout > now:
                break
            late.append(host)
        for host in late:
            del self._asked[host]
            if host in self._lookups:
                self._resolver.give_up(host, *self._lookups.pop(host))
        message = f"no address after {self._timeout:g} s"
        return [Named(host, (), FailureKind.TIMEOUT_DNS, message, now, self._timeout) for host in late]

    def wake_at(self) -> float | None:
        """When a lookup will have taken too long."""
        for asked in self._asked.values():
            return asked + self._timeout
        return None

    def _answered(self, host: str, asked: float, found: Lookup) -> None:
        now = self._clock()
        if found.error:
            self._tell(Named(host, (), found.kind, found.error, now, now - asked))
        else:
            ips = tuple(f"[{ip}]" if ":" in ip else ip for _, ip, _ in found.addresses)
            self._tell(Named(host, ips, until=now + KNOWN_FOR, seconds=now - asked))
