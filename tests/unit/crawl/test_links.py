"""What the extraction of links finds in a page, and what it decides about each link."""

from __future__ import annotations

import pytest

from fetchpool.crawl.links import LinkExtractor
from fetchpool.crawl.page_links import (
    LinkRow,
    PageLinks,
    decode_links,
    decode_rows,
    fragment_hash,
)
from fetchpool.crawl.targets import MAX_LENGTH
from fetchpool.model.crawl_rules import CrawlRules, Reason, ScopeKind

PAGE = "https://h/d/page"
HTML = "text/html; charset=utf-8"


def extract(
    page: str | bytes, url: str = PAGE, content_type: str | None = HTML, **rules: object
) -> PageLinks:
    given = {"starts": ("https://h/",), **rules}
    body = page if isinstance(page, bytes) else page.encode()
    return LinkExtractor(CrawlRules(**given)).extract(body, url, content_type)  # type: ignore[arg-type]


def split_urls(data: bytes) -> list[str]:
    """The URLs of one of the fields of `PageLinks`."""
    return data.decode("ascii").split("\n") if data else []


def links(page: str | bytes, url: str = PAGE, content_type: str | None = HTML, **rules: object) -> list[str]:
    """The paths of the links that are followed."""
    found = split_urls(extract(page, url, content_type, **rules).urls)
    return [href.removeprefix("https://h") for href in found]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ('<a href="x">', ["/d/x"]),
        ("<a href='x'>", ["/d/x"]),
        ("<a href=x>", ["/d/x"]),
        ("<A HREF=x/>", ["/d/x/"]),
        ("<a\nhref\n=\n'x'>", ["/d/x"]),
        ("<a/href=x>", ["/d/x"]),
        ('<a href="x" href="y">', ["/d/x"]),
        ("<a title='>' href=x>", ["/d/x"]),
        ('<a title="<a href=y>" href=x>', ["/d/x"]),
        ('<div title="<a href=y>"><a href=x>', ["/d/x"]),
        ("<div title=<a href=y><a href=x>", ["/d/x"]),
        ('</p title="<a href=y>"><a href=x>', ["/d/x"]),
        ('<a title="x href="y" data-href="z">', []),
        ('<a title=" href=" data="y">', []),
        ('<abbr href="y"><a-b href=z><a href="x">', ["/d/x"]),
        ('<a data-href="y" xhref="z" href="x">', ["/d/x"]),
        ("<a href=x", []),
        ('<a href="x', []),
        ("< a href=x><3 <a href=y>", ["/d/y"]),
        ('<a href=" \n/a&amp;b \n">', ["/a&b"]),
        ('<a href="/a\nb\tc">', ["/abc"]),
        ('<a href="\\x">', ["/x"]),
        ('<a href="">', []),
        ('<a href="#top">', []),
        ('<a href="?q">', ["/d/page?q"]),
        ('<a href="x#1"><a href="x#2">', ["/d/x"]),
        ('<img src="">', []),
        ("<img src=i><image src=j><script src=k></script>", ["/d/i", "/d/j", "/d/k"]),
        ("<video src=v poster=p><source src=s><track src=t></video>", ["/d/v", "/d/p", "/d/s", "/d/t"]),
        ("<iframe src=f><a href=no></iframe><frame src=g>", ["/d/f", "/d/g"]),
        ("<object data=o><embed src=e><input src=i><audio src=a>", ["/d/o", "/d/e", "/d/i", "/d/a"]),
        ("<body background=b><td BACKGROUND=c><p background=no>", ["/d/b", "/d/c"]),
        ("<area href=m><map>", ["/d/m"]),
        ("<link rel=stylesheet href=s><link rel='next x' href=n><link href=no>", ["/d/s", "/d/n"]),
        ("<link rel=preload imagesrcset='a 1x, b 2x'>", ["/d/a", "/d/b"]),
        ("<meta http-equiv=refresh content='5; url=x'>", ["/d/x"]),
        ("<meta http-equiv=Refresh content='0;URL=\"x y\" z'>", ["/d/x%20y"]),
        ("<meta http-equiv=refresh content='5'><meta http-equiv=refresh content='x; url=y'>", []),
        ("<svg><a href=s></a><image xlink:href=i /><use href='u#id'/><a xlink:href=no href=t>", None),
        ("<p style='background: Url(b)'><p style=\"background: url('c')\"><p style='color:red'>", None),
        ("<style>@import 'i'; a{b:url( c )}</style>", ["/d/i", "/d/c"]),
        ("<form action=no><button formaction=no><blockquote cite=no><a ping=no>", []),
    ],
)
def test_attributes_with_urls_are_links(page: str, expected: list[str] | None) -> None:
    if expected is None:
        expected = ["/d/s", "/d/i", "/d/u", "/d/t"] if "svg" in page else ["/d/b", "/d/c"]
    assert links(page) == expected


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copy;=2", "?a=1%C2%A9=2"),
        ("?a&lt", "?a%3C"),
        ("?a&ltx", "?a&ltx"),
        ("?a&notit;&notin;", "?a&notit;%E2%88%89"),
        ("?&#x41;&#66&#x43", "?ABC"),
        ("?&#150;&#0;&#xD800;&#x110000;&#99999999999;", "?%E2%80%93" + 4 * "%EF%BF%BD"),
        ("?&amp;amp;&;&#;&#x;&unknown;", "?&amp;&;&"),
    ],
)
def test_character_references_are_decoded_as_in_attributes(value: str, path: str) -> None:
    assert links(f'<a href="{value}">', trap_guard=False) == [f"/d/page{path}"]


def test_nothing_in_comments_scripts_templates_and_texts_is_a_link() -> None:
    hidden = "<a href=no>"
    page = f"""
        <!-- {hidden} --><!--> <a href=one> <!-- {hidden} --!><script>"{hidden}"</script>
        <script><!-- <script>{hidden}</script>{hidden} --></script><style>{hidden}</style>
        <textarea>{hidden}</textarea><title>{hidden}</title><xmp>{hidden}</xmp><noembed>{hidden}</noembed>
        <template>{hidden}<template></template>{hidden}</template><noscript><a href=two></noscript>
        <svg><title><a href=three></title><style><a href=four></style><![CDATA[ {hidden} ]]></svg>
        <![CDATA[ {hidden}><a href=five><a href=six><?php {hidden}><plaintext>{hidden}
    """
    assert links(page) == ["/d/one", "/d/two", "/d/three", "/d/four", "/d/five", "/d/six"]


@pytest.mark.parametrize(
    "end", ["", "<a", "<a b='", "<script>", "<!--", "<svg>", "<template>", "<title>", "</"]
)
def test_what_never_ends_hides_only_what_is_in_it(end: str) -> None:
    assert links(f"<a href=x>{end}<b href=y>") == ["/d/x"]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("<a href=x><base href=/b/>", ["/b/x"]),
        (f"<!-- {'x' * 20_000} --><body><base href=../b/c><a href=x>", ["/b/x"]),
        ("<base target=t><base href=/b/><base href=/c/><a href=x>", ["/b/x"]),
        ("<base href='http://['><base href=/c/><a href=x>", ["/d/x"]),
        ("<base href=mailto:a><a href=x>", ["/d/x"]),
        ("<template><base href=/b/></template><!-- <base href=/b/> --><a href=x>", ["/d/x"]),
        ("<base href=/b/><a href=#f><a href=?q>", ["/b/", "/b/?q"]),
        (f"<base href=/{'b' * MAX_LENGTH}/><a href=x>", ["/d/x"]),
    ],
)
def test_the_first_base_with_href_counts_wherever_it_is(page: str, expected: list[str]) -> None:
    assert links(page) == expected


def test_the_query_is_in_the_encoding_of_the_document() -> None:
    page = "<a href='/é?é€'><a href='/?&eacute;&#9731;'>"
    assert links(page.encode("cp1252"), content_type="text/html; charset=latin1") == [
        "/%C3%A9?%E9%80",
        "/?%E9%26%239731%3B",
    ]
    meta = '<meta charset="shift_jis"><a href="/?q=日本">'
    assert links(meta.encode("shift_jis"), content_type="text/html") == ["/?q=%93%FA%96{"]
    assert links("<meta charset=koi8-r><a href='/?&#1071;'>", content_type="text/html") == ["/?%F1"]
    assert links("<a href='/?é'>".encode("utf-16"), content_type="text/html") == ["/?%C3%A9"]
    header = "text/html; charset=utf-16le"
    assert links("<a href='/x'>".encode("utf-16-le"), content_type=header) == ["/x"]


def test_a_verdict_does_not_depend_on_an_encoding_that_was_seen_before() -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    page = "<a href='/?é'>"
    first = extractor.extract(page.encode(), PAGE, "text/html; charset=utf-8")
    second = extractor.extract(page.encode("latin-1"), PAGE, "text/html; charset=latin1")
    assert (first.urls, second.urls) == (b"https://h/?%C3%A9", b"https://h/?%E9")


def test_identity_is_that_of_the_url_standard() -> None:
    page = "".join(
        f'<a href="{href}">'
        for href in (
            "/A",
            "/a",
            "/x",
            "/x/",
            "?b&a",
            "?a&b",
            "/%7e",
            "/~",
            "https://h:443/a",
            "./././a",
            "HTTPS://H/a",
        )
    )
    assert links(page) == ["/A", "/a", "/x", "/x/", "/d/page?b&a", "/d/page?a&b", "/%7e", "/~", "/d/a"]


def test_links_that_are_not_followed_are_counted_by_reason() -> None:
    page = """
        <a href=mailto:a><a href=" JavaScript:b()"><a href=tel:1><img src=data:image/png;base64,x>
        <a href="http://["><a href="http://h:99999/"><a href=http://other/><a href=//other/><a href=/no/1>
        <a href=/yes rel="noopener NoFollow"><a href=/both rel=nofollow><a href=/both>
        <a href=/a/a/a/b><link rel=canonical href=c>
    """
    found = extract(page, exclude=("/no/",))
    assert split_urls(found.urls) == ["https://h/both"]
    assert found.not_followed == {
        Reason.SCHEME: 4,
        Reason.INVALID: 2,
        Reason.SCOPE: 2,
        Reason.EXCLUDE: 1,
        Reason.NOFOLLOW: 1,
        Reason.TRAP_REPEATS: 1,
    }
    assert found.num_links == 6
    assert found.canonical == "https://h/d/c"


def test_a_page_can_forbid_to_follow_its_links() -> None:
    for meta in ("nofollow", "NOINDEX, NoFollow", "none"):
        page = f"<a href=x><meta name=Robots content='{meta}'>"
        assert extract(page).not_followed == {Reason.NOFOLLOW: 1}
        assert links(page, follow_nofollow=True) == ["/d/x"]
    assert links("<a href=x><meta name=robots content='noindex, follow'>") == ["/d/x"]


@pytest.mark.parametrize(
    ("header", "forbids"),
    [
        ("nofollow", True),
        ("noindex, NONE", True),
        ("otherbot: noindex, nofollow", False),
        ("otherbot: noindex, fetchpool: nofollow", True),
        ("unavailable_after: 25 Jun 2027 15:00:00 PST, nofollow", True),
        ("max-snippet: 1", False),
        ("noindex", False),
    ],
)
def test_a_header_can_forbid_it_too(header: str, forbids: bool) -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    found = extractor.extract(b"<a href=x>", PAGE, HTML, robots_headers=[header])
    assert (found.urls == b"") == forbids


def test_the_header_link_has_links() -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    headers = [
        '<n>; rel="next", </c,d>; rel=canonical; title="a, <b>"',
        "<x>; rel=preconnect, <no>",
        "<s>; rel=stylesheet",
    ]
    found = extractor.extract(b"<base href=/b/>", PAGE, HTML, link_headers=headers)
    assert split_urls(found.urls) == ["https://h/d/n", "https://h/d/s"]
    assert found.canonical == "https://h/c,d"


@pytest.mark.parametrize("relation", ["preconnect", "dns-prefetch", "pingback", "search", "canonical"])
def test_relations_that_lead_to_no_page_are_no_links(relation: str) -> None:
    assert links(f"<link rel={relation} href=x>") == []
    assert links(f"<link rel='{relation} stylesheet' href=x>") == ["/d/x"]


def test_a_style_sheet_has_links() -> None:
    sheet = """
        @charset "utf-8"; @namespace url(no); /* url(no) */ @import "a"; @IMPORT url(b) screen;
        p { background: URL( "c\\64" ) }
        q { content: "url(no)"; x: url(d\\)e); y: myurl(no) } u { z: url(f g); u: url('no
        } r { src: url(&amp;) format("x"), url(last"""
    assert links(sheet, content_type="text/css") == [
        "/d/a",
        "/d/b",
        "/d/cd",
        "/d/d)e",
        "/d/&amp;",
        "/d/last",
    ]


def test_only_pages_have_links() -> None:
    page = b"<a href=x>"
    for content_type in ("text/plain", "application/json", "image/svg+xml", "video/mp4"):
        assert extract(page, content_type=content_type).num_links is None
    assert extract(b"\0\0\0 ftypisom" + page, content_type="text/html").num_links is None
    assert links(page, content_type=None) == ["/d/x"]
    assert extract(b"x" + page, content_type=None).num_links is None


def test_xhtml_may_close_elements_in_their_start_tag() -> None:
    page = "<title/><script src='s'/><textarea/><![CDATA[ <a href='no'> ]]><a href='x'/>"
    assert links(page, content_type="application/xhtml+xml") == ["/d/s", "/d/x"]
    assert links(page) == []


def test_a_url_is_reported_once_by_a_worker() -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    assert extractor.extract(b"<a href=/x><a href=y>", PAGE, HTML).urls == b"https://h/x\nhttps://h/d/y"
    again = extractor.extract(b"<a href=/z><a href=https://h/x><a href=../x><a href=y>", PAGE, HTML)
    assert (again.urls, again.num_links) == (b"https://h/z", 3)
    page = b"<a href=/x><a href=/x>"
    with_links = LinkExtractor(CrawlRules(starts=("https://h/",), want_links=True))
    assert [with_links.extract(page, PAGE, HTML).urls for _ in range(2)] == [b"https://h/x"] * 2


def test_what_is_remembered_is_bounded_and_loses_no_link(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("links", "targets"):
        monkeypatch.setattr(f"fetchpool.crawl.{module}.MAX_REMEMBERED", 100)
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    page = "".join(f"<a href=/{number}>" for number in range(200)).encode()
    found = extractor.extract(page, PAGE, HTML)
    assert len(set(split_urls(found.urls))) == found.num_links == 200
    assert len(extractor._memory.verdicts) <= 101
    assert extractor.extract(b"<a href=/new>", PAGE, HTML).urls == b"https://h/new"


def test_links_of_a_copy_of_the_page_before_are_a_trap() -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    page = b"<a href=products/>"
    first = extractor.extract(page, "https://h/", HTML)
    assert (first.urls, len(first.body_hash)) == (b"https://h/products/", 8)
    copy = extractor.extract(page, "https://h/products/", HTML, parent_hash=first.body_hash)
    assert (copy.urls, copy.not_followed) == (b"", {Reason.TRAP_SAME_PAGE: 1})
    # What was not followed there is followed when another page links to it.
    other = extractor.extract(b"<a href=/products/products/>", "https://h/other", HTML)
    assert other.urls == b"https://h/products/products/"


def test_a_new_start_extends_the_scope_for_links_that_were_outside() -> None:
    extractor = LinkExtractor(CrawlRules(starts=("https://h/",)))
    page = b"<a href=https://www.h/x>"
    assert extractor.extract(page, PAGE, HTML).not_followed == {Reason.SCOPE: 1}
    extractor.add_start("https://www.h/")
    assert extractor.extract(page, PAGE, HTML).urls == b"https://www.h/x"


def test_of_a_page_outside_the_scope_no_link_is_followed() -> None:
    found = extract("<a href=https://h/x id=i>", "https://other/", want_fragments=True)
    assert (found.urls, found.num_links, found.fragments) == (b"", None, fragment_hash("i"))


def test_requisites_outside_the_scope_are_reported_on_request() -> None:
    page = """
        <a href=//cdn/a><img src=//cdn/i><link rel=stylesheet href=//cdn/s><link rel=next href=//cdn/n>
        <iframe src=//cdn/f></iframe><img src=//cdn/no><img src=/outside.png><script src=/d/in.js></script>
    """
    prefix = {"scope": ScopeKind.PREFIX, "starts": ("https://h/d/",)}
    found = extract(page, requisites=True, exclude=("/no",), follow_tags=("a",), **prefix)
    assert split_urls(found.urls) == ["https://h/d/in.js"]
    assert split_urls(found.requisites) == ["https://cdn/i", "https://cdn/s", "https://h/outside.png"]
    assert found.not_followed == {Reason.SCOPE: 4}
    assert extract(page, **prefix).requisites == b""


def test_external_links_are_reported_on_request() -> None:
    page = "<a href=//other/a><a href=//other/b rel=nofollow><a href=//other/no><a href=x>"
    found = extract(page, check_external=True, exclude=("/no",))
    assert split_urls(found.external) == ["https://other/a"]
    assert found.not_followed == {Reason.SCOPE: 2}


def test_only_links_of_the_given_tags_are_followed() -> None:
    page = "<a href=a><area href=b><img src=c><link rel=next href=d>"
    found = extract(page, follow_tags=("a", "img"))
    assert split_urls(found.urls) == ["https://h/d/a", "https://h/d/c"]
    assert found.not_followed == {Reason.TAG: 2}


def test_each_link_has_a_row_on_request() -> None:
    page = """
        <a href="x#f%20g">1</a><a href=x>2</a><a href=x>3</a><a href=#here>4</a><a href=mailto:a rel=nofollow>
        <img src=//other/i><a href=n rel=nofollow>
    """
    assert decode_rows(extract(page, want_links=True).link_rows) == [
        LinkRow("https://h/d/x", "a", "href", "f%20g"),
        LinkRow("https://h/d/x", "a", "href"),
        LinkRow(PAGE, "a", "href", "here"),
        LinkRow("mailto:a", "a", "href", None, True, "scheme"),
        LinkRow("https://other/i", "img", "src", None, False, "scope"),
        LinkRow("https://h/d/n", "a", "href", None, True, "nofollow"),
    ]


def test_ids_are_reported_on_request() -> None:
    page = """
        <p id=one><a name=two id='th&amp;ree'><input name=no>
        <!-- <p id=no> --><svg><g id=four></svg><p ID=one>
    """
    found = extract(page, want_fragments=True)
    assert found.fragments == b"".join(map(fragment_hash, ("one", "th&ree", "two", "four")))
    assert extract("plain", content_type="text/plain", want_fragments=True).fragments is None


def test_results_survive_their_encoding() -> None:
    found = extract("<a href=x><a href=mailto:y><link rel=canonical href=c>", want_links=True)
    assert decode_links(found.encode()) == found


def test_hostile_links_are_bounded_and_end_nothing() -> None:
    page = f"<a href='/{'x' * (1 << 20)}'><a href='data:{'x' * (1 << 20)}'><a href=http://h:99999/><a href=y>"
    found = extract(page, trap_guard=False, want_links=True)
    assert split_urls(found.urls) == ["https://h/d/y"]
    assert found.not_followed == {Reason.INVALID: 2, Reason.SCHEME: 1}
    assert len(found.encode()) < 8 * MAX_LENGTH
