"""Bounded work: no answer costs more than its deadline, or its neighbours' time, however little it sends.

What servers and lists say is read in linear time and bounded memory (61); a body is decoded in turns (60).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.cli.runner import PATIENCE, environment
from tests.faults.matrix import (
    LATE,
    Way,
    errors,
    fetch_faults,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.scenarios.heavy import HEAVY, LARGE, PAGES, seconds_of_decoding
from tests.faults.server import FaultServer

BOMBS = [f"heavy-{label.replace(', ', '-')}" for label in HEAVY]


@pytest.fixture(scope="module")
def packed() -> None:
    """Made beforehand: it takes its time, and a server that makes it is silent."""
    for label in HEAVY:
        seconds_of_decoding(label)


@pytest.mark.usefixtures("packed")
@in_every_way
def test_60_ten_seconds_of_decoding_end_at_max_time(server: FaultServer, way: Way) -> None:
    """`timeout_total` at `--max-time`, without `--max-filesize` too: the clock is looked at while a body is
    decoded, whatever its codings."""
    started = monotonic()
    records = fetch_faults(server, way, BOMBS, max_time=1, max_filesize=0)
    assert monotonic() - started < 2 + LATE  # with the start of the process pool's workers
    assert errors(records) == dict.fromkeys(BOMBS, "timeout_total")
    assert {record.errormsg for record in records.values()} == {"total timeout: not complete after 1 s"}


@pytest.mark.usefixtures("packed")
@in_every_way
def test_60_who_decodes_for_long_takes_no_neighbours_time(
    server: FaultServer, other_server: FaultServer, way: Way
) -> None:
    """A server that answers at once has no URL that times out because of what another one's body decodes
    to: the async executor's one thread serves all between two turns of decoding."""
    if way.executor == "process":
        pytest.skip("its workers are threads of their own, in processes of their own")
    good = [server.url(f"after-a-moment?{number}") for number in range(10)]
    bad = [other_server.url(f"{bomb}?{number}") for bomb in BOMBS for number in range(3)]
    records = fetch_urls(way, [*bad, *good], max_time=2, max_filesize=0)
    assert [record.error for record in records] == ["timeout_total"] * len(bad) + [None] * len(good)


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


def peak_of(server: FaultServer, way: Way, parser: str, folder: Path) -> tuple[str, int]:
    """What became of `large-page`, and by how much the peak of the memory grew."""
    (folder / "mine.py").write_text(KEPT)
    urls = [server.url("ok"), server.url("large-page")]
    done = subprocess.run(
        [sys.executable, "mine.py", way.executor, way.transport, parser, *urls],
        capture_output=True,
        env=environment(),
        cwd=folder,
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
def test_61_the_title_of_a_large_page_takes_the_memory_of_its_beginning(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """`--parse title` keeps the first MiB of a decoded body, which is all that it looks at."""
    row, grown = peak_of(server, way, "title", tmp_path)
    assert row == f"None:{LARGE}:None"
    assert grown < 30 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@in_one_process
def test_61_a_body_that_a_parser_gets_is_held_once(server: FaultServer, way: Way, tmp_path: Path) -> None:
    """A person's own parser gets the whole decoded body, up to `--max-filesize`; it is in memory once."""
    row, grown = peak_of(server, way, "mine:length", tmp_path)
    assert row == f"None:{LARGE}:{LARGE}"
    assert grown < 1.3 * LARGE


@over_each_transport
def test_61_no_page_keeps_its_title_from_being_looked_for_in_linear_time(
    server: FaultServer, way: Way
) -> None:
    """`--parse title` on formatting elements without end, a tag of 90,000 attributes, quotes, scripts and
    comments that are never closed, and a `Content-Type` of 90,000 blanks: each takes a moment, and the title
    is found where there is one."""
    started = monotonic()
    records = fetch_faults(server, way, [*PAGES, "blanks-in-content-type"], parse="title")
    assert monotonic() - started < 10
    assert errors(records) == dict.fromkeys(records)
    titles = {path: record.extra["title"] for path, record in records.items()}
    found = ("formatting-elements", "many-attributes", "open-quotes", "blanks-in-content-type")
    assert [titles[path] for path in found] == ["Found", "Found", "Found", "Found"]


@pytest.mark.parametrize("executor", ["thread", "async", "process"])
def test_61_a_header_of_40000_equal_names_and_a_line_nested_without_end_cost_a_moment(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """A CSV list with 40,000 columns of one name is read at once; a line of JSONL that is nested 100,000
    deep, or holds a number of 5,000 digits, is one row and not the end of the list."""
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
    done = subprocess.run(
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
