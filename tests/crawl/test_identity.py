"""When two URLs are one, and canonical links (T25 and T26)."""

from __future__ import annotations

import pytest

from tests.crawl.crawling import crawl
from tests.crawl.server import Answer, Request, SiteServer, page

DISTINCT = [
    "/A",
    "/a",
    "/x",
    "/x/",
    "/q?b&a",
    "/q?a&b",
    "/q",
    "/q?",
    "/%7e",
    "/~",
    "/a%2Fb",
    "/a/b",
    "/index.html",
]
SAME = {
    "/x#1": "/x",
    "/x#2": "/x",
    "/x#": "/x",
    "/y/../x": "/x",
    "/%2e/x": "/x",
    "/x/.": "/x/",
    "\\x": "/x",
    " /x\n": "/x",
    "/\tx": "/x",
    "/&#120;": "/x",
    "/ü": "/%C3%BC",
    "/%C3%BC": "/%C3%BC",
    "/a b": "/a%20b",
}


def test_t25_urls_are_distinct_or_the_same_exactly_as_the_url_standard_says() -> None:
    """Crawlers that fold case, slashes or queries lose pages; those that keep fragments fetch them twice."""
    links = [*DISTINCT, *SAME]
    with SiteServer(lambda request: page(*links) if request.target == "/" else page()) as server:
        found = crawl(server)
        assert found.keys() == {"/", *DISTINCT, *SAME.values()}
        assert server.asked() == found.keys()
        assert set(server.requests.values()) == {1}
        assert not any("#" in target for target in server.requests)


def test_t25_names_of_one_host_are_one_host_and_default_ports_are_none() -> None:
    def site(request: Request) -> Answer:
        return page(f"http://{request.host}", f"HTTP://{request.host}/", f"//127.1:{request.host[10:]}/")

    with SiteServer(site) as server:
        assert crawl(server).keys() == {"/"}


@pytest.mark.parametrize("canonical", ["/page/", "other?time={count}", "//{host}/x"])
def test_t26_a_canonical_link_is_recorded_and_neither_followed_nor_merged(canonical: str) -> None:
    """Crawlers that take the canonical URL for the page's merge pages, or never end if it has a time."""
    count = 0

    def site(request: Request) -> Answer:
        nonlocal count
        count += 1
        href = canonical.format(count=count, host=request.host)
        return Answer(f"<link rel=canonical href='{href}'><a href=/page>x</a>".encode())

    with SiteServer(site) as server:
        found = crawl(server)
        assert found.keys() == {"/", "/page"}
        expected = {"/page/": "/page/", "other?time={count}": "/other?time=", "//{host}/x": "/x"}[canonical]
        assert all(row.extra["canonical"].startswith(server.url(expected)) for row in found.values())
