"""The page of a report: its markup, whatever the rows have, and its size."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace
from selectolax.lexbor import LexborHTMLParser

from fetchpool.model.record import Record
from fetchpool.report import figures
from fetchpool.report.build import content
from fetchpool.report.gather import Gatherer
from fetchpool.report.numbers import Numbers
from fetchpool.report.page import page
from fetchpool.report.row import Row
from fetchpool.report.term import lines
from fetchpool.report.words import share
from fetchpool.report.write import Form
from tests.factories import record
from tests.unit.report.rows import HOSTILE, run_rows, timestamp

MAX_SIZE = 400_000
GOLDEN = Path(__file__).parent / "golden"


def numbers(rows: Sequence[Record]) -> Numbers:
    gatherer = Gatherer()
    names = Row.__struct_fields__
    gatherer.add([Row(**{name: getattr(row, name) for name in names}) for row in rows])
    return gatherer.result()


def elements(html: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the elements with the names of their attributes, in order, without those of tables and links,
    whose number depends on the rows."""
    tree = LexborHTMLParser(html)
    return [(node.tag, tuple(sorted(node.attributes))) for node in tree.css("*")]


RUN = numbers(run_rows(2_000))


def test_the_page_answers_the_questions_without_being_opened_further() -> None:
    tree = LexborHTMLParser(page(RUN))
    figures = tree.css("figure")
    assert len(figures) >= 3
    for figure in figures:
        title = figure.css_first("svg > title")
        assert title is not None
        assert title.text() == figure.css_first("h3").text()  # type: ignore[union-attr]
        assert figure.css_first("svg").attributes["role"] == "img"  # type: ignore[union-attr]
    for details in tree.css("details"):
        details.decompose()
    words = tree.body.text()  # type: ignore[union-attr]
    for kind in RUN.kinds:
        assert kind.error in words
        assert f"{kind.urls:,}" in words
        for example in kind.examples:
            assert example.url in words
    assert f"{RUN.failed:,}" in words


def test_the_page_needs_nothing_else_and_allows_nothing_else() -> None:
    html = page(RUN)
    tree = LexborHTMLParser(html)
    assert not tree.css("script, link, img, iframe, object, embed, form, input, button")
    assert not tree.css("[style], [onclick], [src]")
    policy = tree.css_first("meta[http-equiv=Content-Security-Policy]").attributes["content"]  # type: ignore[union-attr]
    style = re.search("<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert "url(" not in style[1]
    assert "@import" not in style[1]


def hostile_rows(text: str) -> list[Record]:
    """Return rows of which every field that a server or a list decides has this text."""
    return [
        record(
            place,
            f"http://host/{place}{text}",
            url_effective=text,
            http_version=text,
            content_type=text,
            remote_ip=text,
            error=text if place % 2 else "http_404",
            errormsg=text,
            timestamp=text if place % 3 else timestamp(place),
        )
        for place in range(6)
    ] + [record(9, text, error="invalid_url"), record(10, f"http://{text}/")]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_no_text_of_a_row_becomes_markup(text: str) -> None:
    harmless = "x" * min(len(text), 300)
    html = page(numbers(hostile_rows(text)))
    found, known = elements(html), elements(page(numbers(hostile_rows(harmless))))
    assert {tag for tag, _ in found} <= {tag for tag, _ in known}
    assert set(found) <= set(known) | {("a", ("href", "rel", "target"))}
    for link in LexborHTMLParser(html).css("a"):
        assert (link.attributes["href"] or "").startswith(("http://", "https://"))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", html)
    assert "49" not in "".join(re.findall(r"host/\d(\d\d)", html))
    assert len(html.encode()) <= MAX_SIZE


def test_a_page_has_a_bounded_size_whatever_the_rows_are() -> None:
    rows = []
    for place in range(3_000):
        text = "&\"'<>\u4e00" * 400
        rows.append(
            record(
                place,
                f"http://{text[place % 7 :][:60]}{place}/{text}",
                content_type=f"{place}{text}",
                remote_ip=f"{place}{text}",
                http_version=f"{place}{text}",
                response_code=100 + place % 900,
                error=f"{place % 400}{text}" if place % 3 else None,
                errormsg=text,
                num_redirects=place % 40,
                num_retries=place % 5,
                time_total=1.01 ** (place % 1_800) / 1e5,
                size_delivered=int(1.02 ** (place % 1_400)),
                timestamp=timestamp(place * 7),
            )
        )
    html = page(numbers(rows))
    assert len(html.encode()) <= MAX_SIZE
    assert "other kinds" in html


@pytest.mark.parametrize("number", [0, 1, 2, 5])
def test_small_outputs_have_a_page(number: int) -> None:
    html = page(numbers([record(place) for place in range(number)]))
    assert ("no rows" in html) == (number == 0)
    assert ("<h1>Report of 1 URL</h1>" in html) == (number == 1)
    assert len(LexborHTMLParser(html).css("figure")) >= (3 if number else 0)


def test_an_output_with_failures_only_has_a_page() -> None:
    rows = [
        record(place, error="dns", response_code=None, size_delivered=None, time_total=None)
        for place in range(9)
    ]
    html = page(numbers(rows))
    assert "host name does not exist" in html
    assert "Sizes of bodies" not in html


def test_equal_rows_give_equal_bytes() -> None:
    again = numbers(run_rows(2_000))
    for form in Form:
        assert content(again, form) == content(RUN, form)


def test_text_has_the_same_numbers() -> None:
    words = "\n".join(map(str, lines(RUN)))
    for kind in RUN.kinds:
        assert re.search(rf"{kind.urls} {kind.error} ", words)
    for label in ("p50", "p90", "p95", "p99"):
        assert label in words
    assert max(map(len, words.splitlines())) < 180


@pytest.mark.parametrize("number", [0, 1, 3])
def test_text_of_small_outputs(number: int) -> None:
    words = "\n".join(map(str, lines(numbers([record(place) for place in range(number)]))))
    assert words.startswith("fetchpool report\n")
    assert {0: "no rows", 1: "1 URL in", 3: "3 URLs in"}[number] in words


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:24])
def test_text_has_no_control_characters(text: str) -> None:
    words = "".join(map(str, lines(numbers(hostile_rows(text)))))
    assert words.isprintable()


SMALL = numbers(
    [
        record(
            place, time_total=0.01 * (place + 1), size_delivered=10 ** (place % 5), timestamp=timestamp(place)
        )
        for place in range(8)
    ]
    + [replace(record(8, error="dns", time_total=1.5), timestamp=timestamp(8), size_delivered=None)]
)


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("outcome", figures.outcome(SMALL)),
        ("times", figures.times(SMALL.times)),
        ("phases", figures.phases(SMALL.phases)),
        ("rates", figures.rates(SMALL.course)),
        ("time_course", figures.time_course(SMALL.course)),
        ("sizes", figures.sizes(SMALL.sizes)),
    ],
)
def test_the_figures_are_drawn_as_before(name: str, figure: figures.Figure | None) -> None:
    """After a change that is wanted: look at them, then remove the files and run this test."""
    assert figure is not None
    drawn = "\n".join([figure.title, figure.description, *figure.svg.replace("><", ">\n<").split("\n"), ""])
    golden = GOLDEN / f"{name}.svg.txt"
    if not golden.exists():
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(drawn)
        pytest.fail(f"{golden} was written: run again")
    assert drawn == golden.read_text()


def test_shares_are_rounded_so_that_only_all_is_all() -> None:
    found = [share(part, 100_000) for part in (100_000, 99_999, 99_960, 98_700, 42_000, 9_940, 31, 1)]
    assert found == ["100 %", ">99.99 %", "99.96 %", "98.7 %", "42 %", "9.9 %", "0.031 %", "0.001 %"]


def test_a_failure_without_a_url_has_an_example_with_a_name() -> None:
    found = numbers([replace(record(0, error="invalid_url"), url="")])
    assert "(empty URL)" in "\n".join(map(str, lines(found)))
    assert "<li>(empty URL)" in page(found)
