"""The frontier of a crawl: each URL is returned once, level by level, and a crash loses none."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from fetchpool.engine.writer import Writer
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier import BLOCK, Frontier, check_first_line
from fetchpool.history.frontier_file import FrontierFile, frontier_path, open_frontier
from fetchpool.history.frontier_line import FrontierLine
from fetchpool.model.discovery import LinkKind
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import StoredRow
from fetchpool.model.request import FetchRequest
from fetchpool.sinks.file import FileSink
from fetchpool.sinks.file_ops import FileOps
from fetchpool.sinks.text import TextRows
from tests.factories import FINE


def hrefs(*names: str) -> list[bytes]:
    return [f"http://a.example/{name}".encode() for name in names]


def names(requests: list[FetchRequest]) -> list[str]:
    return [request.href.removeprefix("http://a.example/") for request in requests]


def line(depth: int, kind: LinkKind = LinkKind.PAGE) -> FrontierLine:
    return FrontierLine("", depth=depth, found_on="http://a.example/", kind=kind)


def opened(path: Path, rows: Sequence[str] = (), *, load: bool = True, **options: int) -> Frontier:
    """Return the frontier of a run. `rows`: the names of URLs with rows of earlier runs. `load`: read the
    lines of earlier runs."""
    stored = [StoredRow(href.decode(), None) for href in hrefs(*rows)]
    known = DuplicateFilter(
        stored_rows=[iter([list(stored)])] if path.exists() else (),
        claims=True,
        has_depths="max_depth" in options,
    )
    while known.load():
        pass
    frontier = Frontier(FrontierFile(str(path)), known, **options)
    while load and frontier.load(lambda *_: None):
        pass
    return frontier


def test_urls_are_returned_in_the_order_in_which_they_were_found(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(""), FrontierLine("", depth=0, start=True))
    (first,) = frontier.take(10)
    assert (first.urlnum, first.input_columns) == (0, {"depth": 0, "found_on": None})
    assert frontier.exhausted
    frontier.add(hrefs("x", "y", "z"), line(1))
    assert not frontier.exhausted
    assert names(frontier.take(2)) == ["x", "y"]
    (last,) = frontier.take(2)
    assert (last.urlnum, last.input_columns) == (3, {"depth": 1, "found_on": "http://a.example/"})
    assert frontier.exhausted
    assert frontier.take(2) == []


def test_a_line_longer_than_a_block_is_read(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    long = "x" * 60_000
    frontier.add(hrefs(*(f"{long}{number}" for number in range(5))), line(0))
    assert [len(name) for name in names(frontier.take(9))] == [60_001] * 5


def test_a_backslash_in_a_query_is_the_same_afterwards(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs("?a=\\b", "?\\"), line(0))
    assert names(frontier.take(9)) == ["?a=\\b", "?\\"]
    frontier.file.close()
    again = opened(tmp_path / "f", ["?\\"])
    again.add(hrefs("?a=\\b", "?\\"), line(1))
    assert names(again.take(9)) == ["?a=\\b"]


def test_a_level_begins_when_the_one_before_has_ended(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f", max_depth=2)
    idle = False
    frontier.is_idle = lambda: idle
    frontier.add(hrefs("0"), line(0))
    assert names(frontier.take(9)) == ["0"]
    frontier.add(hrefs("1a", "1b"), line(1))
    frontier.add(hrefs("moved"), line(0))
    assert names(frontier.take(9)) == ["moved"]
    assert frontier.take(9) == []
    assert not frontier.exhausted
    idle = True
    assert names(frontier.take(1)) == ["1a"]
    idle = False
    frontier.add(hrefs("2"), line(2))
    assert names(frontier.take(9)) == ["1b"]
    frontier.add(hrefs("3"), line(3))
    idle = True
    assert names(frontier.take(9)) == ["2"]
    assert frontier.exhausted
    assert frontier.too_deep == 1


def test_a_redirect_is_of_the_same_level_even_if_a_link_leads_there_too(tmp_path: Path) -> None:
    """Whether the page that links or the redirect is received first depends on the server."""
    for name, link_first in (("f", True), ("g", False)):
        frontier = opened(tmp_path / name, max_depth=1)
        frontier.is_idle = lambda: True
        frontier.add(hrefs("a", "b"), line(0))
        frontier.take(9)
        if link_first:
            frontier.add(hrefs("target", "other"), line(1))
        frontier.add_redirect(hrefs("target")[0], line(0))
        if not link_first:
            frontier.add(hrefs("target", "other"), line(1))
        frontier.add_redirect(hrefs("target")[0], line(0))
        (target,) = frontier.take(9)
        assert (names([target]), target.input_columns["depth"]) == (["target"], 0)
        assert names(frontier.take(9)) == ["other"]
        assert frontier.exhausted
        frontier.file.close()
        again = opened(tmp_path / name, "ab", max_depth=1)
        again.is_idle = lambda: True
        assert again.waiting == 2
        assert names(again.take(9)) == ["target"]
        assert names(again.take(9)) == ["other"]
        again.file.close()
        assert names(opened(tmp_path / name, "ab").take(9)) in (["target", "other"], ["other", "target"])


def test_a_redirect_out_of_the_deepest_level_is_fetched(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f", max_depth=0)
    frontier.add(hrefs("a", "b"), line(0))
    frontier.take(9)
    frontier.add(hrefs("target"), line(1))
    assert frontier.too_deep == 1
    frontier.add_redirect(hrefs("target")[0], line(0))
    assert frontier.too_deep == 0
    assert names(frontier.take(9)) == ["target"]
    assert frontier.exhausted


@pytest.mark.parametrize("pages", [1, 2, 5])
def test_no_more_than_max_pages_are_returned(tmp_path: Path, pages: int) -> None:
    frontier = opened(tmp_path / "f", max_pages=pages)
    frontier.add(hrefs(*"abcdefg"), line(0))
    found = names(frontier.take(1)) + names(frontier.take(9))
    assert found == list("abcdefg")[:pages]
    assert frontier.exhausted
    assert frontier.waiting == 7 - pages


def test_a_resumed_run_returns_what_has_no_row(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*"abcdef"), line(0))
    frontier.file.close()
    again = opened(tmp_path / "f", "abd")
    assert (again.pages, again.waiting) == (3, 3)
    requests = again.take(9)
    assert names(requests) == ["c", "e", "f"]
    assert [request.urlnum for request in requests] == [2, 4, 5]
    again.add(hrefs("g"), line(1))
    assert [request.urlnum for request in again.take(9)] == [6]


def test_only_lines_with_something_left_are_read_again(tmp_path: Path) -> None:
    """A slow page at the beginning of a large crawl that was killed must not cost a second pass."""
    frontier = opened(tmp_path / "f")
    words = [f"{'x' * 100}{number}" for number in range(9_000)]
    frontier.add(hrefs(*words), line(0))
    frontier.file.close()
    left = [words[3], words[4_500], words[-1]]
    again = opened(tmp_path / "f", [word for word in words if word not in left])
    read, taken = again.file.read, 0

    def counted(offset: int, size: int) -> bytes:
        nonlocal taken
        taken += size
        return read(offset, size)

    again.file.read = counted  # type: ignore[method-assign]
    requests = again.take(9)
    assert names(requests) == left
    assert [request.urlnum for request in requests] == [3, 4_500, 8_999]
    assert again.exhausted
    assert again.file.size > 10 * BLOCK
    assert taken < 5 * BLOCK
    again.add(hrefs("new"), line(1))
    assert [(request.urlnum, request.href) for request in again.take(9)] == [(9_000, "http://a.example/new")]


def test_lines_of_earlier_runs_are_read_a_block_at_a_time(tmp_path: Path) -> None:
    """So that Ctrl-C ends a run that reads millions of them."""
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*map(str, range(9_000))), line(0))
    frontier.file.close()
    again = Frontier(FrontierFile(str(tmp_path / "f")), DuplicateFilter(claims=True))
    reads = 0
    while again.load(lambda *_: None):
        reads += 1
        assert again.waiting < 3_000 * reads
    assert again.waiting == 9_000


def test_lines_that_are_not_allowed_now_are_left_out(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*"abcdef"), line(0))
    frontier.file.close()
    for options in ({}, {"max_pages": 9}, {"max_depth": 9}):
        again = opened(tmp_path / "f", "ab", load=False, **options)
        again.is_allowed = lambda stored: stored.url[-1] not in "ce"
        while again.load(lambda *_: None):
            pass
        assert names(again.take(1)) + names(again.take(9)) == ["d", "f"]
        assert again.exhausted
        assert again.waiting == 0
        again.file.close()


def test_lines_that_another_program_has_written_are_read(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*"ab"), line(0))
    frontier.file.close()
    written = [json.loads(text) for text in (tmp_path / "f").read_text().splitlines()]
    (tmp_path / "f").write_text("".join(f"{json.dumps(each, sort_keys=True)}\n" for each in written))
    assert names(opened(tmp_path / "f", "a").take(9)) == ["b"]


def test_a_damaged_line_is_an_error_and_not_the_end(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*"ab"), line(0))
    frontier.file.close()
    with (tmp_path / "f").open("ab") as file:
        file.write(b"\0\0\n")
    with pytest.raises(OutputError, match="has a damaged line"):
        opened(tmp_path / "f")


def test_max_pages_counts_the_rows_of_earlier_runs(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs(*"abcdef"), line(0))
    frontier.file.close()
    again = opened(tmp_path / "f", "bf", max_pages=3)
    assert names(again.take(9)) == ["a"]
    assert again.exhausted


def test_a_resumed_run_may_go_deeper(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f", max_depth=0)
    frontier.add(hrefs("0"), line(0))
    frontier.take(9)
    frontier.add(hrefs("1"), line(1))
    assert frontier.exhausted
    frontier.file.close()
    again = opened(tmp_path / "f", "0", max_depth=1)
    again.is_idle = lambda: True
    assert names(again.take(9)) == ["1"]


def test_a_truncated_last_line_is_removed(tmp_path: Path) -> None:
    frontier = opened(tmp_path / "f")
    frontier.add(hrefs("a"), line(0))
    frontier.file.close()
    with (tmp_path / "f").open("ab") as file:
        file.write(b'{"url":"http://a.exam')
    again = opened(tmp_path / "f")
    again.add(hrefs("b"), line(1))
    assert names(again.take(9)) == ["a", "b"]


def test_a_second_run_is_kept_out(tmp_path: Path) -> None:
    first = FrontierFile(str(tmp_path / "f"))
    with pytest.raises(UsageError, match="frontier is used by another run"):
        FrontierFile(str(tmp_path / "f"))
    first.close()
    FrontierFile(str(tmp_path / "f")).close()


def test_another_file_is_not_taken_for_a_frontier(tmp_path: Path) -> None:
    (tmp_path / "f").write_text('{"url":"http://a.example/","depth":0}\n')
    with pytest.raises(UsageError, match="is not the frontier of a crawl"):
        check_first_line(FrontierFile(str(tmp_path / "f")))


def test_a_full_disk_is_an_error_of_the_output(tmp_path: Path) -> None:
    class FullDisk(FileOps):
        def write(self, descriptor: int, rows: memoryview) -> int:
            del descriptor, rows
            raise OSError(28, "No space left on device")

    file = FrontierFile(str(tmp_path / "f"), disk=FullDisk())
    file.append(b"x\n")
    with pytest.raises(OutputError, match="No space left"):
        file.flush()
    file.close()


def test_the_frontier_has_the_name_of_the_first_output_that_is_a_file() -> None:
    assert frontier_path(("-", "a.jsonl", "b.csv"), "") == "a.jsonl.frontier.jsonl"
    assert frontier_path(("a.jsonl",), "other") == "other"
    assert frontier_path(("-",), "") == ""


def test_a_crawl_is_continued_only_with_its_own_frontier(tmp_path: Path) -> None:
    rows, path = tmp_path / "rows", tmp_path / "f"
    outputs = (str(rows),)

    def opening(*, resume: bool = False, overwrite: bool = False) -> FrontierFile:
        return open_frontier(str(path), outputs, resume=resume, overwrite=overwrite)

    opening(resume=True).close()  # nothing is there: a new crawl
    opening().close()
    path.write_text("x\n")
    with pytest.raises(UsageError, match="frontier of an earlier crawl; continue it with --resume"):
        opening()
    opening(resume=True).close()
    rows.write_text("x\n")
    path.unlink()
    with pytest.raises(UsageError, match=r"the frontier .* is missing"):
        opening(resume=True)
    with pytest.raises(UsageError, match="already has rows, but no frontier"):
        opening()
    file = opening(overwrite=True)
    assert file.size == 0
    file.close()


class Disk(FileOps):
    """Notes the order of what reaches the disk."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def sync(self, descriptor: int) -> None:
        self.calls.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_the_disk_has_the_links_of_a_page_before_its_row(tmp_path: Path) -> None:
    disk = Disk()
    file = FrontierFile(str(tmp_path / "frontier"), disk=disk)
    now = 0.0
    sink = FileSink(str(tmp_path / "rows"), TextRows(), disk=disk, clock=lambda: now)
    writer = Writer([sink], DuplicateFilter(), first=[file])
    file.append(b"x\n")
    writer.write([FINE], now)
    writer.flush()
    assert disk.calls == [], "a sync every half a second would be slow"
    now = 10.0
    writer.flush()
    assert disk.calls == ["frontier", "rows"]
    file.append(b"y\n")
    writer.write([FINE], now)
    assert (tmp_path / "frontier").read_bytes() == b"x\ny\n", "the system has it first, too"
    writer.close()
    assert disk.calls == ["frontier", "rows", "frontier", "rows"]
