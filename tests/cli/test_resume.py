"""Resuming: the outputs are the journal, and the summary covers all of the list."""

from __future__ import annotations

import csv
import json
import re
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet  # type: ignore[import-untyped]  # it ships no types

from fetchpool import fetch
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.main import main
from tests.cli.runner import PATIENCE, fetchpool, start


def listed(directory: Path, *urls: str) -> None:
    (directory / "urls.txt").write_text("".join(f"{url}\n" for url in urls))


def run(directory: Path, *arguments: str) -> tuple[int, list[str]]:
    """The exit code, and what was said."""
    done = fetchpool("urls.txt", "--no-progress", "--retry", "0", *arguments, cwd=directory)
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


def rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="") as table:
            return list(csv.DictReader(table))
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            database.row_factory = sqlite3.Row
            return [dict(row) for row in database.execute("SELECT * FROM fetches ORDER BY rowid")]
    if path.suffix == ".parquet":
        parts = sorted(path.glob("part-*")) if path.is_dir() else [path]
        return [row for part in parts for row in parquet.read_table(part).to_pylist()]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return [{"url": line[5 : line.rindex(">")]} for line in path.read_text().splitlines()]


def urls_in(path: Path) -> list[str]:
    return [row["url"] for row in rows(path)]


@pytest.mark.parametrize("name", ["sizes.txt", "rows.jsonl", "rows.csv", "rows.db"])
def test_a_resumed_run_fetches_missing_urls_and_its_summary_covers_all(
    demo_server: DemoServer, tmp_path: Path, name: str
) -> None:
    urls = [demo_server.url(path) for path in ("/bytes/1", "/status/404", "/bytes/2", "/bytes/3")]
    listed(tmp_path, *urls[:2])
    assert run(tmp_path, "-o", name)[0] == 1
    listed(tmp_path, *urls)
    code, said = run(tmp_path, "-o", name, "--resume")
    assert code == 1  # for a failure that an earlier run has met
    assert said[0] == f"fetchpool: resuming from {name}"
    assert re.fullmatch(r"4 URLs \(2 by earlier runs\) in .*: 3 ok, 1 failed", said[1])
    assert f"failed   1 http_404  {urls[1]}" in said
    assert f"wrote    2 rows to {name}" in said
    assert sorted(urls_in(tmp_path / name)) == sorted(urls)
    code, said = run(tmp_path, "-o", name, "--resume")
    assert code == 1
    assert re.fullmatch(r"4 URLs \(all by earlier runs\) in .*: 3 ok, 1 failed", said[1])
    assert f"wrote    0 rows to {name}" in said
    assert not [line for line in said if line.startswith(("rate", "size", "time"))]
    assert sorted(urls_in(tmp_path / name)) == sorted(urls)


def test_old_failures_that_the_new_list_lacks_do_not_count(demo_server: DemoServer, tmp_path: Path) -> None:
    listed(tmp_path, demo_server.url("/status/404"), demo_server.url("/bytes/1"))
    assert run(tmp_path)[0] == 1
    listed(tmp_path, demo_server.url("/bytes/2"), demo_server.url("/bytes/1"))
    code, said = run(tmp_path, "--resume")
    assert code == 0
    assert re.fullmatch(r"2 URLs \(1 by earlier runs\) in .*: all ok", said[1])


def test_each_of_several_outputs_gets_the_rows_that_it_lacks(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/bytes/{number}") for number in range(6)]
    listed(tmp_path, *urls[:2])
    run(tmp_path, "-o", "rows.jsonl", "-o", "sizes.txt")
    listed(tmp_path, *urls[2:4])
    run(tmp_path, "-o", "rows.jsonl")
    listed(tmp_path, *urls)
    outputs = ("-o", "rows.jsonl", "-o", "sizes.txt", "-o", "rows.csv")
    code, said = run(tmp_path, *outputs, "--resume")
    assert (code, said[-1]) == (0, "wrote    2 rows to rows.jsonl, 4 rows to sizes.txt, 6 rows to rows.csv")
    for name in outputs[1::2]:
        assert sorted(urls_in(tmp_path / name)) == sorted(urls)


def test_failed_urls_are_fetched_again_and_the_later_row_is_final(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    flaky, missing, fine = (demo_server.url(path) for path in ("/flaky/1?again", "/status/404", "/bytes/1"))
    listed(tmp_path, flaky, missing, fine)
    outputs = ("-o", "rows.jsonl", "-o", "rows.db", "-o", "sizes.txt")
    code, said = run(tmp_path, *outputs)
    assert (code, said[0].rpartition(": ")[2]) == (1, "1 ok, 2 failed")
    code, said = run(tmp_path, *outputs, "--retry-failed", "timeout,http_5xx")
    assert code == 1
    assert re.fullmatch(r"3 URLs \(2 by earlier runs\) in .*: 2 ok, 1 failed", said[3])
    assert urls_in(tmp_path / "rows.jsonl")[3:] == [flaky]
    assert [(row["url"], row["error"]) for row in rows(tmp_path / "rows.jsonl")][-1] == (flaky, None)
    assert {row["url"]: row["error"] for row in rows(tmp_path / "rows.db")} == {
        flaky: None,
        missing: "http_404",
        fine: None,
    }
    code, said = run(tmp_path, *outputs, "--resume")
    assert (code, said[3].partition(" in ")[0]) == (1, "3 URLs (all by earlier runs)")

    done = fetchpool("compact", "rows.jsonl", "sizes.txt", "rows.db", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines() == [
        "rows.jsonl: 3 rows, 1 superseded row removed",
        "sizes.txt: 3 rows, 1 superseded row removed",
        "rows.db: 3 rows, already compact",
    ]
    assert sorted(urls_in(tmp_path / "rows.jsonl")) == sorted([flaky, missing, fine])
    assert f"url:<{flaky}> size:[" in (tmp_path / "sizes.txt").read_text()


def test_new_flags_apply_to_the_remaining_urls(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/page/{number}") for number in range(2)]
    listed(tmp_path, urls[0])
    run(tmp_path, "-o", "rows.jsonl")
    listed(tmp_path, *urls)
    assert run(tmp_path, "-o", "rows.jsonl", "--resume", "--parse", "title")[0] == 0
    assert ["title" in row for row in rows(tmp_path / "rows.jsonl")] == [False, True]


def test_a_duplicate_is_fetched_once_and_counted_and_urlnum_counts_it(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    url = demo_server.url("/bytes/1")
    other = demo_server.url("/bytes/2")
    listed(tmp_path, url, url, url.removeprefix("http://"), f"{url}#part", other)
    code, said = run(tmp_path, "-o", "rows.jsonl")
    assert code == 0
    assert said[0].startswith("2 URLs in ")
    assert "skipped  3 duplicates" in said
    assert sorted((row["urlnum"], row["url"]) for row in rows(tmp_path / "rows.jsonl")) == [
        (0, url),
        (4, other),
    ]
    code, said = run(tmp_path, "-o", "all.jsonl", "--no-dedupe")
    assert said[0].startswith("5 URLs in ")
    assert sorted(row["urlnum"] for row in rows(tmp_path / "all.jsonl")) == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("name", ["sizes.txt", "rows.jsonl", "rows.csv", "rows.db", "rows.parquet"])
def test_each_row_of_a_table_without_a_url_has_a_row_of_its_own_and_just_one(
    demo_server: DemoServer, tmp_path: Path, name: str
) -> None:
    table = tmp_path / "list.csv"
    command = ("list.csv", "--url-column", "url", "-o", name)
    url = demo_server.url("/bytes/1")
    table.write_text(f"url,n\n,1\n{url},2\n,3\n")

    def run(*arguments: str) -> list[str]:
        done = fetchpool(*command, *arguments, cwd=tmp_path)
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert "duplicate" not in done.stderr
        return sorted(urls_in(tmp_path / name))

    assert run() == ["", "", url]
    assert run("--resume") == ["", "", url]
    table.write_text(f"url,n\n,1\n{url},2\n,3\n,4\n{url}?,5\n,6\n")
    assert run("--resume") == ["", "", "", "", url, f"{url}?"]
    assert run("--resume", "--retry-failed", "all") == ["", "", "", "", url, f"{url}?"]
    done = fetchpool("compact", name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert run("--resume") == ["", "", "", "", url, f"{url}?"]


def test_urls_with_credentials_are_known_again_though_their_rows_keep_none(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    host = f"127.0.0.1:{demo_server.port}"
    listed(
        tmp_path,
        f"http://name:secret@{host}/bytes/1",
        f"name:secret@{host}/bytes/2",
        f"http://{host}/bytes/1",
    )
    assert run(tmp_path)[0] == 0
    written = (tmp_path / "sizes.txt").read_text()
    assert "secret" not in written
    assert len(urls_in(tmp_path / "sizes.txt")) == 3
    code, said = run(tmp_path, "--resume")
    assert (code, said[1].partition(" in ")[0]) == (0, "3 URLs (all by earlier runs)")
    assert (tmp_path / "sizes.txt").read_text() == written


def test_fingerprints_of_a_resumed_run_may_be_on_disk(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/bytes/{number}") for number in range(30)]
    listed(tmp_path, *urls[:20])
    assert run(tmp_path, "--seen-memory", "0")[0] == 0
    listed(tmp_path, *urls, *urls)
    code, said = run(tmp_path, "--resume", "--seen-memory", "100")
    assert (code, said[1].partition(" in ")[0]) == (0, "30 URLs (20 by earlier runs)")
    assert "skipped  30 duplicates" in said


def test_damaged_lines_are_reported_and_count_as_no_rows(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/bytes/{number}") for number in range(3)]
    listed(tmp_path, *urls)
    run(tmp_path, "-w", "1")
    first, second, third = (tmp_path / "sizes.txt").read_bytes().splitlines(keepends=True)
    (tmp_path / "sizes.txt").write_bytes(first + b"\0" * len(second) + b"\n" + third)
    code, said = run(tmp_path, "--resume")
    assert code == 0
    assert "fetchpool: ignored 1 unreadable line" in said
    assert "wrote    1 row to sizes.txt" in said


def test_an_output_that_has_rows_is_appended_to_with_a_word_about_it(
    demo_server: DemoServer, tmp_path: Path
) -> None:
    listed(tmp_path, demo_server.url("/bytes/1"))
    assert run(tmp_path)[1][0].startswith("1 URL in ")
    code, said = run(tmp_path)
    assert (code, said[0]) == (
        0,
        "fetchpool: sizes.txt already contains rows; appending (use --resume to skip them)",
    )
    assert len(urls_in(tmp_path / "sizes.txt")) == 2


def test_an_interrupted_run_is_finished_by_a_resumed_one(demo_server: DemoServer, tmp_path: Path) -> None:
    urls = [demo_server.url(f"/delay/50?interrupted={number}") for number in range(40)]
    listed(tmp_path, *urls)
    with start("urls.txt", "-w", "2", "-q", "-o", "sizes.txt", "-o", "-", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(b"url:<")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
    done = urls_in(tmp_path / "sizes.txt")
    assert 0 < len(done) < 40
    code, said = run(tmp_path, "--resume")
    assert (code, said[1].partition(" in ")[0]) == (0, f"40 URLs ({len(done)} by earlier runs)")
    assert sorted(urls_in(tmp_path / "sizes.txt")) == sorted(urls)


def test_a_signal_is_handled_while_a_long_list_is_only_skipped(tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("http://127.0.0.1:9/\n" * 3_000_000)
    with start("urls.txt", "-q", "--retry", "0", "-o", "-", cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"url:<http://127.0.0.1:9/> error:[refused]\n"
        process.send_signal(signal.SIGINT)
        sent = time.monotonic()
        process.communicate(timeout=PATIENCE)
        assert process.returncode == 130
        assert time.monotonic() - sent < 2


REFUSALS = {
    ("--resume", "-o", "-"): "--resume: standard output cannot be read back; write to a file with -o",
    (
        "--retry-failed",
        "all",
        "-o",
        "-",
    ): "--retry-failed: standard output cannot be read back; write to a file with -o",
    ("--resume", "--no-dedupe"): "--resume cannot be combined with --no-dedupe",
    ("--retry-failed", "dsn"): "--retry-failed: unknown error 'dsn'; did you mean dns?",
    (
        "--retry-failed",
        "",
    ): "--retry-failed: unknown error ''; write all, timeout, http_4xx, http_5xx, "
    "or an error as rows have it: dns, http_429, host_down",
    (
        "--seen-memory",
        "lots",
    ): "--seen-memory: 'lots' is not a size; write 512k, 10M or 1G (1M is 1048576 bytes)",
    (
        "--resume",
        "-o",
        "/dev/null",
    ): "/dev/null: --resume cannot read it back; name a regular file with -o",
    (
        "--format",
        "sqlite",
        "-o",
        "-",
    ): "--format sqlite: cannot write a database to standard output; name a file with -o",
}


@pytest.mark.parametrize("arguments", REFUSALS, ids=" ".join)
def test_resuming_is_refused_with_a_message_where_it_is_impossible(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    listed(tmp_path, "http://127.0.0.1:9/")
    assert main(["urls.txt", *arguments]) == 2
    assert capsys.readouterr().err == f"fetchpool: {REFUSALS[arguments]}\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "missing argument OUT, e.g. fetchpool compact results.jsonl"),
        (["none.jsonl"], "none.jsonl: no such file"),
        (["urls.txt"], "urls.txt: is not a text output of fetchpool; name its format with --format"),
        (["urls.txt", "--format", "cvs"], "--format: 'cvs' is not one of text, jsonl, csv, tsv, sqlite"),
    ],
)
def test_compacting_is_refused_with_a_message_where_it_is_impossible(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    listed(tmp_path, "http://127.0.0.1:9/")
    assert main(["compact", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"fetchpool: {words}")
    assert said.count("\n") == 1


def test_a_program_gets_one_row_for_each_distinct_url_unless_it_asks_for_all(demo_server: DemoServer) -> None:
    urls = [demo_server.url("/bytes/1"), demo_server.url("/bytes/2"), demo_server.url("/bytes/1")]
    assert sorted(record.urlnum for record in fetch(urls)) == [0, 1]
    assert sorted(record.urlnum for record in fetch(urls, dedupe=False)) == [0, 1, 2]
