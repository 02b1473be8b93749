"""What the engine does before a host's first request, as far as a server doesn't show it."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from fetchpool.config.configure import configure
from fetchpool.engine.build import build
from fetchpool.engine.preflight import Preflight
from fetchpool.model import urls
from fetchpool.scheduler.robots import RobotsCache
from fetchpool.scheduler.scheduler import Scheduler
from tests import factories


def test_a_request_carries_the_crawl_delay_of_its_host(tmp_path: Path) -> None:
    """Workers elsewhere measure it again from the actual start."""
    engine = build(configure(["http://a.example/"], outputs=[str(tmp_path / "rows.txt")]))
    engine.close()
    scheduler, results = Scheduler(host_delay=0.5), engine._in_flight
    preflight = Preflight(scheduler, None, RobotsCache("x"), results)
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
