"""Crashes, and crawls that are resumed (T10 to T13)."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bench.endurance.crawl_torture import crawl_torture
from tests.at_once import AtOnce
from tests.cli.runner import run
from tests.crawl.crawling import crawl_command
from tests.crawl.server import NOT_FOUND, SiteServer, page, pages
from tests.crawl.synthetic import SyntheticSite


# `make crawl-torture` does it 300 times, for every format with every executor.
@pytest.mark.parametrize(
    ("name", "executor"), [("text", "thread"), ("jsonl", "async"), ("csv", "process"), ("sqlite", "async")]
)
@pytest.mark.usefixtures("forked_torture")
@AtOnce()
def test_t10_and_t11_a_crawl_killed_at_any_moment_loses_no_page_and_fetches_none_again(
    name: str, executor: str
) -> None:
    """Other crawlers lose or damage their queue in a crash, or fetch again what was done."""
    (result,) = crawl_torture(3, [(name, executor)], seed=1174, pages=500)
    assert result.kills >= 3
    assert (result.lost, result.doubled) == (0, 0)
    assert result.finished >= 1


CPU_TIME = """
import sys, time
from fetchpool.cli.main import main

begun = time.process_time()
main(sys.argv[1:])
print(time.process_time() - begun)
"""


def test_t12_a_crawl_with_many_rows_is_back_at_work_soon(tmp_path: Path) -> None:
    """Resuming takes hours where each URL is looked up in a database; `make bench-crawl` has a million."""
    count = 30_000
    with SiteServer(pages({"/": page("/0"), "/0": page(), "/last": page()})) as server:
        crawl_command(server, tmp_path)
        frontier, output = tmp_path / "rows.jsonl.frontier.jsonl", tmp_path / "rows.jsonl"
        line, row = frontier.read_text().splitlines()[1], output.read_text().splitlines()[0]
        with frontier.open("a") as lines, output.open("a") as written:
            for number in range(1, count):
                lines.write(line.replace(server.url("/0"), server.url(f"/{number}")) + "\n")
                written.write(row.replace(f'"{server.url()}"', f'"{server.url(f"/{number}")}"') + "\n")
            lines.write(line.replace(server.url("/0"), server.url("/last")) + "\n")
        server.forget()
        arguments = [server.url(), "-r", "--resume", "-o", output.name, "-q", "--executor", "async"]
        done = run([sys.executable, "-c", CPU_TIME, *arguments], cwd=tmp_path, capture_output=True)
        assert server.asked() == {"/last"}
        assert float(done.stdout) < 3
    assert len(output.read_text().splitlines()) == count + 2


def test_t13_the_options_of_the_resumed_run_apply(tmp_path: Path) -> None:
    """Crawlers that store options with the queue ignore new ones; a deeper crawl must fetch nothing again."""
    site = SyntheticSite(200, planted=True)
    with SiteServer(site) as server:
        first = crawl_command(server, tmp_path, "--depth", "1")
        assert {row["url"] for row in first.rows} == {server.url(target) for target in site.truth(1)}
        server.forget()
        deeper = crawl_command(server, tmp_path, "--depth", "3", "--resume", "--exclude", "/dead/")
        expected = {target for target in site.truth(3) if not target.startswith("/dead/")} | set(
            site.truth(1)
        )
        assert {row["url"] for row in deeper.rows} == {server.url(target) for target in expected}
        assert server.asked() == expected - set(site.truth(1))
        server.forget()
        options = ["--resume", "--exclude", "/dead/"]
        limited = crawl_command(server, tmp_path, *options, "--max-pages", str(len(expected) + 5))
        assert limited.code == 4
        assert len(limited.rows) == len(expected) + 5
        assert len(server.asked()) == 5
        complete = crawl_command(server, tmp_path, *options)
        expected |= {target for target in site.truth() if not target.startswith("/dead/")}
        assert {row["url"] for row in complete.rows} == {server.url(target) for target in expected}
        assert len(complete.rows) == len(expected)


def test_a_second_crawl_into_the_same_files_and_a_resumed_one_without_its_frontier_are_refused(
    tmp_path: Path,
) -> None:
    with SiteServer(pages({"/": page("/a"), "/a": NOT_FOUND})) as server:
        assert crawl_command(server, tmp_path).code == 1
        again = crawl_command(server, tmp_path)
        assert again.code == 2
        assert "frontier" in again.stderr
        (tmp_path / "rows.jsonl.frontier.jsonl").unlink()
        resumed = crawl_command(server, tmp_path, "--resume")
        assert resumed.code == 2
        assert "frontier" in resumed.stderr
        assert len(resumed.rows) == 2


def test_the_frontier_is_a_table_that_can_be_fetched_as_a_list(tmp_path: Path) -> None:
    with SiteServer(pages({"/": page("/a"), "/a": page()})) as server:
        crawl_command(server, tmp_path)
        lines = (tmp_path / "rows.jsonl.frontier.jsonl").read_text().splitlines()
        urls = [entry["url"] for entry in map(json.loads, lines)]
        assert urls == [server.url("/"), server.url("/a")]
