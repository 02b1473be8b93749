"""Preflight: resolves a host and fetches its `robots.txt` before its first request.

In: the hosts that the scheduler comes to, and the requests it hands out. Out: word to the scheduler when
a host is known, requests for `robots.txt` in place of others, and those requests that may not be made.
Policy and bookkeeping only; the lookups are `names.py`'s, the reading of rules `robots.py`'s. Only the
engine's thread calls it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.transports.dns import HostAddresses, HostLookups

if TYPE_CHECKING:  # loaded by those who use it
    from fetchpool.scheduler.robots import RobotsCache


class Preflight:
    """Resolves DNS and fetches robots.txt before a host's first request; both are optional."""

    def __init__(
        self,
        scheduler: Scheduler,
        names: HostLookups | None,
        robots: RobotsCache | None,
        flights: InFlightRequests,
    ) -> None:
        self._scheduler = scheduler
        self._names = names
        self._robots = robots
        self._flights = flights
        self._asked = 0
        """`robots.txt` requests; their urlnums are negative."""

    def open(self, now: float) -> None:
        """Start DNS lookups for hosts that wait in the scheduler, up to the concurrency limit."""
        if self._names is None:
            return
        asked = self._scheduler.asked
        while asked and not self._names.busy:
            self._names.ask(asked.popleft())
        for named in self._names.overdue(now):
            self._introduce(named, now)

    def heard(self, named: HostAddresses, now: float) -> None:
        """A name was looked up."""
        if self._names is not None and self._names.heard(named):
            self._introduce(named, now)

    def next_wakeup(self) -> float | None:
        """When `open()` has something to do by itself."""
        return None if self._names is None else self._names.next_wakeup()

    def admit(self, request: FetchRequest, now: float) -> FetchRequest | None:
        """What may be made when the scheduler has handed out that request: itself; the one for the
        `robots.txt` that it has to wait for, in its place; or none, since it was refused."""
        if self._robots is None or request.urlnum < 0:
            return request
        rules = self._robots.rules_for(request, now)
        if rules is None:
            self._asked += 1
            self._scheduler.start_instead(request)
            return self._robots.request_for(request, -self._asked)
        if rules.crawl_delay:
            self._scheduler.delay(request.host, rules.crawl_delay, now)
        if self._robots.allows(rules, request):
            return request
        self._scheduler.finished(request, now, now, None)
        self._flights.refuse(request, rules.kind, now, rules.refusal)
        return None

    def learn(self, request: FetchRequest, outcome: Outcome, now: float) -> None:
        """What came of one of our requests, after all its hops and attempts."""
        assert self._robots is not None
        asked = request.first or request
        rules = self._robots.learn(asked, outcome, now)
        refused: list[FetchRequest] = []
        if rules.forbids_all:
            # What waits is not asked about again, however late its turn would be.
            refused = self._scheduler.withdraw(asked.host, partial(self._robots.speaks_of, asked))
        self._scheduler.resume(asked.host, now)
        for each in refused:
            self._flights.refuse(each, rules.kind, now, rules.refusal)

    def _introduce(self, named: HostAddresses, now: float) -> None:
        """A host's addresses are known, or it has none."""
        if named.failure is None:
            self._scheduler.known(named.host, now, named.until, named.addresses, named.seconds)
            return
        for request in self._scheduler.unknown(named.host, now):
            self._flights.refuse(request, named.failure, now, named.message)
