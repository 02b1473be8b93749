"""What an answer means: one that is not to what was asked is no success."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli import runner
from tests.faults.matrix import (
    CURL,
    REQUESTS,
    Way,
    errors,
    fetch_faults,
    fetch_urls,
    in_every_way,
    over_each_transport,
)
from tests.faults.scenarios.answering import PART
from tests.faults.scenarios.normal import PAGE
from tests.faults.server import FaultServer

PARTS = [
    "part-206",
    "part-206-of-no-range",
    "part-206-whole",
    "part-200",
    "part-200-behind",
    "part-203",
]
WHOLE = ["whole-200", "whole-200-star", "nonsense-range"]


def rows_of(folder: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The rows of a command in that folder, whose list is `urls.txt` unless it says otherwise."""
    (folder / "rows.jsonl").unlink(missing_ok=True)
    done = runner.fetchpool(*arguments, "-o", "rows.jsonl", "--retry", "0", cwd=folder)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]


# 56: parts, and what has not changed


@in_every_way
def test_56_a_part_that_nobody_asked_for_is_truncated(server: FaultServer, way: Way, tmp_path: Path) -> None:
    """A 206 to a request without `Range`, or a `Content-Range` that speaks of less than the whole, also
    beside a 200: `truncated`, with the bytes that came, and neither kept nor parsed. A cache that kept a
    part of a page answers so, and may have all of it the next time."""
    settings: dict[str, Any] = {"parse": ["title"], "save": str(tmp_path / "kept")}
    records = fetch_faults(server, way, [*PARTS, *WHOLE], **settings)
    assert errors(records) == {**dict.fromkeys(PARTS, "truncated"), **dict.fromkeys(WHOLE, None)}
    assert {record.size_delivered for record in records.values()} == {len(PART)}
    kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file() and path.read_bytes() == PART]
    assert len(kept) == 1
    assert not any("sha256" in records[path].to_dict() for path in PARTS)


@over_each_transport
def test_56_one_that_was_asked_for_is_fine(server: FaultServer, way: Way) -> None:
    """With a `Range` of the user's own, also where a redirect led to another port."""
    with FaultServer() as neighbour:
        server_paths = ["part-206", f"redirect-to?{neighbour.url('part-206')}"]
        records = fetch_faults(server, way, server_paths, headers={"range": "bytes=0-9"})
        assert errors(records) == dict.fromkeys(server_paths, None)
        assert neighbour.received[-1].headers()["range"] == "bytes=0-9"


@over_each_transport
def test_56_what_the_user_asks_of_pages_is_not_asked_of_their_robots_txt(
    server: FaultServer, way: Way
) -> None:
    """With `--robots`, a `Range` or a condition of the user's own would leave no rules to read."""
    headers = {"Range": "bytes=0-9", "If-None-Match": '"9"', "X-Own": "yes"}
    [record] = fetch_urls(way, [server.url("part-206")], headers=headers, robots=True)
    assert record.error is None
    asked = {request.scenario: set(request.headers()) for request in server.received}
    assert asked["part-206"] - asked["robots.txt"] == {"range", "if-none-match"}


@over_each_transport
def test_56_a_304_to_an_unconditional_request_is_a_protocol_failure(server: FaultServer, way: Way) -> None:
    """`protocol`: nobody has the page that it speaks of."""
    records = fetch_faults(server, way, ["not-modified"])
    assert errors(records) == {"not-modified": "protocol"}
    assert records["not-modified"].response_code == 304


@pytest.mark.parametrize("way", [CURL, REQUESTS], ids=str)
def test_56_nor_does_refresh_take_it_for_an_answer(way: Way, tmp_path: Path) -> None:
    """With `--refresh` too, where the earlier row had nothing to ask with, or where the 304 has another
    `ETag` than the one that was asked about: the old size and hash are not taken over. Only one about that
    very version says that nothing has changed."""
    ways = ("--executor", way.executor, "--transport", way.transport, "--hash", "sha256", "-w", "1")
    errors = {
        "not-modified-later": "protocol",
        "not-modified-once?2": "protocol",
        "not-modified-once?1": None,
    }
    with FaultServer() as fresh:
        (tmp_path / "urls.txt").write_text("".join(f"{fresh.url(path)}\n" for path in errors))
        first = {row["url"]: row for row in rows_of(tmp_path, "urls.txt", *ways)}
        assert {(row["error"], row["size_delivered"]) for row in first.values()} == {(None, len(PAGE))}
        (tmp_path / "rows.jsonl").rename(tmp_path / "old.jsonl")
        again = {row["url"]: row for row in rows_of(tmp_path, "--refresh", "old.jsonl", *ways, code=1)}
        for path, error in errors.items():
            row = again[fresh.url(path)]
            assert row["error"] == error
            assert row["size_delivered"] == (0 if error else len(PAGE))
            assert row.get("sha256") == (None if error else first[fresh.url(path)]["sha256"])


@over_each_transport
def test_56_a_304_to_the_users_own_condition_is_not_of_the_earlier_result(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """With `-H 'If-None-Match: …'` and `--refresh` it is a 304 and no more: the row has neither the old
    size and hash, nor an `ETag` with which a later refresh would ask."""
    ways = ("--executor", way.executor, "--transport", way.transport, "--hash", "sha256")
    (tmp_path / "urls.txt").write_text(server.url("not-modified-once?9"))
    rows_of(tmp_path, "urls.txt", *ways)
    (tmp_path / "rows.jsonl").rename(tmp_path / "old.jsonl")
    [row] = rows_of(tmp_path, "--refresh", "old.jsonl", "-H", 'If-None-Match: "9"', *ways)
    assert (row["error"], row["response_code"], row["size_delivered"]) == (None, 304, 0)
    assert not {"sha256", "etag", "not_modified"} & set(row)


# 57: statuses that no standard knows


@in_every_way
def test_57_a_status_beyond_599_is_as_good_as_a_5xx(server: FaultServer, way: Way) -> None:
    """`http_999` and its like, with the body counted (RFC 9110 section 15): LinkedIn answers so. With four
    digits it is no status (18)."""
    paths = ["status-600", "status-700", "status-999"]
    records = fetch_faults(server, way, [*paths, "status-1000"])
    assert errors(records) == {
        "status-600": "http_600",
        "status-700": "http_700",
        "status-999": "http_999",
        "status-1000": "protocol",
    }
    assert {(records[path].size_delivered, records[path].exitcode) for path in paths} == {(len(PART), 22)}
    assert records["status-1000"].response_code is None


@pytest.mark.parametrize("group", ["http_5xx", "http_999", "all"])
def test_57_retry_failed_knows_it(server: FaultServer, tmp_path: Path, group: str) -> None:
    """It is one of `http_5xx`, and can be named."""
    (tmp_path / "urls.txt").write_text(server.url("status-999"))
    assert [row["error"] for row in rows_of(tmp_path, "urls.txt", code=1)] == ["http_999"]
    again = ("urls.txt", "-o", "rows.jsonl", "--retry", "0", "--retry-failed")
    runner.fetchpool(*again, "http_4xx", cwd=tmp_path)
    assert len(server.received) == 1
    runner.fetchpool(*again, group, cwd=tmp_path)
    assert len(server.received) == 2
