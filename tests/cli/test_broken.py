"""`fetchpool broken`, as a user runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from junitparser import JUnitXml

from tests.cli.runner import fetchpool
from tests.unit.report.broken_links.files import link, row, write


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of a crawl with a broken link on two pages."""
    directory = tmp_path_factory.mktemp("crawled")
    rows = [row(""), row("a"), row("gone", "http_404"), row("shut", "http_403")]
    write(directory, rows, [link("", "a"), link("", "gone"), link("a", "gone"), link("", "shut")])
    return directory


def test_broken_links_are_on_standard_output_and_the_exit_code_is_1(crawled: Path) -> None:
    done = fetchpool("broken", "rows.jsonl", "--links", "links.jsonl", cwd=crawled)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines() == [
        "1 broken link on 2 pages (4 URLs and 4 links checked)",
        "",
        "http://h/",
        "  http_404       http://h/gone",
        "",
        "http://h/a",
        "  http_404       http://h/gone",
        "",
        "1 unsure link (not counted as broken: the server may answer a browser)",
        "  http_403       http://h/shut",
        "                 on http://h/",
    ]


def test_each_format_reports_the_same(crawled: Path) -> None:
    command = ("broken", "rows.jsonl", "--links", "links.jsonl", "--format")
    done = fetchpool(*command, "json", cwd=crawled)
    assert done.returncode == 1
    totals = json.loads(done.stdout)["totals"]
    assert (totals["broken"], totals["broken_pages"], totals["unsure"]) == (1, 2, 1)
    done = fetchpool(*command, "junit", cwd=crawled)
    assert done.returncode == 1
    (suite,) = JUnitXml.fromstring(done.stdout.encode())
    assert (suite.tests, suite.failures, suite.skipped) == (3, 1, 1)
    done = fetchpool(*command, "markdown", cwd=crawled)
    assert done.returncode == 1
    assert "| `http://h/gone` | http_404 | on 2 pages, first http://h/ |" in done.stdout.splitlines()


def test_unsure_links_alone_are_no_failure(tmp_path: Path) -> None:
    write(tmp_path, [row(""), row("a", "http_429"), row("b", "robots"), row("c", "http_999")])
    done = fetchpool("broken", "rows.jsonl", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.startswith("no broken links (4 URLs checked)\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing argument OUT, e.g. fetchpool broken rows.jsonl --links links.jsonl"),
        (["none.jsonl"], "none.jsonl: no such file; check its name"),
        (["-"], "OUT: standard input can't be read twice; write the rows to a file first"),
        (["rows.jsonl", "--links", "none.jsonl"], "none.jsonl: no such file; check its name"),
        (["rows.jsonl", "--links", "none.sqlite"], "none.sqlite: no such file; check its name"),
        (["rows.jsonl", "--links", "rows.jsonl"], "rows.jsonl: has no links; name an output of --links"),
        (
            ["rows.jsonl", "--links", "links.txt"],
            "--links: links.txt: name a .jsonl, .csv, .tsv, .sqlite or .parquet file",
        ),
        (["rows.jsonl", "--format", "xml"], "--format: 'xml' is not one of text, json, junit, markdown"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(crawled: Path, arguments: list[str], said: str) -> None:
    done = fetchpool("broken", *arguments, cwd=crawled)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"fetchpool: {said}\n"
