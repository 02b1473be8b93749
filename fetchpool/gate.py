"""What must be known of a host before its requests start: its addresses, and its `robots.txt`.

In: the hosts that the scheduler comes to, and the requests it hands out. Out: word to the scheduler when
a host is known, requests for `robots.txt`, and those requests that may not be made. Policy and
bookkeeping only; the lookups are `names.py`'s, the reading of rules `robots.py`'s. Only the engine's
thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.model import FailureKind, FetchRequest, Outcome
from fetchpool.names import Named, Names
from fetchpool.retry import RetryPolicy
from fetchpool.scheduler import Scheduler

if TYPE_CHECKING:  # protego is loaded by those who use it
    from fetchpool.robots import Robots

Refuse = Callable[[FetchRequest, FailureKind, float, str], None]
"""Ends a request that no worker gets: with a kind, at a time, in words."""


class Gate:
    """Either part may be missing: names are a proxy's to look up, and robots are asked on request."""

    def __init__(
        self,
        scheduler: Scheduler,
        names: Names | None,
        robots: Robots | None,
        retry: RetryPolicy,
        *,
        submit: Callable[[FetchRequest, float], None],
        refuse: Refuse,
    ) -> None:
        self._scheduler = scheduler
        self._names = names
        self._robots = robots
        self._retry = retry
        self._submit = submit
        self._refuse = refuse
        self._asked = 0
        """`robots.txt` requests; their urlnums are negative."""
        self._again: list[tuple[float, FetchRequest]] = []
        """`robots.txt` requests to be made again, and when."""

    def open(self, now: float) -> None:
        """Asks for the hosts that the scheduler has come to, as many as are answered at once."""
        if self._names is None:
            return
        asked = self._scheduler.asked
        while asked and not self._names.busy:
            self._names.ask(asked.popleft())
        for named in self._names.overdue(now):
            self._introduce(named, now)

    def heard(self, named: Named, now: float) -> None:
        """A name was looked up."""
        if self._names is not None and self._names.heard(named):
            self._introduce(named, now)

    def wake_at(self) -> float | None:
        """When `open()` or `ask_again()` has something to do by itself."""
        times = [at for at, _ in self._again]
        if self._names is not None and (late_at := self._names.wake_at()) is not None:
            times.append(late_at)
        return min(times) if times else None

    def lets_through(self, request: FetchRequest, now: float) -> bool:
        """Whether a request that the scheduler has handed out may be made. False: it was refused, or
        goes back until its `robots.txt` is there."""
        if self._robots is None:
            return True
        rules = self._robots.rules_for(request, now)
        if rules is None:
            self._scheduler.hold(request)
            self._asked += 1
            self._submit(self._robots.request_for(request, -self._asked), now)
            return False
        if rules.crawl_delay:
            self._scheduler.delay(request.host, rules.crawl_delay, now)
        if self._robots.allows(rules, request):
            return True
        self._scheduler.finished(request, now, now, None)
        self._refuse(request, FailureKind.ROBOTS, now, rules.refusal)
        return False

    def ask_again(self, now: float) -> None:
        """Makes the `robots.txt` requests that are due again."""
        due = [request for at, request in self._again if at <= now]
        if due:
            self._again = [(at, request) for at, request in self._again if at > now]
            for request in due:
                self._submit(request, now)

    def learn(self, request: FetchRequest, outcome: Outcome | None, now: float) -> None:
        """A `robots.txt` has come; without an outcome it is asked for again when it is needed."""
        assert self._robots is not None
        if outcome is not None:
            delay = self._retry.delay(request, outcome, 0.0)
            if delay is not None:
                again = replace(request, num_retries=request.num_retries + 1)
                self._again.append((now + delay, again))
                return
            self._robots.learn(request, outcome, now)
        self._scheduler.resume(request.host, now)

    def _introduce(self, named: Named, now: float) -> None:
        """A host's addresses are known, or it has none."""
        if named.failure is None:
            self._scheduler.known(named.host, now, named.until, named.addresses, named.seconds)
            return
        for request in self._scheduler.unknown(named.host, now):
            self._refuse(request, named.failure, now, named.message)
