"""Links are those that a parser finds which builds the tree, on real pages and on random ones."""

from __future__ import annotations

import random
import re

import html5lib
import pytest

from fetchpool.crawl.character_references import decoded
from fetchpool.crawl.page_scan import PageScan
from tests.unit.http.test_markup import real_pages

URL_OF = {"a": "href", "area": "href", "img": "src", "script": "src", "iframe": "src"}
TOKENS = [
    *(
        '<a href="%d">',
        "<a href=%d>",
        "<a title='x>y' href='%d'>",
        '<a rel="x" class=y href="%d" id=i>',
        "</a>",
    ),
    *('<A HREF = "%d" >', '<a data-href="%d" href="n%d">', "<a/href=%d>", '<a href="%d ', "<a href='%d>"),
    *(
        "<img src=%d>",
        "<area href=%d>",
        '<script src="%d">',
        "</script>",
        "<!--",
        "-->",
        "--!>",
        "<!-->",
        "</>",
    ),
    *("<style>", "</style>", "<title>", "</title>", "<title/>", "<textarea>", "</textarea>", "<xmp>", "<?x"),
    *("<p>", '</p title="<a href=q>">', '<p ="x>', '<div title="', '<div class="x">', '<div id=%d x="<b">'),
    *(
        "'",
        '"',
        ">",
        "<",
        "=",
        "/",
        " ",
        "x",
        "]]>",
        "&amp;",
        "<br/>",
        "<noscript>",
        "</noscript>",
        "<iframe>",
    ),
    *("</iframe>", "<!doctype html>", "<span a=1 b=\"2\" c='3'>", "<plaintext>", "<abbr href=%d>"),
]
PICTURES = [
    *("<svg>", "</svg>", "<svg/>", "<desc>", "<math>", "</math>", "<mi>", "<template>", "</template>"),
    *("<![CDATA[", "<use href=%d>"),
]


class CarefulScan(PageScan):
    """Reads each tag without the fast path."""

    def _tokens(self, page: str) -> re.Pattern[str]:  # noqa: ARG002
        return re.compile(r"<(?=[!?/a-zA-Z])(?:(?!)()()()|)")


def found(page: str, scan: PageScan) -> set[str]:
    scan.scan(page)
    return {decoded(url) for url in scan.found}


def ids(page: str) -> set[str]:
    scan = PageScan(want_ids=True)
    scan.scan(page)
    return set(scan.ids)


def in_tree(page: str) -> tuple[set[str], set[str]]:
    """The links and the ids in the tree of a page without pictures, as html5lib builds it."""
    links, names = set(), set()
    for element in html5lib.parse(page, namespaceHTMLElements=False).iter():
        if isinstance(element.tag, str):
            names.add(element.get("id"))
            if element.tag == "a":
                names.add(element.get("name"))
            url = element.get(URL_OF.get(element.tag, ""))
            if url is not None and (url.strip() or element.tag in ("a", "area")):
                links.add(url)
    return links, names - {None, ""}


def soups(tokens: list[str], number: int) -> list[str]:
    chosen = random.Random(7)
    pages = []
    for _ in range(number):
        picked = chosen.choices(tokens, k=chosen.randrange(2, 14))
        pages.append("".join(token.replace("%d", str(at)) for at, token in enumerate(picked)))
    return pages


def test_random_pages_have_the_links_that_their_tree_has() -> None:
    for page in soups(TOKENS, 700):
        links, names = in_tree(f"<!doctype html><body>{page}")
        assert found(page, PageScan()) == links, page
        assert ids(page) == names, page


def test_the_fast_path_finds_what_the_careful_one_finds() -> None:
    for page in soups([*TOKENS, *PICTURES], 2_000):
        expected = found(page, CarefulScan())
        assert found(page, PageScan()) == expected, page
        assert found(f"{page}rl(ollow", PageScan(want_instances=True)) == expected, page


def test_real_pages_have_the_links_that_their_tree_has() -> None:
    in_trees = 0
    for path in real_pages(60):
        if path.stat().st_size > 60_000:
            continue
        page = path.read_text(errors="replace")
        expected = found(page, CarefulScan())
        assert found(page, PageScan()) == expected, path
        if path.stat().st_size < 12_000 and in_trees < 5:
            in_trees += 1
            links, names = in_tree(page)
            assert links <= expected, path
            assert ids(page) == names, path


@pytest.mark.parametrize(
    "page",
    [
        # Each takes a parser that builds the tree the square of its length, or longer.
        "<b i>" * 20_000 + "<i i>" * 20_000 + "x</b>" * 20_000,
        "<option>" * 50_000,
        "<ul><li>" * 50_000,
        "<div>" * 80_000,
        "<a>" * 100_000,
        "<table><tr><td>" * 20_000,
        "<svg><desc>" * 30_000,
        "<template>" * 30_000 + "</template>" * 30_000,
        "<p " + " ".join(f"a{number}" for number in range(50_000)) + ">",
        "<p title='" * 40_000 + "'>",
        "<!-- <script> --> <" * 20_000,
        "<a href='x" * 1_000 + "'>",
    ],
    ids=lambda page: page[:12],
)
def test_hostile_pages_have_their_links(page: str) -> None:
    scan = PageScan()
    scan.scan(f"<a href=first>{page}<a href=last>")
    assert {"first", "last"} <= scan.found.keys()
