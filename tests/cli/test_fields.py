"""`--fields` and `-W/--write-out`: which fields a row has, and text in a format of one's own."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]  # it ships no types

from fetchpool.config.configure import configure
from fetchpool.engine.parser_columns import UNKNOWN
from fetchpool.model.errors import UsageError
from tests.cli.runner import fetchpool
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

CHOSEN = "url,response_code,title,error"
NAMES = CHOSEN.split(",")
OUTPUTS = ("rows.jsonl", "rows.csv", "rows.tsv", "rows.db", "rows.parquet")


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    with FaultServer() as server:
        listed = [server.url("ok"), server.url("absent")]
        (tmp_path / "urls").write_text("".join(f"{url}\n" for url in listed))
        yield listed


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of an output, an empty cell as None, numbers as text."""
    if path.suffix == ".jsonl":
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    elif path.suffix in (".csv", ".tsv"):
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    elif path.suffix == ".db":
        database = sqlite3.connect(path)
        cursor = database.execute("SELECT * FROM fetches")
        columns = [column for column, *_ in cursor.description]
        rows = [dict(zip(columns, row, strict=True)) for row in cursor]
        database.close()
        for row in rows:
            del row["identity"]
    else:
        rows = parquet.read_table(path).to_pylist()
    return [
        {name: None if value in (None, "") else str(value) for name, value in row.items()} for row in rows
    ]


@pytest.mark.parametrize("name", OUTPUTS)
def test_rows_have_the_chosen_fields_in_that_order_and_can_be_resumed(
    name: str, urls: list[str], tmp_path: Path
) -> None:
    options = ("--fields", CHOSEN, "--parse", "title", "-o", name)
    (tmp_path / "first").write_text(f"{urls[1]}\n")
    assert fetchpool("first", *options, cwd=tmp_path).returncode == 1
    done = fetchpool("urls", *options, "--resume", "--summary", "json", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stderr)["outputs"][0]["rows"] == 1  # the other has a row
    rows = rows_in(tmp_path / name)
    assert [list(row) for row in rows] == [NAMES, NAMES]
    by_url = {row["url"]: row for row in rows}
    assert by_url[urls[0]]["response_code"] == "200"
    assert by_url[urls[1]]["error"] == "http_404"


@pytest.mark.usefixtures("urls")
@pytest.mark.parametrize("name", OUTPUTS)
def test_an_output_with_other_fields_is_not_appended_to(name: str, tmp_path: Path) -> None:
    fetchpool("urls", "--fields", "url,error", "-o", name, cwd=tmp_path)
    before = rows_in(tmp_path / name)
    for options in ((), ("--fields", "error,url"), ("--fields", "url,error,exitcode")):
        done = fetchpool("urls", *options, "-o", name, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert "fetchpool" in done.stderr
    assert rows_in(tmp_path / name) == before


@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.tsv", "rows.parquet"])
def test_an_output_with_chosen_fields_is_compacted(name: str, urls: list[str], tmp_path: Path) -> None:
    for _ in range(2):
        fetchpool("urls", "--fields", "exitcode,url,error", "-o", name, cwd=tmp_path)
    assert len(rows_in(tmp_path / name)) == 4
    done = fetchpool("compact", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = rows_in(tmp_path / name)
    assert sorted(str(row["url"]) for row in rows) == sorted(urls)
    assert list(rows[0]) == ["exitcode", "url", "error"]


@pytest.mark.usefixtures("urls")
@pytest.mark.parametrize("name", ["rows.jsonl", "rows.csv", "rows.parquet"])
def test_an_output_without_the_error_is_not_compacted(name: str, tmp_path: Path) -> None:
    fetchpool("urls", "--fields", "exitcode", "-o", name, cwd=tmp_path)
    before = rows_in(tmp_path / name)
    assert fetchpool("compact", name, cwd=tmp_path).returncode == 2
    assert rows_in(tmp_path / name) == before


def test_a_user_s_parser_gets_columns_of_its_own(urls: list[str], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def parse(response): return {'n': 5, 'listed': [1]}\n")
    for name in OUTPUTS:
        done = fetchpool("urls", "--parse", "own:parse", "--fields", "url,n,listed", "-o", name, cwd=tmp_path)
        assert done.returncode == 1, done.stderr
        row = next(row for row in rows_in(tmp_path / name) if row["url"] == urls[0])
        assert (row["n"], row["listed"]) == ("5", "[1]")


OWN = """
from typing import TypedDict


class Counts(TypedDict):
    words: int
    url: str


def named(response):
    if not response.text:
        return {"n": None}
    return {"n": 5, "listed": [1]}


def typed(response) -> Counts:
    return dict([("words", 3), ("url", "u"), ("more", True)])


def unknown(response):
    found = {"n": 5}
    return found


print("imported")
"""


@pytest.mark.parametrize(
    ("executor", "outputs"),
    [("thread", ("-o", "-", "--format", "csv", "-q")), ("process", ("-o", "rows.csv", "-o", "rows.tsv"))],
)
def test_a_user_s_parser_that_says_its_fields_has_columns_in_a_table_without_fields(
    executor: str, outputs: tuple[str, ...], urls: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own_fields.py").write_text(OWN)
    parsers = ("--parse", "own_fields:named", "--parse", "title", "--parse", "own_fields:typed")
    options = (*parsers, "--executor", executor, "-w", "1", "--keep", "text")
    done = fetchpool("urls", *options, *outputs, cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    if "-" in outputs:
        assert "imported" in done.stderr  # and not on standard output
        (tmp_path / "rows.csv").write_text(done.stdout)
    for name in tmp_path.glob("rows.*"):
        found = {row["url"]: row for row in rows_in(name)}
        row = found[urls[0]]
        assert list(row)[-7:] == ["text", "title", "n", "listed", "words", "parse_url", "extra"]
        assert (row["n"], row["listed"], row["words"], row["parse_url"]) == ("5", "[1]", "3", "u")
        assert row["extra"] == '{"more":true}'
        assert found[urls[1]]["n"] is None


def test_a_parser_whose_fields_are_unknown_has_them_in_extra_and_a_notice_names_the_remedies(
    urls: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own_unknown.py").write_text(OWN)
    options = ("--parse", "own_unknown:unknown", "-o", "rows.csv", "-o", "rows.parquet")
    done = fetchpool("urls", *options, cwd=tmp_path)
    assert UNKNOWN.format(output="rows.csv", parser="own_unknown:unknown") in done.stderr
    row = next(row for row in rows_in(tmp_path / "rows.csv") if row["url"] == urls[0])
    assert row["extra"] == '{"n":5}'
    row = next(row for row in rows_in(tmp_path / "rows.parquet") if row["url"] == urls[0])
    assert row["n"] == "5"
    for quiet in (("--fields", "url,error,n"), ("--format", "jsonl")):
        done = fetchpool("urls", "--parse", "own_unknown:unknown", *quiet, "-o", "other.csv", cwd=tmp_path)
        assert "extra" not in done.stderr
        (tmp_path / "other.csv").unlink()


def test_a_table_keeps_its_columns_when_the_parser_s_fields_have_changed(
    urls: list[str], tmp_path: Path
) -> None:
    (tmp_path / "own_old.py").write_text("def parse(response): return {'old': 1, 'n': 2}\n")
    (tmp_path / "own_new.py").write_text("def parse(response): return {'n': 3, 'new': 4}\n")
    (tmp_path / "first").write_text(f"{urls[1]}\n")
    assert fetchpool("first", "--parse", "own_old:parse", "-o", "rows.csv", cwd=tmp_path).returncode == 1
    done = fetchpool("urls", "--parse", "own_new:parse", "-o", "rows.csv", "--resume", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    rows = rows_in(tmp_path / "rows.csv")
    assert [row["url"] for row in rows] == [urls[1], urls[0]]
    assert (rows[1]["old"], rows[1]["n"], rows[1]["extra"]) == (None, "3", '{"new":4}')
    done = fetchpool("urls", "--parse", "own_new:parse", "--parse", "title", "-o", "rows.csv", cwd=tmp_path)
    assert done.returncode == 2
    assert "other columns" in done.stderr


def test_text_rows_follow_a_template_in_curl_s_syntax(urls: list[str], tmp_path: Path) -> None:
    template = r"%{url}\t%{http_code} %{size_delivered} %{errormsg}|%header{Content-Length} 100%%"
    done = fetchpool("urls", "-W", template, "-o", "-", "-q", cwd=tmp_path)
    assert sorted(done.stdout.splitlines()) == sorted(
        [
            f"{urls[0]}\t200 {len(PAGE)} |{len(PAGE)} 100%",
            f"{urls[1]}\t404 16 the server answered 404|16 100%",
        ]
    )


def test_a_template_may_be_in_a_file_and_have_several_lines(urls: list[str], tmp_path: Path) -> None:
    (tmp_path / "format").write_text("%{url}\n  %{time_total}\n")
    for _ in range(2):  # the second run appends
        done = fetchpool("urls", "-W", "@format", "-o", "rows.txt", cwd=tmp_path)
        assert done.returncode == 1, done.stderr
    lines = (tmp_path / "rows.txt").read_text().splitlines()
    assert sorted(lines[::2]) == sorted(urls * 2)
    assert all(len(line.partition(".")[2]) == 6 for line in lines[1::2])


def test_a_template_s_json_is_the_row(urls: list[str], tmp_path: Path) -> None:
    done = fetchpool("urls", "-W", "%{json}", "-o", "-", "-q", cwd=tmp_path)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["url"] for row in rows} == set(urls)


@pytest.mark.usefixtures("urls")
def test_a_file_that_was_not_written_with_the_template_is_left_unchanged(tmp_path: Path) -> None:
    (tmp_path / "rows.txt").write_text("something else\n")
    done = fetchpool("urls", "-W", "<%{url}>\\n", "-o", "rows.txt", cwd=tmp_path)
    assert done.returncode == 2
    assert "was not written with this --write-out" in done.stderr
    assert (tmp_path / "rows.txt").read_text() == "something else\n"


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"write_out": "%{url}", "outputs": ["a.csv"]}, "--write-out is for text outputs, and a.csv is csv"),
        (
            {"write_out": "%{url}", "outputs": ["a.txt"], "resume": True},
            "--resume cannot read back the rows of --write-out; leave out --resume or --write-out",
        ),
        (
            {"write_out": "%{url}", "outputs": ["a.txt"], "retry_failed": "all"},
            "; leave out --retry-failed or --write-out, or choose columns with --fields and -o rows.csv",
        ),
        ({"write_out": "%{url}", "fields": "url", "outputs": ["a"]}, "mutually exclusive"),
        ({"write_out": "none"}, "no variable in it"),
        ({"write_out": ""}, "expected a format"),
        ({"write_out": "%{url"}, "not closed"),
        ({"write_out": "%output{x}%{url}"}, "is not supported"),
        ({"write_out": "%{respnse_code}"}, "did you mean response_code?"),
        ({"write_out": "%{title}"}, "add --parse title"),
        ({"write_out": "@absent"}, "absent: no such file"),
        ({"fields": "url,sha256", "outputs": ["a.csv"]}, "add --hash sha256"),
        ({"fields": "url,body", "outputs": ["a.csv"]}, "add --keep body"),
        ({"fields": "url,url", "outputs": ["a.csv"]}, "'url' is given twice"),
        ({"fields": "url,,error", "outputs": ["a.csv"]}, "empty name"),
        ({"fields": "url", "outputs": ["a.txt"]}, "text output has no fields"),
        (
            {"fields": "url", "outputs": ["a.csv"], "resume": True},
            "--resume needs the fields url and error: add error",
        ),
    ],
)
def test_what_can_t_be_is_refused(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(UsageError) as refusal:
        configure(**settings)
    assert problem in str(refusal.value)
