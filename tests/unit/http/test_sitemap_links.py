"""The entries of sitemaps that a crawl has found."""

from __future__ import annotations

import gzip

import pytest

from fetchpool.http.sitemap_links import SITEMAP_BYTES, SitemapReader
from fetchpool.model.crawl_rules import CrawlRules

START = "http://a.example/"
HERE = "http://a.example/sitemap.xml"


def reader(**rules: object) -> SitemapReader:
    return SitemapReader(CrawlRules(starts=(START,), **rules))  # type: ignore[arg-type]  # any of them


def sitemap(*locations: str) -> bytes:
    entries = "".join(f"<url><loc>{location}</loc></url>" for location in locations)
    return f"<urlset>{entries}</urlset>".encode()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_entries_in_the_scope_are_links_and_the_others_are_counted(pack: type) -> None:
    content = sitemap("http://a.example/x", "/y", "http://b.example/", "http://[", "http://a.example/x#1")
    found, problem = reader(exclude=("/y",)).read(pack(content), HERE, "")
    assert problem == ""
    assert found.urls == b"http://a.example/x"
    assert found.not_followed == {"invalid": 1, "scope": 1, "exclude": 1}
    assert found.num_links == 3


def test_the_entries_of_an_index_are_sitemaps_wherever_they_are() -> None:
    content = b"<sitemapindex><sitemap><loc>http://cdn.example/1.xml.gz</loc></sitemap></sitemapindex>"
    found, problem = reader().read(content, HERE, "")
    assert (found.urls, found.sitemaps, problem) == (b"", b"http://cdn.example/1.xml.gz", "")


def test_the_entries_before_a_damaged_place_count() -> None:
    found, problem = reader().read(sitemap("/x")[:-3] + b"<", HERE, "")
    assert found.urls == b"http://a.example/x"
    assert problem.startswith("sitemap: not well-formed XML")


def test_a_sitemap_that_grows_without_end_is_ended() -> None:
    bomb = gzip.compress(b"<urlset>" + b" " * (SITEMAP_BYTES + 1))
    found, problem = reader().read(bomb, HERE, "")
    assert (found.urls, problem) == (b"", "sitemap: more than 64 MiB after decompression")


def test_a_page_in_place_of_a_sitemap_is_a_problem() -> None:
    _, problem = reader().read(b"<html><body>Not found</body></html>", HERE, "")
    assert problem == "sitemap: is not a sitemap: its root element is <html>, not <urlset>"


def test_the_scope_moves_with_the_start() -> None:
    found, _ = reader().read(sitemap("http://www.a.example/x"), HERE, "http://www.a.example/")
    assert found.urls == b"http://www.a.example/x"
