"""The rows of a crawl depend on nothing but the site (T40)."""

from __future__ import annotations

import random

import pytest

from tests.crawl.crawling import crawl
from tests.crawl.server import Answer, Request, SiteServer
from tests.crawl.synthetic import SyntheticSite


@pytest.mark.parametrize(
    ("executor", "workers"),
    [
        ("async", 1),
        ("async", 10),
        ("async", 200),
        ("thread", 1),
        ("thread", 10),
        ("thread", 200),
        ("process", 1),
        ("process", 10),
        ("process", 200),
    ],
)
def test_t40_the_rows_are_the_same_with_every_executor_and_number_of_workers(
    executor: str, workers: int
) -> None:
    """Results of other crawlers differ from run to run."""
    synthetic = SyntheticSite(120, planted=True)
    order = random.Random(workers)

    def site(request: Request) -> Answer:
        return synthetic(request)._replace(delay=0.0 if workers == 1 else order.choice([0, 0, 0.001, 0.01]))

    # Two processes, so that one has links that the other has found, and few seconds to start them.
    processes = {"processes": 2} if executor == "process" and workers > 1 else {}
    with SiteServer(site) as server:
        found = crawl(server, executor=executor, workers=workers, **processes)
        truth = synthetic.truth()
        assert {target: row.response_code for target, row in found.items()} == {
            target: expected.status for target, expected in truth.items()
        }
        assert server.asked() == truth.keys()
        assert set(server.requests.values()) == {1}
