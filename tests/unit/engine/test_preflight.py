"""What the engine does before a host's first request, as far as a server doesn't show it."""

from __future__ import annotations

from collections import deque
from typing import cast

from msgspec.structs import replace

from fetchpool.engine.in_flight import InFlightRequests
from fetchpool.engine.preflight import Preflight
from fetchpool.model import urls
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.robots import RobotsCache
from fetchpool.scheduler.scheduler import Scheduler
from tests import factories


class Results:
    """The only part of the requests in flight that is needed."""

    def __init__(self) -> None:
        self.internal_results: deque[tuple[FetchRequest, Outcome]] = deque()


def test_a_request_carries_the_crawl_delay_of_its_host() -> None:
    """Workers elsewhere measure it again from the actual start."""
    scheduler, results = Scheduler(host_delay=0.5), Results()
    preflight = Preflight(scheduler, None, RobotsCache("x"), cast(InFlightRequests, results))
    scheduler.enqueue(urls.request(0, "http://a.example/"), 0.0)
    first = scheduler.next_request(0.0)
    assert first is not None
    robots = preflight.admit(first, 0.0)
    assert robots is not None
    assert (robots.href, robots.spacing) == ("http://a.example/robots.txt", 0.5)
    scheduler.complete(robots, 0.1, 0.0, None)
    text = b"User-agent: *\nCrawl-delay: 3\n"
    results.internal_results.append((robots, replace(factories.outcome(robots), content=text)))
    preflight.update(0.1)
    again = scheduler.next_request(0.5)
    assert again is not None
    assert again.spacing == 0.5
    admitted = preflight.admit(again, 0.5)
    assert admitted is not None
    assert (admitted.href, admitted.spacing) == ("http://a.example/", 3.0)
