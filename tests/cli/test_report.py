"""`fetchpool report`, and `--report` at the end of a run, as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from tests.cli.runner import Terminal, fetchpool, peak_memory
from tests.unit.report.rows import run_rows, write


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run."""
    made = tmp_path_factory.mktemp("outputs")
    for name in ("rows.jsonl", "rows.csv", "rows.sqlite", "sizes.txt"):
        write(made / name, run_rows(300))
    (made / "empty.jsonl").touch()
    (made / "notes.txt").write_text("Not an output\n")
    return made


def test_a_page_is_written_and_one_line_says_so(directory: Path) -> None:
    for _ in range(2):  # a report is overwritten
        done = fetchpool("report", "rows.jsonl", "-o", "report.html", cwd=directory)
        assert (done.returncode, done.stdout) == (0, "")
        failed = sum(row.error is not None for row in run_rows(300))
        assert done.stderr == f"report.html: 300 URLs, {failed} failed\n"
    assert (directory / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_every_format_gives_the_same_page(directory: Path) -> None:
    pages = set()
    for name in ("rows.jsonl", "rows.csv", "rows.sqlite"):
        assert fetchpool("report", name, "-q", "-o", f"{name}.html", cwd=directory).returncode == 0
        pages.add((directory / f"{name}.html").read_bytes())
    assert len(pages) == 1


def test_json_and_text_go_to_standard_output_or_to_a_file(directory: Path) -> None:
    done = fetchpool("report", "rows.jsonl", "--json", cwd=directory)
    numbers = json.loads(done.stdout)
    assert done.stderr == ""
    assert numbers["total"] == 300
    assert numbers["ok"] + numbers["failed"] == 300
    assert sum(numbers["failures"].values()) == numbers["failed"]
    assert 0 < numbers["p50"] < numbers["p90"] < numbers["p95"] < numbers["p99"]
    text = fetchpool("report", "rows.jsonl", "--term", cwd=directory).stdout
    assert text.startswith("fetchpool report\n300 URLs in ")
    for arguments, content in (
        (("--json", "-o", "a.out"), done.stdout),
        (("-o", "a.json"), done.stdout),
        (("--term", "-o", "b.out"), text),
        (("-o", "b.txt"), text),
    ):
        assert fetchpool("report", "rows.jsonl", *arguments, "-q", cwd=directory).returncode == 0
        assert (directory / arguments[-1]).read_text() == content


def test_text_is_shown_on_a_terminal(directory: Path) -> None:
    with Terminal(["report", "rows.jsonl"], directory) as terminal:
        terminal.wait_for("300 URLs in ")
        assert terminal.process.wait(timeout=30) == 0


def test_a_page_and_text_are_made_at_once(directory: Path) -> None:
    done = fetchpool("report", "rows.jsonl", "-o", "both.html", "--term", cwd=directory)
    assert done.stdout.startswith("fetchpool report\n")
    assert (directory / "both.html").exists()


def test_an_empty_output_has_a_report(directory: Path) -> None:
    done = fetchpool("report", "empty.jsonl", "-o", "empty.html", cwd=directory)
    assert (done.returncode, done.stderr) == (0, "empty.html: 0 URLs\n")
    assert json.loads(fetchpool("report", "empty.jsonl", "--json", cwd=directory).stdout)["total"] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "missing argument OUT, e.g. fetchpool report results.jsonl -o report.html"),
        (["rows.jsonl"], "nothing to write; name a file, e.g. -o report.html, or choose --term or --json"),
        (["missing.jsonl"], "missing.jsonl: no such file; check its name"),
        (["rows.jsonl", "--term", "--json"], "--term and --json are mutually exclusive on standard output"),
        (["missing.jsonl", "--json"], "missing.jsonl: no such file; check its name"),
        (
            ["-", "--json"],
            "OUT: a report can't read standard input; write the rows to a file first, e.g. -o rows.jsonl",
        ),
        (["/dev/null", "--json"], "/dev/null: not a regular file; write the rows to a file first"),
        ([".", "--json"], ".: is a directory; name an output of a run"),
        (
            ["notes.txt", "--json"],
            "notes.txt: has no rows in the format text; name its format with --format",
        ),
        (
            ["rows.jsonl", "-o", "notes.txt"],
            "--output: notes.txt: is not a report, and is not overwritten; choose another name",
        ),
        (
            ["rows.jsonl", "-o", "rows.jsonl"],
            "--output: rows.jsonl: a report is .html, .json or .txt; choose another name",
        ),
        (
            ["rows.jsonl", "-o", "rows.pdf"],
            "--output: rows.pdf: a report is .html, .json or .txt; choose another name",
        ),
        (["rows.jsonl", "-o", "no/report.html"], "--output: no/report.html: there is no directory no"),
    ],
)
def test_what_cannot_be_is_refused_with_the_fix(directory: Path, arguments: list[str], message: str) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    done = fetchpool("report", *arguments, cwd=directory)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"fetchpool: {message}\n")
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == before


def test_a_run_writes_its_report_at_the_end(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url("/bytes/10"), demo_server.url("/status/404")]
    done = fetchpool(*urls, "-o", "rows.jsonl", "--report", "report.html", "--no-progress", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith("\nreport   report.html\n")
    assert "http_404" in (tmp_path / "report.html").read_text()
    done = fetchpool(*urls, "--resume", "-o", "rows.jsonl", "--report", "report.json", "-q", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads((tmp_path / "report.json").read_text())["failures"] == {"http_404": 1}


def test_a_run_that_was_stopped_has_a_report_too(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/status/404?{number}") for number in range(50)]
    done = fetchpool(*urls, "--max-failures", "1", "-w", "1", "--report", "report.json", "-q", cwd=tmp_path)
    assert done.returncode == 4
    assert 1 <= json.loads((tmp_path / "report.json").read_text())["total"] < 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "-"], "--report reads an output file; add one, e.g. -o results.jsonl"),
        (["-o", "a.jsonl", "--fields", "url"], "--report needs rows with the fields url and error"),
        (["-W", "%{url}"], "--report needs rows with the fields url and error"),
    ],
)
def test_a_run_that_could_not_have_a_report_does_not_begin(
    demo_server: DemoServer, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = fetchpool(demo_server.url("/bytes/10"), *arguments, "--report", "report.html", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"fetchpool: {message}\n")
    (tmp_path / "mine.html").write_text("mine")
    done = fetchpool(demo_server.url("/bytes/10"), "--report", "mine.html", cwd=tmp_path)
    assert (done.returncode, (tmp_path / "mine.html").read_text()) == (2, "mine")
    assert not (tmp_path / "sizes.txt").exists()


def test_memory_does_not_grow_with_the_output(directory: Path) -> None:
    few = peak_memory("report", "rows.jsonl", "-q", "-o", "few.html", cwd=directory)
    rows = (directory / "rows.jsonl").read_text()
    with (directory / "many.jsonl").open("w") as file:
        for copy in range(100):
            file.write(rows.replace(".example/", f".example/{copy}/"))
    many = peak_memory("report", "many.jsonl", "-q", "-o", "many.html", cwd=directory)
    assert many < 100_000_000
    assert many - few < 8_000_000
    assert (directory / "many.html").stat().st_size <= 400_000
