"""The engine's part of a crawl: what links lead to, and which rights their requests have."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from msgspec.structs import replace

from fetchpool.crawl.links import LinkExtractor
from fetchpool.crawl.page_links import PageLinks
from fetchpool.engine.crawl import Crawl
from fetchpool.engine.crawl_rights import is_same_site
from fetchpool.engine.stats import Stats
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier import Frontier
from fetchpool.history.frontier_file import FrontierFile
from fetchpool.http.sitemap_links import SitemapLinks
from fetchpool.model import urls
from fetchpool.model.crawl_rules import CrawlRules
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from tests.factories import FINE

START = "http://a.example/"


class Crawled:
    """A crawl, and the lines that the user has seen."""

    def __init__(self, directory: Path, *starts: str, **options: Any) -> None:
        known = DuplicateFilter(claims=True)
        self.frontier = Frontier(FrontierFile(str(directory / "frontier")), known)
        requests = [urls.request(number, start) for number, start in enumerate(starts)]
        rules = CrawlRules(starts=tuple(request.href for request in requests if request.href))
        self.crawl = Crawl(self.frontier, known, rules, requests, **options)
        self.notices: list[str] = []
        self.crawl.connect(lambda: True, self.notices.append)
        self.crawl.begin(Stats(monotonic))

    def take(self) -> list[FetchRequest]:
        return self.frontier.take(100)

    def links(self, request: FetchRequest, *hrefs: str, remote_ip: str = "192.0.2.1", **more: Any) -> None:
        """Let a page have links."""
        links = PageLinks("\n".join(hrefs).encode(), len(hrefs), **more).encode()
        record = replace(FINE, url=request.url, remote_ip=remote_ip)
        self.crawl.take_links(request, Outcome(record, links=links))

    def redirects(self, request: FetchRequest, target: str) -> None:
        """Let a URL redirect."""
        record = replace(FINE, url=request.url, response_code=301, extra={"redirect_url": target})
        self.crawl.take_links(request, Outcome(record))


@pytest.fixture
def crawled(tmp_path: Path) -> Iterator[Crawled]:
    crawled = Crawled(tmp_path, START)
    yield crawled
    crawled.frontier.file.close()


def test_links_are_fetched_once_with_depth_and_page(crawled: Crawled) -> None:
    (start,) = crawled.take()
    crawled.links(start, START, f"{START}x", f"{START}y", body_hash=b"12345678")
    x, y = crawled.take()
    assert (x.href, x.input_columns) == (f"{START}x", {"depth": 1, "found_on": START})
    assert x.discovery is not None
    assert x.discovery.page_hash == b"12345678"
    crawled.links(y, f"{START}x", START)
    assert crawled.take() == []
    assert crawled.frontier.exhausted


def test_very_many_links_are_all_fetched(crawled: Crawled) -> None:
    (start,) = crawled.take()
    hrefs = [f"{START}{number}" for number in range(10_000)]
    crawled.links(start, *hrefs)
    assert [request.href for request in crawled.frontier.take(20_000)] == hrefs


def test_only_the_origins_of_the_user_get_what_the_user_has_given(tmp_path: Path) -> None:
    crawled = Crawled(tmp_path, "http://ann:secret@a.example/", "http://b.example:8080/")
    first, second = crawled.take()
    assert (first.url, first.credentials, first.crossed_origin) == (START, "ann:secret", False)
    assert (second.credentials, second.crossed_origin) == ("", False)
    crawled.links(first, f"{START}x", "https://a.example/", "http://b.example/", "http://c.example/")
    x, upgrade, port, foreign = crawled.take()
    assert (x.credentials, x.crossed_origin) == ("ann:secret", False)
    assert (upgrade.credentials, upgrade.crossed_origin) == ("", False)
    assert port.crossed_origin
    assert foreign.crossed_origin
    assert b"secret" not in (tmp_path / "frontier").read_bytes()


@pytest.mark.parametrize(("address", "from_public"), [("192.0.2.1", False), ("8.8.8.8", True)])
def test_a_public_page_leads_to_no_private_address(crawled: Crawled, address: str, from_public: bool) -> None:
    (start,) = crawled.take()
    assert not start.from_public
    crawled.links(start, f"{START}x", remote_ip=address)
    (x,) = crawled.take()
    assert x.from_public is from_public
    crawled.links(x, f"{START}y", remote_ip="192.0.2.1")
    (y,) = crawled.take()
    assert y.from_public is from_public, "once public, always"


def test_a_redirect_is_a_link_of_the_same_depth(crawled: Crawled) -> None:
    (start,) = crawled.take()
    crawled.links(start, f"{START}old")
    (old,) = crawled.take()
    crawled.redirects(old, f"{START}new")
    (new,) = crawled.take()
    assert new.input_columns == {"depth": 1, "found_on": f"{START}old"}
    assert new.num_redirects == 1
    crawled.redirects(new, "http://other.example/")
    assert crawled.take() == []
    assert crawled.crawl.result.not_followed == {"scope": 1}


def test_redirects_end(crawled: Crawled) -> None:
    requests, count = crawled.take(), 0
    while requests:
        count += 1
        crawled.redirects(requests[0], f"{START}{count}")
        requests = crawled.take()
    assert count == 11
    assert crawled.crawl.result.not_followed == {"too_many": 1}


def test_the_scope_moves_with_the_start(crawled: Crawled) -> None:
    (start,) = crawled.take()
    crawled.redirects(start, "https://www.a.example/home")
    (moved,) = crawled.take()
    assert (moved.href, moved.crossed_origin) == ("https://www.a.example/home", False)
    assert moved.discovery is not None
    assert (moved.discovery.is_start, moved.discovery.moved_to) == (True, moved.href)
    crawled.links(moved, "https://www.a.example/x")
    (x,) = crawled.take()
    assert x.discovery is not None
    assert (x.discovery.is_start, x.discovery.moved_to) == (False, moved.href)


def test_a_start_that_redirects_elsewhere_is_reported(crawled: Crawled) -> None:
    (start,) = crawled.take()
    crawled.redirects(start, "http://other.example/")
    assert crawled.take() == []
    (notice,) = crawled.notices
    assert "redirects to http://other.example/, which is outside the scope" in notice


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("http://a.example/", "https://a.example/x", True),
        ("http://a.example/", "http://www.a.example/", True),
        ("https://www.a.example/", "https://a.example/", True),
        ("http://a.example/", "http://a.example:8080/", False),
        ("http://a.example/", "http://b.example/", False),
        ("http://a.example:8080/", "http://www.a.example:8080/", True),
    ],
)
def test_a_site_is_the_same_with_www_and_another_scheme(before: str, after: str, same: bool) -> None:
    assert is_same_site(before, after) is same


def test_an_invalid_start_has_a_row_although_nothing_else_is_left(tmp_path: Path) -> None:
    crawled = Crawled(tmp_path, "http://[")
    assert not crawled.frontier.exhausted
    (invalid,) = crawled.take()
    assert invalid.error is FailureKind.INVALID_URL
    assert crawled.frontier.exhausted


def test_the_sitemaps_of_robots_are_followed_if_they_are_wanted(tmp_path: Path) -> None:
    content = "\ufeffSITEMAP:  http://a.example/s.xml \r\nsitemap: /t.xml\nUser-agent: *\nSitemap: http://[\n".encode()
    for wanted in (True, False):
        (tmp_path / str(wanted)).mkdir()
        crawled = Crawled(tmp_path / str(wanted), START, reads_sitemaps=wanted)
        (start,) = crawled.take()
        robots = replace(start, urlnum=-1, href=f"{START}robots.txt")
        crawled.crawl.read_robots(robots, Outcome(FINE, content=content))
        found = crawled.take()
        assert [request.href for request in found] == ([f"{START}s.xml", f"{START}t.xml"] if wanted else [])
        if wanted:
            assert found[0].input_columns == {"depth": 0, "found_on": f"{START}robots.txt"}


def test_entries_of_sitemaps_are_one_step_away_however_they_are_nested(tmp_path: Path) -> None:
    crawled = Crawled(tmp_path, START, sitemaps=[f"{START}0.xml"])
    _, sitemap = crawled.take()
    depth = 0
    while True:
        depth += 1
        links = SitemapLinks(f"{START}page{depth}".encode(), f"{START}{depth}.xml".encode()).encode()
        crawled.crawl.take_links(sitemap, Outcome(FINE, links=links))
        page, *rest = crawled.take()
        assert page.input_columns == {"depth": 1, "found_on": sitemap.href}
        if not rest:
            break
        (sitemap,) = rest
        assert sitemap.input_columns is not None
        assert sitemap.input_columns["depth"] == 0
    assert depth == 5
    assert crawled.crawl.result.not_followed == {"too_many": 1}


def test_pages_that_robots_disallows_are_no_failures_unless_they_are_starts(crawled: Crawled) -> None:
    refused = replace(FINE, error=FailureKind.ROBOTS)
    crawled.crawl.on_records(
        [
            replace(refused, extra={"depth": 0, "found_on": None}),
            replace(refused, extra={"depth": 1, "found_on": START}),
        ]
    )
    assert crawled.crawl.result.disallowed == 1


def test_a_trap_is_reported_once(crawled: Crawled) -> None:
    (start,) = crawled.take()
    crawled.links(start, not_followed={"trap_repeats": 2, "scope": 1})
    crawled.links(start, not_followed={"trap_repeats": 1})
    (notice,) = crawled.notices
    assert "--no-trap-guard" in notice
    assert crawled.crawl.result.not_followed == {"trap_repeats": 3, "scope": 1}


def test_a_page_with_two_urls_is_no_trap() -> None:
    """`/` and `/index.html` are the same page of most sites, and their links are the same."""
    extractor = LinkExtractor(CrawlRules(starts=(START,)))
    page = b"<a href='/x'>x</a> <a href='/index.html'>home</a> <a href='y/'>y</a>"
    first = extractor.extract(page, START, "text/html")
    same = extractor.extract(page, f"{START}index.html", "text/html", parent_hash=first.body_hash)
    assert (same.urls, same.not_followed, same.num_links) == (b"", {}, 3)
    deeper = extractor.extract(page, f"{START}y/", "text/html", parent_hash=first.body_hash)
    assert (deeper.urls, deeper.not_followed) == (b"", {"trap_same_page": 1})
