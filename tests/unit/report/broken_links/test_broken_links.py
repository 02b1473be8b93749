"""What a link check finds in the files of a crawl, and how it is reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from junitparser import JUnitXml
from msgspec.structs import replace

from fetchpool.config.outputs import parse_outputs
from fetchpool.model.link import Link
from fetchpool.model.text import escape_invisible
from fetchpool.progress.format import Style
from fetchpool.report.broken_links import json_report, junit, markdown, text
from fetchpool.report.broken_links.findings import Findings
from fetchpool.report.broken_links.gather import gather
from fetchpool.report.broken_links.verdict import Verdict, verdict
from tests.unit.report.broken_links.files import HOME, HOSTILE, link, row, write


def check(directory: Path, format: str = "jsonl") -> Findings:
    links = directory / f"links.{format}"
    outputs = parse_outputs([str(directory / f"rows.{format}")], None)
    return gather(outputs, str(links) if links.exists() else None)


def broken(findings: Findings, verdict: Verdict = Verdict.BROKEN) -> dict[str, list[str]]:
    """Return the pages that link to each broken target."""
    return {
        finding.url.removeprefix(HOME): [each.page.removeprefix(HOME) for each in findings.referrers(finding)]
        for finding in findings.of(verdict)
    }


@pytest.mark.parametrize("format", ["jsonl", "csv", "sqlite", "parquet"])
def test_every_page_that_links_to_a_broken_page_is_reported(tmp_path: Path, format: str) -> None:
    pages = [f"page/{number:03}" for number in range(100)]
    rows = [row(page) for page in pages]
    links = [link(page, "gone") for page in reversed(pages)] + [link("page/000", "page/001")]
    write(tmp_path, [*rows, row("gone", "http_404", "http://h/page/000")], links, format=format)
    findings = check(tmp_path, format)
    assert broken(findings) == {"gone": pages}
    assert findings.links == 101
    shown = list(map(str, text.lines(findings)))
    assert shown == [
        "1 broken link on 100 pages (101 URLs and 101 links checked)",
        "",
        "On many pages",
        "  http_404       http://h/gone",
        "                 on 100 pages, first http://h/page/000",
    ]


def test_without_links_the_page_that_was_first_is_reported(tmp_path: Path) -> None:
    write(tmp_path, [row(""), row("a", "http_404"), row("b", "dns", "http://h/c"), row("x", "tls", None)])
    findings = check(tmp_path)
    assert broken(findings) == {"a": [""], "b": ["c"], "x": [""]}
    assert findings.links is None
    shown = [str(each) for each in text.lines(findings)]
    assert shown[0] == "3 broken links on 2 pages (4 URLs checked)"
    assert shown[2:4] == ["Given, or in a sitemap", "  tls            http://h/x"]
    assert shown[-1] == text.ONE_PAGE


def test_the_last_row_of_a_url_counts(tmp_path: Path) -> None:
    rows = [row("a", "http_500"), row("b"), row("a"), row("b", "http_404")]
    write(tmp_path, rows, [link("", "a"), link("", "b")])
    assert broken(check(tmp_path)) == {"b": [""]}


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, Verdict.FINE),
        ("too_large", Verdict.FINE),
        ("parse", Verdict.FINE),
        ("http_404", Verdict.BROKEN),
        ("http_410", Verdict.BROKEN),
        ("http_500", Verdict.BROKEN),
        ("dns", Verdict.BROKEN),
        ("refused", Verdict.BROKEN),
        ("tls", Verdict.BROKEN),
        ("timeout_total", Verdict.BROKEN),
        ("invalid_url", Verdict.BROKEN),
        ("too_many_redirects", Verdict.BROKEN),
        *((f"http_{status}", Verdict.UNSURE) for status in (401, 403, 429, 451, 503, 999)),
        ("robots", Verdict.UNSURE),
        ("host_down", Verdict.UNSURE),
    ],
)
def test_errors_are_broken_unsure_or_neither(error: str | None, expected: Verdict) -> None:
    assert verdict(error) is expected


def test_a_redirect_to_what_is_broken_is_broken_with_its_chain(tmp_path: Path) -> None:
    rows = [
        row(""),
        row("old", redirect_url="http://h/older"),
        row("older", redirect_url="http://h/gone", found_on="http://h/old"),
        row("gone", "http_404", found_on="http://h/older"),
        row("moved", redirect_url="http://h/"),
        row("away", redirect_url="http://other/"),  # not asked: nothing is known about it
        row("shut", redirect_url="http://h/login"),
        row("login", "http_403", found_on="http://h/shut"),
    ]
    write(tmp_path, rows, [link("", "old"), link("", "moved"), link("", "away"), link("x", "shut")])
    findings = check(tmp_path)
    assert broken(findings) == {"old": [""]}
    assert broken(findings, Verdict.UNSURE) == {"shut": ["x"]}
    (found,) = findings.of(Verdict.BROKEN)
    assert (found.error, found.chain) == ("http_404", ("http://h/old", "http://h/older", "http://h/gone"))
    assert [str(each) for each in text.entry(found, Style.BAD)] == [
        "  http_404       http://h/old",
        "                 → http://h/older",
        "                 → http://h/gone",
    ]


def test_redirects_without_an_end_are_broken(tmp_path: Path) -> None:
    long = [row(f"r{number}", redirect_url=f"http://h/r{number + 1}") for number in range(30)]
    circle = [row("a", redirect_url="http://h/b"), row("b", redirect_url="http://h/a#x")]
    write(tmp_path, [*long, row("r30"), *circle], [link("", "a"), link("", "r0"), link("", "r25")])
    findings = check(tmp_path)
    messages = {found.url: found.message for found in findings.of(Verdict.BROKEN) if found.first == HOME}
    assert messages["http://h/a"] == "redirects in a circle"
    assert messages["http://h/r0"] == "more than 10 redirects"
    assert "http://h/r25" not in messages


def test_an_invalid_link_needs_no_row(tmp_path: Path) -> None:
    invalid = replace(link("", ""), to="http://[", reason="invalid", followed=False)
    write(tmp_path, [row("")], [invalid, replace(invalid, to="mailto:x", reason="scheme")])
    findings = check(tmp_path)
    assert [(found.url, found.error) for found in findings.of(Verdict.BROKEN)] == [
        ("http://[", "invalid_url")
    ]


FRAGMENTS = {
    "a#one": False,
    "a#One": True,  # ids are case-sensitive
    "a#none": True,
    "a#top": False,
    "a#TOP": False,
    "a#": False,
    "a#:~:text=x": False,
    "a#one:~:text=x": False,
    "a#none:~:text=x": True,
    "a#a%28b%29": False,  # compared as decoded, too
    "a#a(b)": False,
    "a#%C3%BC": False,
    "a#%63": False,  # this one is the id
    "moved#one": False,
    "moved#none": True,
    "named#none": False,  # the redirect names another one
    "file.pdf#page=2": False,  # not HTML: nothing is known of it
    "b#one": True,  # a page without any id
    "gone#one": False,  # the page is broken, not the fragment
}


def test_exactly_the_links_to_missing_elements_are_broken(tmp_path: Path) -> None:
    rows = [
        *map(row, ("", "a", "b", "file.pdf")),
        row("moved", redirect_url="http://h/moved2"),
        row("moved2", redirect_url="http://h/a", found_on="http://h/moved"),
        row("named", redirect_url="http://h/a#one"),
        row("gone", "http_404"),
    ]
    links = [link("", *each.split("#")) for each in FRAGMENTS]
    write(tmp_path, rows, links, {"": [], "a": ["one", "a(b)", "ü", "%63"], "b": []})
    findings = check(tmp_path)
    missing = {url for url, is_missing in FRAGMENTS.items() if is_missing}
    assert broken(findings) == {url: [""] for url in sorted(missing)} | {"gone": [""]}
    errors = {found.url: (found.error, found.chain) for found in findings.of(Verdict.BROKEN)}
    assert errors["http://h/a#none"] == ("fragment", ())
    chain = ("http://h/moved", "http://h/moved2", "http://h/a")
    assert errors["http://h/moved#none"] == ("fragment", chain)


def test_the_order_of_files_changes_no_report(tmp_path: Path) -> None:
    rows = [row(""), row("a"), row("b"), row("c", "http_404"), row("d", "dns", None)]
    links = [link(page, to, "x") for page in ("b", "a", "") for to in ("c", "a", "b")]
    reports = set()
    for number in range(2):
        directory = tmp_path / str(number)
        directory.mkdir()
        ids = {"a": ["y"], "b": ["x"]}
        write(directory, rows, links, dict(reversed(ids.items())) if number else ids)
        rows.reverse()
        links.reverse()
        reports.add(b"".join(json_report.pieces(check(directory))))
    assert len(reports) == 1


@pytest.fixture
def mixed(tmp_path: Path) -> Findings:
    """Findings of all kinds, with hostile text."""
    rows = [
        row(""),
        row("c|d", "http_404"),
        row("e", "http_403"),
        row("old", redirect_url="http://h/c|d"),
        replace(row("f", "tls"), errormsg="<certificate> & \x1b[31m expired"),
    ]
    links = [link("", "c|d"), link("p", "c|d", tag="img"), link("", "e"), link("", "old"), link("", "f")]
    hostile = Link(HOME, HOSTILE, "a", "href", None, False, False, "invalid")
    write(tmp_path, rows, [*links, hostile], format="jsonl")
    return check(tmp_path)


def test_json_has_every_target_with_every_link(mixed: Findings) -> None:
    report = json.loads(b"".join(json_report.pieces(mixed)))
    assert report["totals"] == {
        "urls": 5,
        "links": 6,
        "fragments": 0,
        "broken": 4,
        "broken_pages": 2,
        "unsure": 1,
    }
    assert report["unsure"][0]["url"] == "http://h/e"
    found = {each["url"]: each for each in report["broken"]}
    assert found["http://h/c|d"] == {
        "url": "http://h/c|d",
        "error": "http_404",
        "message": None,
        "redirects": [],
        "pages": 2,
        "links": [
            {"page": "http://h/", "tag": "a", "attribute": "href"},
            {"page": "http://h/p", "tag": "img", "attribute": "href"},
        ],
    }
    assert found["http://h/old"]["redirects"] == ["http://h/old", "http://h/c|d"]


def test_junit_is_read_by_a_parser_of_it(mixed: Findings) -> None:
    report = JUnitXml.fromstring(b"".join(junit.pieces(mixed)))
    (suite,) = report
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (6, 4, 0, 1)
    cases = {case.name: case for case in suite}
    assert len(cases) == 6
    assert cases["5 URLs checked"].is_passed
    assert cases["http://h/e"].is_skipped
    (failure,) = cases["http://h/c|d"].result
    assert (failure.type, failure.message) == ("http_404", "http_404, on 2 pages, first http://h/")
    assert failure.text.splitlines() == ["http://h/ (a href)", "http://h/p (img href)"]
    (failure,) = cases["http://h/old"].result
    assert failure.text.splitlines() == ["redirects to http://h/c|d", "http://h/ (a href)"]


def test_junit_of_a_site_without_broken_links_has_a_case_that_passes(tmp_path: Path) -> None:
    write(tmp_path, [row("")], [])
    (suite,) = JUnitXml.fromstring(b"".join(junit.pieces(check(tmp_path))))
    assert [case.is_passed for case in suite] == [True]


def test_markdown_is_a_table_that_no_url_breaks(mixed: Findings) -> None:
    lines = b"".join(markdown.pieces(mixed)).decode().splitlines()
    assert lines[0] == "## 4 broken links on 2 pages (5 URLs and 6 links checked)"
    assert lines[2:4] == ["| Link | Problem | Where |", "|---|---|---|"]
    table = [each for each in lines[4:] if each.startswith("|")]
    assert all(len(re.findall(r"(?<!\\)\|", each)) == 4 for each in table)
    assert r"| `http://h/c\|d` | http_404 | on 2 pages, first http://h/ |" in table
    assert r"| `http://h/old` → `http://h/c\|d` | http_404 | on http://h/ |" in table


def test_the_text_has_no_character_that_moves_a_cursor(mixed: Findings) -> None:
    shown = [str(each) for each in text.lines(mixed)]
    assert shown == [escape_invisible(each) for each in shown]


def test_an_empty_url_of_a_list_has_a_name(tmp_path: Path) -> None:
    write(tmp_path, [replace(row("", "invalid_url", None), url="")], [])
    findings = check(tmp_path)
    assert "  invalid_url    (empty URL)" in map(str, text.lines(findings))
    assert b"| `(empty URL)` |" in b"".join(markdown.pieces(findings))
    (suite,) = JUnitXml.fromstring(b"".join(junit.pieces(findings)))
    assert [case.name for case in suite][1:] == ["(empty URL)"]


def test_a_long_table_says_how_many_rows_it_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "MAX_ROWS", 3)
    write(tmp_path, [row(f"p{number}", "http_404") for number in range(5)], [])
    lines = b"".join(markdown.pieces(check(tmp_path))).decode().splitlines()
    assert lines[-1] == "2 more links: see another format."
    assert len([each for each in lines if each.startswith("| `")]) == 3


def test_a_site_without_broken_links_is_one_line(tmp_path: Path) -> None:
    write(tmp_path, [row("")], [link("", "")])
    assert [str(each) for each in text.lines(check(tmp_path))] == [
        "no broken links (1 URL and 1 link checked)"
    ]
