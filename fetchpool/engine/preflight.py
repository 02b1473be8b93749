"""Preflight: resolves a host and fetches its `robots.txt` before its first request.

In: hosts and requests from the scheduler. Out: resolved hosts for the scheduler, requests for `robots.txt`
instead of others, and rejected requests. `transports/dns.py` runs the lookups, `scheduler/robots.py` reads
the rules. Only the engine's thread calls it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.model.derive import spaced
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.scheduler import Scheduler
from fetchpool.transports.dns import HostAddresses, HostLookups

if TYPE_CHECKING:  # loaded only if needed
    from fetchpool.engine.crawl import Crawl
    from fetchpool.scheduler.robots import RobotsCache


class Preflight:
    """Resolves DNS and fetches robots.txt before a host's first request; both are optional."""

    def __init__(
        self,
        scheduler: Scheduler,
        lookups: HostLookups | None,
        robots: RobotsCache | None,
        in_flight: InFlightRequests,
        crawl: Crawl | None = None,
    ) -> None:
        """`crawl`: reads the sitemaps listed in `robots.txt` files."""
        self._crawl = crawl
        self._scheduler = scheduler
        self._lookups = lookups
        self._robots = robots
        self._in_flight = in_flight
        self._last_urlnum = 0
        """The urlnum of the latest `robots.txt` request; these count down."""

    def update(self, now: float) -> None:
        """Apply received `robots.txt` files, start DNS lookups for hosts that wait in the scheduler, up to
        the concurrency limit, and end lookups that take too long."""
        results = self._in_flight.internal_results
        while results:
            self._on_robots_done(*results.popleft(), now)
        if self._lookups is None:
            return
        unresolved = self._scheduler.to_resolve
        while unresolved and not self._lookups.busy:
            self._lookups.start_lookup(unresolved.popleft())
        for result in self._lookups.expire(now):
            self._apply_lookup(result, now)

    def on_lookup_done(self, result: HostAddresses, now: float) -> None:
        """Handle the result of a DNS lookup."""
        if self._lookups is not None and self._lookups.finish(result):
            self._apply_lookup(result, now)

    def next_wakeup(self) -> float | None:
        """Return the earliest time at which `update()` has work without a new result."""
        return None if self._lookups is None else self._lookups.next_wakeup()

    def admit(self, request: FetchRequest, now: float) -> FetchRequest | None:
        """Return the request to submit for a `request` from the scheduler: the same one, or the request for
        the `robots.txt` that must come first. None if robots.txt disallows the URL, which then gets its
        row."""
        if self._robots is None or request.urlnum < 0:
            return request
        rules = self._robots.rules_for(request, now)
        if rules is None:
            self._last_urlnum -= 1
            self._scheduler.hold_host(request, now)
            return self._robots.request_for(request, self._last_urlnum)
        if rules.crawl_delay:
            self._scheduler.delay_host(request.host, rules.crawl_delay, now)
            request = spaced(request, max(request.spacing, rules.crawl_delay))
        if self._robots.allows(rules, request):
            return request
        self._scheduler.complete(request, now, now, None)
        self._in_flight.reject(request, rules.kind, now, rules.refusal)
        return None

    def _on_robots_done(self, request: FetchRequest, outcome: Outcome, now: float) -> None:
        """Handle the final outcome of a `robots.txt` request."""
        assert self._robots is not None
        first = request.first or request
        rules = self._robots.add(first, outcome, now)
        if self._crawl is not None:
            self._crawl.read_robots(first, outcome)
        forbidden: list[FetchRequest] = []
        if rules.forbids_all:
            # Rejected now: by the time they could start, the rules may have expired.
            forbidden = self._scheduler.remove_queued(first.host, partial(self._robots.applies_to, first))
        self._scheduler.resume_host(first.host, now)
        for each in forbidden:
            self._in_flight.reject(each, rules.kind, now, rules.refusal)

    def _apply_lookup(self, result: HostAddresses, now: float) -> None:
        """Let the host's requests start at its addresses, or reject them if it has none."""
        if result.failure is None:
            self._scheduler.host_resolved(result.host, now, result.until, result.addresses, result.seconds)
            return
        for request in self._scheduler.host_failed(result.host, now):
            self._in_flight.reject(request, result.failure, now, result.message)
