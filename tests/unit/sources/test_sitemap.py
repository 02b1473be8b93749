"""Sitemaps, read from files and from a fetcher of the test's own."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from xml.parsers.expat import XMLParserType

import pytest

from fetchpool.model.errors import InputError
from fetchpool.sources.files import FileSource
from fetchpool.sources.input_file import InputReadError
from fetchpool.sources.sitemap import FetchedSitemap, SitemapInput
from fetchpool.sources.sitemap_parser import SitemapError, SitemapParser
from tests.unit.sources.test_files import Consumer, write

NAMESPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def urlset(*urls: str) -> bytes:
    entries = "".join(f"<url>\n<loc>{url}</loc><priority>1</priority></url>" for url in urls)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset {NAMESPACE}>{entries}</urlset>'.encode()


def index(*urls: str) -> bytes:
    entries = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"<sitemapindex {NAMESPACE}>{entries}</sitemapindex>".encode()


def complete(content: bytes) -> FetchedSitemap:
    """A sitemap that arrives in small pieces."""
    pieces = (content[at : at + 100] for at in range(0, len(content), 100))
    return FetchedSitemap("http://h", [pieces], is_public=False)


class Pages:
    """A `SitemapFetcher` with fixed pages."""

    def __init__(self, **pages: bytes) -> None:
        self.pages = pages
        self.fetched: list[str] = []

    def fetch(self, url: str, _: FetchedSitemap | None) -> FetchedSitemap:
        self.fetched.append(url)
        name = url.rpartition("/")[2]
        if name not in self.pages:
            raise InputReadError(f"{url}: not found")
        return complete(self.pages[name])

    def close(self) -> None: ...


def read(place: str, **pages: bytes) -> tuple[list[str], str | None]:
    source = FileSource([], more=[SitemapInput(place, Pages(**pages))])
    urls = [each.url for each in Consumer(source).rest()]
    return urls, source.failure


@pytest.mark.parametrize(
    "content",
    [
        urlset("http://a/?x=1&amp;y=2", "http://b/"),
        gzip.compress(urlset("http://a/?x=1&amp;y=2", "http://b/")),
        urlset("http://a/?x=1&amp;y=2", "http://b/").decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        urlset("<![CDATA[ http://a/?x=1&y=2\n]]>", "http://<!-- x -->b/"),
        b"\xef\xbb\xbf\n " + urlset("http://a/?x=1&amp;y=2", "http://b/").partition(b"\n")[2],
        b"http://a/?x=1&y=2\r\nhttp://b/",
        b"<rss><channel><link>http://c/</link><item><link>http://a/?x=1&amp;y=2</link></item>"
        b"<item><link>http://b/</link></item></channel></rss>",
        b'<s:urlset xmlns:s="x" xmlns:loc="y"><s:url><s:loc>http://a/?x=1&amp;y=2</s:loc></s:url>'
        b"<s:url><loc:loc>http://c/</loc:loc><s:loc>http://b/</s:loc></s:url></s:urlset>",
        b"<urlset><url><image:image><image:loc>http://c/</image:loc></image:image><loc>http://a/?x=1&amp;y=2"
        b"</loc></url><url><loc/><loc>http://b/</loc></url></urlset>",
    ],
    ids=["plain", "gzip", "utf-16", "cdata", "mark", "text", "rss", "prefix", "images"],
)
def test_the_urls_of_a_sitemap_are_read(tmp_path: Path, content: bytes) -> None:
    expected = (["http://a/?x=1&y=2", "http://b/"], None)
    assert read(write(tmp_path / "sitemap", content)) == expected
    assert read("http://h/map", map=content) == expected


def test_an_index_is_followed_once_and_in_order() -> None:
    pages = {
        "main": index("http://h/a", "http://h/below", "http://h/a", "http://h/main"),
        "a": urlset("http://a/1", "http://a/2"),
        "below": index("http://h/b", "http://h/a"),
        "b": gzip.compress(urlset("http://b/1")),
    }
    assert read("http://h/main", **pages) == (["http://a/1", "http://a/2", "http://b/1"], None)


def test_a_sitemap_that_cannot_be_read_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    place = write(
        tmp_path / "main.xml", index("http://h/gone", "http://h/page", "http://h/cut", "http://h/good")
    )
    cut = urlset("http://a/1", "http://a/2")[:-60]
    urls, failure = read(place, page=b"<html><p>", cut=cut, good=urlset("http://b/"))
    assert urls == ["http://a/1", "http://b/"]
    assert failure == (
        "http://h/gone: not found; "
        "http://h/page: is not a sitemap: its root element is <html>, not <urlset>; "
        "http://h/cut: not well-formed XML: unclosed token: line 3, column 49"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"<urlset><url></urlset>", "not well-formed XML: mismatched tag"),
        (b'<!DOCTYPE urlset [<!ENTITY a "x">]><urlset/>', "declares entities"),
        (b"<urlset>" + b"<a>" * 200, "more than 100 nested elements"),
        (gzip.compress(urlset("http://a/"))[:-9], "truncated gzip data"),
    ],
    ids=["empty", "mismatched", "entities", "deep", "truncated"],  # gzip data contains the time
)
def test_what_is_not_a_sitemap_is_a_failure(content: bytes, words: str) -> None:
    _, failure = read("http://h/map", map=content)
    assert words in (failure or "")


def test_indexes_that_never_end_are_bounded() -> None:
    class Endless(Pages):
        def fetch(self, url: str, _: FetchedSitemap | None) -> FetchedSitemap:
            self.fetched.append(url)
            return complete(index(f"{url}1", f"{url}2"))

    pages = Endless()
    source = FileSource([], more=[SitemapInput("http://h/", pages)])
    assert Consumer(source).rest() == []
    assert len(pages.fetched) == 15
    assert "more than 3 nested indexes" in (source.failure or "")


def test_urls_of_a_foreign_author_have_no_more_rights_than_redirects(tmp_path: Path) -> None:
    content = urlset("http://h/1", "http://other/")
    fetched = FileSource([], more=[SitemapInput("http://h/map", Pages(map=content))])
    assert [each.crossed_origin for each in Consumer(fetched).rest()] == [False, True]
    own = FileSource([], more=[SitemapInput(write(tmp_path / "map", content), Pages())])
    assert [each.crossed_origin for each in Consumer(own).rest()] == [False, False]


@pytest.mark.parametrize("start", [0, 1])
def test_a_sitemap_is_no_list_and_a_list_names_the_option(tmp_path: Path, start: int) -> None:
    """Also without the declaration of XML in its first line."""
    place = write(tmp_path / "map.xml", urlset("http://a/").split(b"\n", start)[-1])
    with pytest.raises(InputError, match=f"is a sitemap; read it with: fetchpool --sitemap {place}"):
        FileSource([place])
    with pytest.raises(InputError, match="no such file"):
        SitemapInput(str(tmp_path / "none.xml"), Pages())


def test_memory_is_bounded_for_any_sitemap() -> None:
    def endless() -> Iterator[bytes]:
        yield b"<urlset>"
        for _ in range(500):
            yield b"<url><loc>http://a/" + b"x" * 70_000 + b"</loc></url>"
        yield b"<url><loc>"
        for _ in range(500):
            yield b"x" * 65_536

    parser = SitemapParser()
    tracemalloc.start()
    for chunk in endless():
        assert all(len(url) < 66_000 for url, _ in parser.feed(chunk))
    assert tracemalloc.get_traced_memory()[1] < 4_000_000
    tracemalloc.stop()
    parser.feed(b"<!--")
    with pytest.raises(SitemapError, match="a tag or text of more than 4 MiB"):
        parser.feed(b"x" * (5 << 20))


def test_a_long_comment_in_small_pieces_is_parsed_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsing it again with each piece took 6 s of CPU for 4 MiB."""
    content = urlset("http://a.test/", "http://b.test/").replace(
        b"</url>", b"</url><!--" + bytes(3 << 20).replace(b"\0", b" ") + b"-->", 1
    )
    parsed: list[int] = []
    parse = SitemapParser._parse

    def count(self: SitemapParser, parser: XMLParserType, chunk: bytes, *, is_last: bool) -> None:
        parsed.append(len(chunk))
        parse(self, parser, chunk, is_last=is_last)

    monkeypatch.setattr(SitemapParser, "_parse", count)
    parser = SitemapParser()
    entries = [
        entry
        for start in range(0, len(content), 1000)
        for entry in parser.feed(content[start : start + 1000])
    ]
    assert [url for url, _ in entries + parser.finish()] == ["http://a.test/", "http://b.test/"]
    assert sum(parsed) == len(content)
    assert len(parsed) < 100
