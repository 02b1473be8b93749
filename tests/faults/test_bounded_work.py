"""Bounded work: no response takes more than its timeout, or delays other URLs. Data from servers and lists is
processed in linear time and bounded memory (61); bodies are decoded in steps (60)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic, process_time

import pytest

from fetchpool import Record
from tests.cli.environment import environment
from tests.cli.runner import PATIENCE, run
from tests.faults.matrix import (
    LATE,
    PROCESS,
    Way,
    errors,
    fetch_faults,
    fetch_urls,
    over_each_transport,
)
from tests.faults.scenarios.heavy import HEAVY, LARGE, PAGES, seconds_of_decoding
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

BOMBS = [f"heavy-{label.replace(', ', '-')}" for label in HEAVY]


@pytest.fixture(scope="module")
def packed() -> None:
    """Made beforehand: it takes its time, and a server that makes it is silent."""
    for label in HEAVY:
        seconds_of_decoding(label)


def assert_timed_out(records: list[Record], max_time: int) -> None:
    assert [record.error for record in records] == ["timeout_total"] * len(records)
    assert {record.errormsg for record in records} == {f"total timeout: not complete after {max_time} s"}


@pytest.mark.usefixtures("packed")
@over_each_transport
def test_60_ten_seconds_of_decoding_end_at_max_time_and_delay_no_other_url(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """`timeout_total` at `--max-time`, without `--max-filesize`, too: the clock is checked while a body is
    decoded, whatever its encodings. No URL of a fast server times out because of the decoded size of another
    server's body: the async executor's single thread serves all transfers between two steps of decoding."""
    good = [other_server.url("ok"), *(server.url(f"after-a-moment?{number}") for number in range(10))]
    bad = [other_server.url(f"{bomb}?{number}") for bomb in BOMBS for number in range(3)]
    started = monotonic()
    records = fetch_urls(way, [*bad, *good], max_time=2, max_filesize=0)
    assert monotonic() - started < 2 + 1 + LATE
    assert_timed_out(records[: len(bad)], 2)
    assert [(row.error, row.size_delivered) for row in records[len(bad) :]] == [(None, len(PAGE))] * len(good)


@pytest.mark.usefixtures("packed")
def test_60_ten_seconds_of_decoding_in_processes_end_at_max_time(server: FaultServer) -> None:
    """The workers are threads of their own, in processes of their own."""
    started = monotonic()
    records = fetch_faults(server, PROCESS, BOMBS, max_time=1, max_filesize=0)
    assert monotonic() - started < 1 + 1 + LATE  # with the start of the pool's workers
    assert_timed_out([records[bomb] for bomb in BOMBS], 1)


KEPT = """
import re, sys, fetchpool
from pathlib import Path

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1]) << 10

def length(response):
    return {"length": len(response.content)}

executor, transport, parser, first, *urls = sys.argv[1:]
def fetch(urls):
    rows = fetchpool.fetch(
        urls, executor=executor, transport=transport, parse=[parser], retry=0, workers=1
    )
    return [f"{row.error}:{row.size_delivered}:{row.extra.get('length')}" for row in rows]
if __name__ == "__main__":
    fetch([first])
    before = peak()
    print(*fetch(urls), peak() - before)
"""


def peak_of(server: FaultServer, way: Way, parser: str, directory: Path) -> tuple[str, int]:
    """The error of `large-page`, and by how much the peak of the memory grew."""
    (directory / "mine.py").write_text(KEPT)
    urls = [server.url("ok"), server.url("large-page")]
    done = subprocess.run(
        [sys.executable, "mine.py", way.executor, way.transport, parser, *urls],
        capture_output=True,
        env=environment(),
        cwd=directory,
        timeout=PATIENCE,
        check=True,
    )
    row, grown = done.stdout.decode().split()
    return row, int(grown)


in_one_process = pytest.mark.parametrize(
    "way", [Way("thread", "curl"), Way("thread", "requests"), Way("async", "curl")], ids=str
)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@in_one_process
def test_61_the_title_of_a_large_page_needs_only_its_beginning(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """`--parse title` keeps the first MiB of a decoded body, and reads nothing else."""
    row, grown = peak_of(server, way, "title", tmp_path)
    assert row == f"None:{LARGE}:None"
    assert grown < 30 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@in_one_process
def test_61_a_parsers_body_is_in_memory_once(server: FaultServer, way: Way, tmp_path: Path) -> None:
    """A user-defined parser gets the complete decoded body, up to `--max-filesize`, which is in memory
    once."""
    row, grown = peak_of(server, way, "mine:length", tmp_path)
    assert row == f"None:{LARGE}:{LARGE}"
    assert grown < 1.3 * LARGE


@over_each_transport
def test_61_extracting_a_title_takes_linear_time(server: FaultServer, way: Way) -> None:
    """`--parse title` on endless formatting elements, a tag of 90,000 attributes, quotes, scripts and
    comments that are never closed, and a `Content-Type` of 90,000 spaces: each takes a moment, and the title
    is found if there is one."""
    started = process_time()
    records = fetch_faults(server, way, [*PAGES, "blanks-in-content-type"], parse="title")
    assert process_time() - started < 10
    assert errors(records) == dict.fromkeys(records)
    titles = {path: record.extra["title"] for path, record in records.items()}
    found = ("formatting-elements", "many-attributes", "open-quotes", "blanks-in-content-type")
    assert [titles[path] for path in found] == ["Found", "Found", "Found", "Found"]


@over_each_transport
def test_61_finding_the_links_of_a_page_takes_linear_time(server: FaultServer, way: Way) -> None:
    """`--recursive` on the same pages: each takes a moment, none adds a failure, and the links after what is
    closed are found."""
    started = process_time()
    settings = {"recursive": True, "depth": 0, "robots": False, "host_delay": 0, "dedupe": True}
    records = fetch_faults(server, way, [*PAGES, "blanks-in-content-type"], **settings)
    assert process_time() - started < 10
    assert errors(records) == dict.fromkeys(records)
    assert all(record.extra["num_links"] is not None for record in records.values())


@pytest.mark.parametrize("executor", ["thread", "async", "process"])
def test_61_a_header_of_40000_equal_names_and_a_deeply_nested_line_take_a_moment(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """A CSV list with 40,000 columns of one name is read immediately; a line of JSONL that is nested 100,000
    deep, or has a number of 5,000 digits, is one row and does not end the list."""
    wide = tmp_path / "wide.csv"
    heading, row = "url" + ",a" * 40_000, server.url("ok?wide") + ",1" * 40_000
    wide.write_text(f"{heading}\n{row}\n{server.url('ok?short')}\n")
    deep = tmp_path / "deep.jsonl"
    page = server.url("ok")
    lines = [
        f'{{"url":"{page}?{n}","a":{a}}}' for n, a in enumerate(["1", "7" * 5_000, "[" * 400 + "]" * 400])
    ]
    lines += ['{"url":' + "[" * 100_000, '{"a":' * 100_000, f'{{"url":"{page}?last"}}']
    deep.write_text("\n".join(lines))
    out = tmp_path / "out.jsonl"
    options = ["--url-column", "url", "--keep-columns", "--executor", executor, "-o", str(out), "-q"]
    done = run(
        [sys.executable, "-m", "fetchpool", str(wide), str(deep), *options],
        capture_output=True,
        env=environment(),
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    rows = {row["url"]: row for row in map(json.loads, out.read_text().splitlines())}
    assert len(rows) == 8
    good = [url for url, row in rows.items() if row["error"] is None]
    assert len(good) == 5
    assert rows[server.url("ok?wide")]["a_40000"] == "1"
    assert f"{page}?last" in good
