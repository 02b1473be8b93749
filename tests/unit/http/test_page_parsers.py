"""The built-in parsers `meta`, `links` and `text`: what they find, and how long it takes."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from fetchpool.http.parsers.run import load, run
from fetchpool.http.response import Response
from fetchpool.model import urls
from fetchpool.transports.base import Headers
from tests.unit.http.test_markup import real_pages

HTML = Headers([b"Content-Type: text/html; charset=utf-8"])
URL = "http://h.example/dir/page"


def parsed(parser: str, page: str, headers: Headers = HTML) -> dict[str, Any]:
    fields, failure = run(load((parser,)), Response(url=URL, content=page.encode(), headers=headers))
    assert failure is None
    return fields


def links(page: str) -> Any:
    return parsed("links", page)["links"]


def text(page: str) -> Any:
    return parsed("text", page)["text"]


def test_links_are_absolute_and_each_is_there_once() -> None:
    page = """
        <a href="x">1</a> <A HREF='/y?a=1&amp;b=2#part'>2</a> <a href=//other.example/>3</a>
        <a href=x#2>1 again</a>
        <a href="?a&copy=2&lt;">5</a> <a>none</a> <a href="">none</a> <a href="#part">none</a>
        <a href=mailto:a@b>none</a>
        <a href="javascript:x">none</a> <area href=" z ">4 <link href=style.css> <a href="http://[">none</a>
    """
    assert links(page) == [
        "http://h.example/dir/x",
        "http://h.example/y?a=1&b=2",
        "http://other.example/",
        "http://h.example/dir/page?a&copy=2%3C",
        "http://h.example/dir/z",
    ]


def test_a_base_is_for_all_links_and_the_first_one_counts() -> None:
    page = '<a href=x><base target=_top><base href="/other/"><base href=/third/>'
    assert links(page) == ["http://h.example/other/x"]


@pytest.mark.parametrize(
    "page",
    [
        "<!-- <a href=no> -->",
        "<script>'<a href=no>'</script>",
        "<textarea><a href=no></textarea>",
        "<template><a href=no></template>",
        "<p title='<a href=no>'>",
        "<a href=no",
        "<!-- <a href=no>",
        "<style><a href=no>",
    ],
)
def test_what_is_no_link_is_none(page: str) -> None:
    assert links(page) == []
    assert links(f"<a href=yes>{page}") == ["http://h.example/dir/yes"]


def test_a_page_has_all_of_its_links() -> None:
    page = "".join(f"<a href=/page/{number}>" for number in range(200_000))
    found = links(page)
    assert (len(found), found[-1]) == (200_000, "http://h.example/page/199999")


def test_real_pages_have_the_links_that_their_tree_has() -> None:
    for path in real_pages(60):
        page = path.read_text(errors="replace")
        hrefs = [node.attributes.get("href") for node in LexborHTMLParser(page).css("a[href], area[href]")]
        targets = [urls.parse(href.strip(), URL) for href in hrefs if href and not href.startswith("#")]
        expected = dict.fromkeys(target.href for target in targets if isinstance(target, urls.Url))
        assert links(page) == list(expected), path


def test_meta_has_what_a_page_says_of_itself() -> None:
    page = """
        <html lang=" de-CH "><head><title>T</title>
        <meta NAME=Description content=" Two\n words &amp; more "><meta name=description content=second>
        <meta property=og:title content="A title"><meta property="og:image:width" content=5>
        <meta name="OG:Site_Name" content=Site><meta property=og: content=none>
        <base href="/b/"><link rel="alternate canonical" href="c?x"><link rel=canonical href=second>
    """
    found = {name: value for name, value in parsed("meta", page).items() if value is not None}
    assert found == {
        "description": "Two words & more",
        "canonical": "http://h.example/b/c?x",
        "language": "de-CH",
        "og:title": "A title",
        "og:image:width": "5",
        "og:site_name": "Site",
    }


def test_meta_of_another_page_is_empty() -> None:
    assert set(parsed("meta", "<p>").values()) == {None}
    picture = Headers([b"Content-Type: image/png"])
    assert set(parsed("meta", "<html lang=de>", picture).values()) == {None}
    assert parsed("meta", "<meta http-equiv=Content-Language content=fr>")["language"] == "fr"
    many = "".join(f"<meta property=og:{number} content=x>" for number in range(10_000))
    assert len(parsed("meta", many)) == 100


@pytest.mark.parametrize(
    ("page", "visible"),
    [
        ("<title>no</title><h1>One</h1><p>t<b>w</b>o<br>three", "One two three"),
        ("a<script>no</script><style>no</style><!-- no -->b", "ab"),
        ("<noscript>no<p>no</noscript>yes", "yes"),
        ("<div hidden>no<div>no</div>no</div>yes<span hidden>no</span>", "yes"),
        ("<table><tr><td>1<td>2</table>", "1 2"),
        ("&lt;p&gt; gr&uuml;&szlig;e&nbsp;x", "<p> grüße\xa0x"),
        ("<svg><text>no</text></svg><template>no</template>yes", "yes"),
        ("a\u00adb\u200bc", "abc"),
        ("yes<p>cut <a href='", "yes cut"),
        ("", ""),
    ],
)
def test_text_is_what_a_reader_sees(page: str, visible: str) -> None:
    assert text(page) == visible


def test_text_of_other_content() -> None:
    assert parsed("text", "a\n b", Headers([b"Content-Type: text/plain"])) == {"text": "a b"}
    assert parsed("text", "{}", Headers([b"Content-Type: application/json"])) == {"text": None}


REAL = """
    <div class="item"><a href="/page/{}?a=1&amp;b=2" title='x'>A link</a>
    <p>Some text &amp; more, <b>bold</b>.</p>
    <!-- a comment --><script>var a = '<b>';</script><img src=a.png></div>
"""
WORST = "<a href=/{} b=' c d e f=g <base href=x{}><meta property=og:{} content=x><!-- <div hidden> &#{}"


@pytest.mark.parametrize("parser", ["title", "meta", "links", "text"])
@pytest.mark.parametrize("row", [REAL, WORST], ids=["usual", "unusual"])
def test_four_times_the_page_takes_at_most_six_times_as_long(parser: str, row: str) -> None:
    (found,) = load((parser,))

    def seconds(rows: int) -> float:
        page = "".join(row.replace("{}", str(number)) for number in range(rows)).encode()
        response = Response(url=URL, content=page, headers=HTML)
        started = process_time()
        found.function(response)
        return process_time() - started

    for _ in range(5):  # a busy machine may slow the one or the other
        part, complete = seconds(2_000), seconds(8_000)
        if complete <= 6 * part or complete < 0.02:
            return
    pytest.fail(f"{complete:.3f} s, and a quarter of it {part:.3f} s")
