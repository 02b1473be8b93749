"""A crawl of real documentation finds what its files say: the oracle reads them with other libraries."""

from __future__ import annotations

from functools import cache

import pytest

import fetchpool
from tests.crawl.oracle import Closure, closure
from tests.real.conftest import DOCUMENTATION, Nginx


@cache
def truth_below(start: str) -> Closure:
    prefix = start.removesuffix("index.html")
    return closure(DOCUMENTATION, start, inside=lambda target: target.startswith(prefix))


# `python -m bench.crawl.documentation` crawls all of it, and compares with other programs.
@pytest.mark.parametrize("gzip", [False, True], ids=["plain", "gzip"])
def test_a_crawl_finds_every_page_and_every_dead_link_of_the_documentation(nginx: Nginx, gzip: bool) -> None:
    (start,) = (path for path, _ in nginx.pages if path.endswith("/html/c-api/index.html"))
    truth = truth_below(start)
    base = nginx.url("", gzip=gzip)

    found = fetchpool.fetch([base + start], recursive=True, scope="prefix", executor="async", per_host=0)
    assert {row.url.removeprefix(base): row.response_code for row in found} == truth.statuses
    assert len(truth.statuses) > 50
