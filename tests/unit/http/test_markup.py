"""The title among the tags: what a browser's parser finds, in linear time."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from selectolax.lexbor import LexborHTMLParser

from fetchpool.http.parsers.markup import MAX_TAGS, first_title

TOKENS = (
    "<title>,</title>,<!--,-->,<!-->,<!--->,--!>,<script>,</script>,<style>,</style>,<textarea>,</textarea>,"
    "<iframe>,</iframe>,<noscript>,</noscript>,<!doctype html>,<head>,</head>,<body>,<p>,</p>,<br/>,<?x>,</>,"
    "<div a='<title>'>,<a b=\"x>\" c=d>,<a / ='>,<svg>,</svg>,<svg/>,<desc>,</desc>,<math>,</math>,"
    "<template>,</template>,&amp;,&eacute,&#65;,&#x41,&#999999999;,x, ,',\",>,=,/,]]>,<script ,<![CDATA["
)


def real_pages(number: int) -> list[Path]:
    """About so many pages of Python's documentation. Without them, the test is skipped."""
    pages = sorted({path.resolve() for path in Path("/usr/share/doc").glob("python3*/html/**/*.html")})
    if not pages:
        pytest.skip("needs the Debian package python3-doc")
    return pages[:: max(1, len(pages) // number)]


def title_in_tree(page: str) -> str | None:
    """The title that a parser finds which builds the complete tree."""
    node = LexborHTMLParser(page).css_first("title:not(svg title, math title)")
    return None if node is None else " ".join(node.text().split())


def test_real_pages_have_the_title_that_their_tree_has() -> None:
    for path in real_pages(300):
        page = path.read_text(errors="replace")
        assert first_title(page) == title_in_tree(page), path


def test_tags_in_any_order_have_the_title_that_their_tree_has() -> None:
    shuffled, tokens = random.Random(5), TOKENS.split(",")
    for _ in range(3_000):
        page = "".join(shuffled.choices(tokens, k=shuffled.randint(1, 12)))
        assert first_title(page) == title_in_tree(page), page


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("<script><!-- <script> </script> --> <title>no</title></script><title>yes</title>", "yes"),
        ("<script><!--> </script><title>yes</title>", "yes"),
        ("<svg><style><title>no</title></style></svg><title>yes</title>", "yes"),
        ("<svg><p><title>yes</title>", "yes"),
        ("<svg><foreignObject><title>no</title></foreignObject></svg><title>yes</title>", "yes"),
        ("<template><title>no</title></template><title>yes</title>", "yes"),
        ("<plaintext><title>no</title>", None),
        ("<title/>yes</title>", "yes"),
        ("<title>a&#" + "0" * 5_000 + "65;b</title>", "aAb"),
        ("<title>a&#" + "9" * 5_000 + ";b&#x" + "f" * 5_000 + ";</title>", "a\ufffdb\ufffd"),
        ("<a>" * (MAX_TAGS - 2) + "<title>yes</title>", "yes"),
        ("<a>" * MAX_TAGS + "<title>no</title>", None),
    ],
)
def test_where_a_title_may_stand(page: str, title: str | None) -> None:
    assert first_title(page) == title
