"""What is a link, in pages as they are and as they should not be (T27 to T32)."""

from __future__ import annotations

import gzip
from pathlib import Path

import brotli
import pytest

from tests.crawl.crawling import crawl
from tests.crawl.server import Answer, Request, SiteServer, page
from tests.measured import measured


def linked(
    html: str | bytes, *, target: str = "/dir/page", kind: str = "text/html", **options: object
) -> set[str]:
    """Return what a crawl requests because of this page."""
    body = html.encode() if isinstance(html, str) else html
    headers: tuple[str, ...] = options.pop("headers", ())  # type: ignore[assignment]

    def site(request: Request) -> Answer:
        if request.target != target:
            return Answer(content_type="text/plain")
        return Answer(body, content_type=kind, headers=headers)

    with SiteServer(site) as server:
        crawl(server, target, **options)
        return server.asked() - {target}


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<base href=/b/><a href=x>", {"/b/x"}),
        (f"<!--{'x' * 20_000}--><base href=/b/><a href=x>", {"/b/x"}),
        ("<a href=x><base href=/b/><base href=/c/><a href=y>", {"/b/x", "/b/y"}),
        ("<base target=_top><base href=/b/><a href=x>", {"/b/x"}),
        ("<base href=up/><a href=x>", {"/dir/up/x"}),
        ("<body><p><base href='../b/'><a href=x>", {"/b/x"}),
        ("<!-- <base href=/b/> --><a href=x>", {"/dir/x"}),
        ("<base href='http://['><a href=x>", {"/dir/x"}),
    ],
)
def test_t27_the_first_base_counts_wherever_it_is(html: str, expected: set[str]) -> None:
    """Crawlers ignore `<base>`, or look for it in the first kilobytes only."""
    assert linked(html) == expected


def test_t28_srcset_entities_spaces_and_data_urls_are_read_as_the_standards_say() -> None:
    html = """
        <img srcset="/1.png, /2.png 2x,/3,comma.png 3x , /4.png 100w" src=" /5.png ">
        <img srcset="data:image/png;base64,AAAA 1x, /6.png 2x">
        <source srcset="/7.png(a,b) 1x,/8.png">
        <link rel=preload as=image imagesrcset="/9.png 1x">
        <a href=" \n/a&amp;b&lt;?x=1&amp;y=2&copy=3 ">x</a>
        <a href='/sing"le'>x</a><a href=/un=quoted>x</a><a href="/new\nline">x</a>
        <a href="mailto:x@example.org">x</a><a href="tel:1">x</a><a href="javascript:void(0)">x</a>
        <a href="data:text/html,x">x</a><a href="HREF/Upper" HREF="/second">x</a>
    """
    assert linked(html) == {
        "/1.png",
        "/2.png",
        "/3,comma.png",
        "/4.png",
        "/5.png",
        "/6.png",
        "/7.png(a,b)",
        "/8.png",
        "/9.png",
        "/a&b%3C?x=1&y=2&copy=3",
        "/sing%22le",
        "/un=quoted",
        "/newline",
        "/dir/HREF/Upper",
    }


def test_every_tag_that_loads_or_leads_somewhere_is_followed() -> None:
    html = """
        <a href=/a></a><map><area href=/area></map>
        <link rel=stylesheet href=/style><link rel="shortcut icon" href=/icon>
        <link rel=alternate href=/feed><link rel=next href=/next><link rel=prev href=/prev>
        <link rel=manifest href=/manifest><link rel=modulepreload href=/module>
        <img src=/img><script src=/script></script><audio src=/audio></audio>
        <video src=/video poster=/poster></video>
        <video><source src=/source><track src=/track></video><embed src=/embed><object data=/object></object>
        <iframe src=/iframe></iframe><input type=image src=/input>
        <table background=/table><tr><td background=/td></table>
        <meta http-equiv=refresh content="5; url='/refresh'">
        <svg><image href=/svg-image /><use xlink:href="/svg-use#part" /></svg>
        <p style="background: url( '/inline' )"></p>
        <style>@import "/import"; p { background: url(/sheet) }</style>
    """
    assert linked(html) == {
        *("/a", "/area", "/style", "/icon", "/feed", "/next", "/prev", "/manifest", "/module", "/img"),
        *("/script", "/video", "/poster", "/audio", "/source", "/track", "/embed", "/object", "/iframe"),
        *("/input", "/table", "/td", "/refresh", "/svg-image", "/svg-use", "/inline", "/import", "/sheet"),
    }


def test_links_are_found_in_the_link_header_and_in_style_sheets() -> None:
    headers = ('Link: </style.css>; rel="stylesheet", </n?a,b>; rel=next', "Link: <http://[>; rel=next")
    assert linked("", headers=headers) == {"/style.css", "/n?a,b"}
    css = """
        /* url(/no) */ @import url('a.css');
        p { background: url( b.png ), url("c d.png") } q { x: 'url(/no)' }
    """
    assert linked(css, kind="text/css", target="/css/x.css") == {"/css/a.css", "/css/b.png", "/css/c%20d.png"}


def test_t29_what_only_looks_like_a_link_is_not_followed() -> None:
    """Crawlers that search the text follow links in comments, scripts and templates."""
    html = """
        <!-- <a href=/comment>x</a> -->
        <script>document.write("<a href='/script'>x</a>"); var u = "/string"</script>
        <template><a href=/template>x</a><template></template><a href=/template2>x</a></template>
        <textarea><a href=/textarea>x</a></textarea><title><a href=/title>x</a></title>
        <xmp><a href=/xmp>x</a></xmp><noembed><a href=/noembed>x</a></noembed>
        <div data-href=/data data-src=/data2></div><form action=/form></form>
        <a title="<a href=/attribute>">x</a>
        <pre>&lt;a href=/escaped&gt;</pre><a href=/real>x</a><![CDATA[<a href=/cdata>]]>
        <plaintext><a href=/plaintext>x</a>
    """
    found = linked(html)
    assert found - {"/cdata"} == {"/real"}


def test_t30_hints_to_connect_are_no_links() -> None:
    html = "".join(
        f"<link rel='{rel}' href='/{number}'>"
        for number, rel in enumerate(("preconnect", "dns-prefetch", "pingback", "search", "canonical"))
    )
    assert linked(html + "<link rel='preconnect stylesheet' href=/both>") == {"/both"}


HOSTILE = {
    "unclosed b": "<b x>" * 4_000 + "<i y>" * 4_000 + "x</b>" * 4_000,
    "deep list": "<ul><li>" * 40_000,
    "options": "<select>" + "<option>" * 16_000,
    "deep div": "<div>" * 50_000,
    "unclosed comments": "<!--" * 100_000,
    "unclosed comment ends": "<!-- --!" * 60_000,
    "unclosed tags": "<a " * 150_000,
    "unclosed quotes": "<a href='" * 50_000,
    "attributes": "<a " + "x=y " * 100_000,
    "slashes": "<a" + "/" * 400_000,
    "scripts": "<script>" * 50_000,
    "script comments": "<script><!--<script>" * 20_000,
    "style": "<style>" + "url(" * 100_000,
    "srcset": "<img srcset='" + "a(," * 100_000 + "'>",
    "entities": "<a href='" + "&amp" * 100_000 + "'>",
    "ampersands": "<a href='" + "&" * 400_000 + "'>",
    "spaces": "<a href" + " " * 400_000,
    "refresh": "<meta http-equiv=refresh content='" + "0;url=" * 60_000 + "'>",
    "nulls": "\x00<a\x00" * 50_000,
    "less than": "<" * 400_000,
    "templates": "<template>" * 40_000,
    "plain": "<plaintext>" * 30_000,
    "dots": "<a href='" + "../" * 100_000 + "'>",
    "bases": "<base href=x>" * 30_000,
    "css comments": "<style>" + "/*" * 150_000,
    "css escapes": "<style>" + "\\" * 300_000,
    "css strings": "<style>" + "'\n" * 150_000,
    "imports": "<style>" + "@import " * 60_000,
}


@measured
def test_t31_no_page_of_any_kind_holds_up_a_crawl() -> None:
    """Parsers take minutes for a few hundred kilobytes of such a page, and cannot be interrupted."""
    names = list(HOSTILE)

    def site(request: Request) -> Answer:
        if request.target == "/":
            return page(*(f"/{number}" for number in range(len(names))), "/video")
        if request.target == "/video":
            return Answer(bytes(range(256)) * 4_000)
        number = request.target[1:]
        if number.isdigit() and int(number) < len(names):
            return Answer(f"<a href=/ok>x</a>{HOSTILE[names[int(number)]]}".encode())
        return page()

    with SiteServer(site) as server:
        found = crawl(server, max_pages=200)
    assert found.keys() >= {"/", "/ok", "/video", *(f"/{number}" for number in range(len(names)))}
    slow = [
        names[int(row.url.rpartition("/")[2])]
        for row in found.values()
        if row.time_total > 3 and row.url[-1].isdigit()
    ]
    assert slow == []


@pytest.mark.parametrize("encoding", ["gzip", "br"])
def test_t32_compressed_pages_are_decoded_before_links_are_looked_for(encoding: str) -> None:
    """wget 1 stops at index.html.gz."""
    html = b"<a href=/found>x</a>"
    body = gzip.compress(html) if encoding == "gzip" else brotli.compress(html)
    assert linked(body, headers=(f"Content-Encoding: {encoding}",)) == {"/found"}


@pytest.mark.parametrize(
    ("charset", "declared"), [("windows-1251", "header"), ("shift_jis", "meta"), ("utf-16", "mark")]
)
def test_t32_a_query_is_encoded_as_the_document_is_and_a_path_in_utf_8(charset: str, declared: str) -> None:
    word = "日" if charset == "shift_jis" else "да"
    meta = f"<meta charset={charset}>" if declared == "meta" else ""
    html = f"{meta}<a href='/{word}?q={word}'>x</a>".encode(charset)
    kind = f"text/html; charset={charset}" if declared == "header" else "text/html"
    encoded = word.encode("utf-8" if charset == "utf-16" else charset)
    query = "".join(
        chr(byte) if chr(byte).isascii() and chr(byte).isalnum() else f"%{byte:02X}" for byte in encoded
    )
    path = "".join(f"%{byte:02X}" for byte in word.encode())
    assert linked(html, kind=kind) == {f"/{path}?q={query}"}


def test_num_links_counts_distinct_targets_whether_followed_or_not(tmp_path: Path) -> None:
    del tmp_path
    html = page("/a", "/a#x", "/b", "http://other.example/", "mailto:x@example.org", "http://[")
    with SiteServer(
        lambda request: html if request.target == "/" else Answer(content_type="text/plain")
    ) as server:
        found = crawl(server)
    assert found["/"].extra["num_links"] == 3
    assert found["/a"].extra["num_links"] is None
