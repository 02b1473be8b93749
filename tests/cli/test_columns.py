"""`--url-column` and `--keep-columns`, from an input to the rows."""

from __future__ import annotations

import csv
import gzip
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from fetchpool.cli.demo_server.server import DemoServer
from tests.cli.runner import fetchpool
from tests.faults.server import FaultServer

UNASKED = ("--retry", "0", "--proxy", "http://127.0.0.1:9")
"""A proxy on a closed port: no name is looked up, and no server responds."""


@pytest.fixture
def faults() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.mark.parametrize("executor", ["thread", "process", "async"])
def test_columns_pass_through_retries_and_redirects_to_every_output(
    demo_server: DemoServer, faults: FaultServer, tmp_path: Path, executor: str
) -> None:
    elsewhere = demo_server.url("/page/3").replace("127.0.0.1", "localhost")
    urls = [
        demo_server.url("/page/1"),
        demo_server.url(f"/flaky/1?{executor}"),
        faults.url(f"redirect-to?{elsewhere}"),
        "http://[::1",
    ]
    with (tmp_path / "list.csv").open("w", newline="") as lines:
        csv.writer(lines).writerows(
            [["label", "link", "title", "size"], *([f"n{n}", url, "theirs", n] for n, url in enumerate(urls))]
        )
    outputs = [word for suffix in ("jsonl", "csv", "sqlite") for word in ("-o", f"rows.{suffix}")]
    wanted = ("--url-column", "link", "--keep-columns", "--executor", executor, "--parse", "title")
    done = fetchpool("list.csv", *wanted, *outputs, "--retry-delay", "50ms", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    rows.sort(key=lambda row: row["urlnum"])
    assert [(row["label"], row["size"]) for row in rows] == [(f"n{n}", str(n)) for n in range(4)]
    assert [row["num_retries"] for row in rows] == [0, 1, 0, 0]
    assert [row["num_redirects"] for row in rows] == [0, 0, 1, 0]
    assert (rows[0]["title"], rows[0]["input_title"]) == ("Demo page 1", "theirs")
    assert [row["input_title"] for row in rows] == ["theirs"] * 4
    assert "title" not in rows[3]  # no parser said anything there
    with (tmp_path / "rows.csv").open(newline="") as lines:
        cells = sorted(csv.DictReader(lines), key=lambda row: row["urlnum"])
    assert [row["label"] for row in cells] == [f"n{n}" for n in range(4)]
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
        labels = database.execute("SELECT label FROM fetches ORDER BY urlnum").fetchall()
    assert labels == [(f"n{n}",) for n in range(4)]


@pytest.mark.parametrize("name", ["list.csv", "list.jsonl"])
@pytest.mark.parametrize("parse", ["title", "own:mine"])
def test_names_are_those_of_the_run_whatever_the_result_of_a_url(
    demo_server: DemoServer, tmp_path: Path, name: str, parse: str
) -> None:
    (tmp_path / "own.py").write_text("def mine(response):\n    return {'title': 'parsed', 'n': 1}\n")
    urls = [demo_server.url("/page/1"), demo_server.url("/status/404"), "http://[::1"]
    listed = [{"link": url, "title": "theirs", "input_title": "older", "n": "x"} for url in urls]
    with (tmp_path / name).open("w", newline="") as lines:
        if name.endswith("csv"):
            csv.writer(lines).writerows([list(listed[0]), *(list(each.values()) for each in listed)])
        else:
            lines.write("".join(json.dumps(each) + "\n" for each in listed))
    outputs = [word for suffix in ("jsonl", "csv", "sqlite", "parquet") for word in ("-o", f"rows.{suffix}")]
    options = ("--url-column", "link", "--keep-columns", "--parse", parse, "--retry", "0")
    assert fetchpool(name, *options, *outputs, cwd=tmp_path).returncode == 1
    n = "n" if parse == "title" else "input_n"
    theirs = {"input_title": "theirs", "input_input_title": "older", n: "x"}
    with closing(sqlite3.connect(tmp_path / "rows.sqlite")) as database:
        database.row_factory = sqlite3.Row
        in_sqlite = [dict(row) for row in database.execute("SELECT * FROM fetches")]
        assert {row["extra"] for row in in_sqlite} == {None}
    with (tmp_path / "rows.csv").open(newline="") as cells:
        in_csv = list(csv.DictReader(cells))
    in_jsonl = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    relation = duckdb.sql(f"SELECT * FROM '{tmp_path}/rows.parquet'")
    in_parquet = [dict(zip(relation.columns, row, strict=True)) for row in relation.fetchall()]
    for found in (in_jsonl, in_csv, in_parquet, in_sqlite):
        rows = [{**row, **json.loads(row.get("extra") or "{}")} for row in found]
        assert [{key: row[key] for key in theirs} for row in rows] == [theirs] * 3
        titles = [row["title"] for row in rows if row.get("title")]
        assert titles == ["Demo page 1" if parse == "title" else "parsed"]


def test_a_result_of_our_own_is_an_input_too(demo_server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("".join(f"{demo_server.url(f'/bytes/{n}')}\n" for n in range(5)))
    assert fetchpool("urls.txt", "-o", "first.jsonl", cwd=tmp_path).returncode == 0
    again = ("first.jsonl", "--url-column", "url", "-o", "second.jsonl", "--keep-columns")
    assert fetchpool(*again, cwd=tmp_path).returncode == 0
    rows = [json.loads(line) for line in (tmp_path / "second.jsonl").read_text().splitlines()]
    assert sorted(row["input_size_delivered"] for row in rows) == [0, 1, 2, 3, 4]


def test_a_dry_run_reads_columns_too(tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text("n\turl\n1\thttp://a/\n2\thttp://a/x\n")
    done = fetchpool("list.tsv", "--url-column", "url", "--dry-run", cwd=tmp_path)
    assert done.stdout.startswith("would fetch 2 URLs from 1 host;")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--keep-columns",), "--keep-columns requires --url-column"),
        (("--url-column", ""), "--url-column: expected the name of a column, got an empty string"),
        (("--url-column", "link"), "list.csv: has no column 'link' (--url-column); it has: n, url"),
    ],
)
def test_invalid_table_options_are_rejected(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    (tmp_path / "list.csv").write_text("n,url\n1,http://127.0.0.1:1/\n")
    done = fetchpool("list.csv", *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"fetchpool: {words}\n")
    assert not (tmp_path / "sizes.txt").exists()


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
@pytest.mark.parametrize("data", [b"url\rhttp://h/\r", b"\x7fELF\0\r\n", b"SQLite format 3\0"])
def test_an_input_that_is_not_a_table_is_refused_in_one_line(
    tmp_path: Path, data: bytes, options: tuple[str, ...]
) -> None:
    (tmp_path / "list").write_bytes(data)
    done = fetchpool("list", "--url-column", "url", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fetchpool: list: ")
    assert done.stderr.count("\n") == 1


def test_rows_before_an_unterminated_quote_are_fetched_and_the_exit_code_is_2(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    good = f"{demo_server.url('/bytes/1')},1\n"
    (tmp_path / "list.csv").write_text(f'url,n\n{good}http://h/,"\n{good}')
    done = fetchpool("list.csv", "--url-column", "url", "-o", "-", cwd=tmp_path)
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 1)
    assert "fetchpool: list.csv: line 3: unterminated quoted field; close the quote\n" in done.stderr


def test_a_line_of_jsonl_without_a_url_is_an_invalid_url_row(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text('{"url":"http://[::1"}\n{"n":1}\n{"n":2}\nlocalhost\n')
    command = ("list.jsonl", "--url-column", "url", "-o", "rows.jsonl")
    said = [
        ("http://[::1", "not a valid http or https URL"),
        ("", "the line has no 'url'"),
        ("", "the line has no 'url'"),
        ("localhost", "the line is not a JSON object"),
    ]
    for options in ((), ("--resume",)):
        assert fetchpool(*command, *options, cwd=tmp_path).returncode == 1
        rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
        assert [(row["url"], row["errormsg"]) for row in rows] == said
    done = fetchpool("list.jsonl", "--url-column", "link", cwd=tmp_path)
    words = "list.jsonl: has no column 'link' (--url-column); it has: url, n"
    assert (done.returncode, done.stderr) == (2, f"fetchpool: {words}\n")


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("list.csv", b'"n","url"\n1,http://[::1\n', "url, the column with its URLs; it has: n, url"),
        ("list.csv", b"sep=;\nn;url\n1;http://[::1\n", "url, the column with its URLs; it has: n, url"),
        ("list.csv", b"url\nhttp://[::1\n", "url, the column with its URLs; it has: url"),
        (
            "list.csv",
            b"1,a.example\n",
            "NAME, the column with its URLs; it has: 1, a.example; "
            "if that is not a header: --url-column 2 is the second column",
        ),
        ("list.csv", b"1,http://[::1\n", "2, the column with its URLs"),
        (
            "list.tsv.gz",
            gzip.compress(b"n\turl\n", mtime=0),
            "url, the column with its URLs; it has: n, url",
        ),
        ("list.jsonl", b'{"url":"http://[::1"}\n', "url, the column with its URLs; it has: url"),
    ],
    ids=["quoted", "excel", "one-column", "hosts", "no-header", "gz", "jsonl"],
)
@pytest.mark.parametrize("quiet", [(), ("-q",)], ids=["", "quiet"])
def test_a_table_as_a_list_of_lines_is_refused_with_its_columns(
    tmp_path: Path, name: str, data: bytes, said: str, quiet: tuple[str, ...]
) -> None:
    (tmp_path / name).write_bytes(data)
    done = fetchpool(name, "-o", "rows.jsonl", *quiet, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"fetchpool: {name}: a table requires --url-column {said}\n"
    assert not (tmp_path / "rows.jsonl").exists()


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("a.csv", "http://[::1,x"),
        ("a.csv", "h.invalid"),
        ("a.csv", "localhost"),
        ("a.csv", "# n,url"),
        ("a.csv", ""),
        ("a.json", '["http://[::1"]'),
        ("a.txt", "url,n"),
    ],
)
def test_a_list_of_lines_is_read_under_any_name(tmp_path: Path, name: str, line: str) -> None:
    (tmp_path / name).write_text(f"{line}\n")
    assert fetchpool(name, *UNASKED, cwd=tmp_path).returncode < 2


def test_parquet_as_a_list_of_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list.parquet").write_bytes(b"PAR1")
    done = fetchpool("list.parquet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2,
        "fetchpool: INPUT: list.parquet: a Parquet file requires --url-column\n",
    )
