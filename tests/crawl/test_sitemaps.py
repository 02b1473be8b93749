"""Sitemaps of all kinds (T33)."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from tests.cli.runner import peak_memory
from tests.crawl.crawling import crawl
from tests.crawl.server import NOT_FOUND, Answer, Request, Site, SiteServer, page

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*targets: str) -> str:
    entries = "".join(f"<url><loc>{target}</loc><lastmod>2024-01-01</lastmod></url>" for target in targets)
    return f'<?xml version="1.0" encoding="UTF-8"?><urlset {NAMESPACE}>{entries}</urlset>'


def index(*targets: str) -> str:
    entries = "".join(f"<sitemap><loc>{target}</loc></sitemap>" for target in targets)
    return f"<sitemapindex {NAMESPACE}>{entries}</sitemapindex>"


def with_sitemaps(sitemaps: dict[str, str | bytes], *named: str) -> Site:
    """Return a site whose robots.txt names these sitemaps. `{}` in a text is the server's address."""

    def site(request: Request) -> Answer:
        base = f"http://{request.host}"
        if request.target == "/robots.txt":
            return Answer("".join(f"Sitemap: {base}{target}\n" for target in named).encode())
        sitemap = sitemaps.get(request.target)
        if sitemap is None:
            return page() if request.target == "/" or request.target.startswith("/p") else NOT_FOUND
        content = sitemap.replace("{}", base).encode() if isinstance(sitemap, str) else sitemap
        return Answer(content, content_type="application/octet-stream")

    return site


RSS = "<rss version='2.0'><channel><link>{}/</link><item><link>{}/p1</link></item></channel></rss>"
ATOM = """<feed xmlns='http://www.w3.org/2005/Atom'><link href='{}/p2'/>
    <entry><link rel='edit' href='{}/p3'/><link href='{}/p1'/></entry></feed>"""


@pytest.mark.parametrize(
    "sitemap",
    [
        urlset("{}/p1"),
        urlset("\n  {}/p1\n  ", "http://other.example/p2"),
        urlset("{}/p1").replace(NAMESPACE, ""),
        urlset("<![CDATA[{}/p1]]>"),
        "\ufeff" + urlset("{}/p1"),
        "{}/p1\n\n",
        RSS,
        ATOM,
    ],
    ids=["urlset", "spaces", "no namespace", "cdata", "mark", "text", "rss", "atom"],
)
def test_t33_entries_are_found_in_sitemaps_of_every_kind(sitemap: str) -> None:
    with SiteServer(with_sitemaps({"/map": sitemap}, "/map")) as server:
        found = crawl(server)
        assert found.keys() == {"/", "/map", "/p1"}
        assert found["/p1"].extra["found_on"] == server.url("/map")


def test_t33_a_compressed_sitemap_is_recognised_by_its_content() -> None:
    """LinkChecker documents that it does not support them."""

    def site(request: Request) -> Answer:
        plain = with_sitemaps({"/map": urlset("{}/p1")}, "/map")(request)
        return plain._replace(body=gzip.compress(plain.body)) if request.target == "/map" else plain

    with SiteServer(site) as server:
        assert crawl(server).keys() == {"/", "/map", "/p1"}


def test_t33_indexes_that_name_themselves_or_never_end_do_end() -> None:
    """A robots.txt that names itself as a sitemap ends in a RecursionError elsewhere."""

    def site(request: Request) -> Answer:
        if request.target.startswith("/deep"):
            text = index(f"{{}}/deep{int(request.target[5:]) + 1}").replace("{}", f"http://{request.host}")
            return Answer(text.encode())
        sitemaps: dict[str, str | bytes] = {"/map": index("{}/map", "{}/robots.txt", "{}/deep1")}
        return with_sitemaps(sitemaps, "/map", "/robots.txt")(request)

    with SiteServer(site) as server:
        found = crawl(server, max_pages=100)
        assert "/map" in found
        assert len(found) < 20


@pytest.mark.parametrize(
    "sitemap",
    [
        b"<urlset><url><loc>http://[</loc></url><url><loc>/p1</loc>",
        b"<urlset><url><loc>",
        b"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><urlset>&b;</urlset>",
        b"\x1f\x8b\x08\x00broken",
        b"<!doctype html><title>There is no such page</title>",
        b"",
    ],
    ids=["invalid url", "truncated", "entities", "broken gzip", "page", "empty"],
)
def test_t33_a_broken_sitemap_ends_nothing_but_itself(sitemap: bytes) -> None:
    with SiteServer(with_sitemaps({"/map": sitemap}, "/map")) as server:
        found = crawl(server)
    assert found.keys() - {"/p1"} == {"/", "/map"}
    assert found["/"].error is None


def test_t33_large_and_endless_compressed_sitemaps_take_little_memory(tmp_path: Path) -> None:
    """A sitemap of 50 kB that is gigabytes once it is decoded fills the memory where it is parsed at once."""
    entries = "".join(f"<url><loc>{{}}/p{number}</loc></url>" for number in range(50_000))
    bomb = gzip.compress(b"<urlset>" + b"<url><loc>/p1</loc></url> " + b" " * 55_000_000)

    def site(request: Request) -> Answer:
        if request.target == "/bomb":
            return Answer(bomb)
        if request.target == "/large":
            text = f"<urlset {NAMESPACE}>{entries}</urlset>".replace("{}", f"http://{request.host}")
            return Answer(gzip.compress(text.encode(), 1))
        return with_sitemaps({}, *(("/large", "/bomb") if request.host.startswith("127.0.0.2") else ()))(
            request
        )

    with SiteServer(site, addresses=("127.0.0.1", "127.0.0.2")) as server:

        def peak(address: str) -> int:
            options = ["-r", "-o", f"{address}.jsonl", "-q", "--executor", "async", "--depth", "0"]
            options += ["--retry-delay", "10ms"]  # no server is at the third address
            return peak_memory(server.url("/", address), *options, cwd=tmp_path, code=1)

        assert peak("127.0.0.2") - peak("127.0.0.3") < 60_000_000
    assert len((tmp_path / "127.0.0.2.jsonl.frontier.jsonl").read_text().splitlines()) >= 50_003
