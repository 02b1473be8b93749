"""Unrequested responses: a response that does not fit the request is a failure."""

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
from tests.faults.scenarios.normal import PAGE
from tests.faults.scenarios.responses import PART
from tests.faults.server import FaultServer

PARTS = [
    "part-206",
    "part-206-of-no-range",
    "part-206-complete",
    "part-200",
    "part-200-behind",
    "part-203",
]
COMPLETE = ["complete-200", "complete-200-star", "nonsense-range"]


def rows_of(directory: Path, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The rows of a command in that directory, whose list is `urls.txt` unless it says otherwise."""
    (directory / "rows.jsonl").unlink(missing_ok=True)
    done = runner.fetchpool(*arguments, "-o", "rows.jsonl", "--retry", "0", cwd=directory)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]


# 56: parts, and what has not changed


@in_every_way
def test_56_an_unrequested_partial_response_is_truncated(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """A 206 to a request without `Range`, or a `Content-Range` that covers only a part, even with status 200:
    `truncated`, with the bytes received; it is neither saved nor parsed. Caches that stored a part of a page
    respond like this, and may have the complete page the next time."""
    settings: dict[str, Any] = {"parse": ["title"], "save": str(tmp_path / "kept")}
    records = fetch_faults(server, way, [*PARTS, *COMPLETE], **settings)
    assert errors(records) == {**dict.fromkeys(PARTS, "truncated"), **dict.fromkeys(COMPLETE, None)}
    assert {record.size_delivered for record in records.values()} == {len(PART)}
    kept = [path for path in (tmp_path / "kept").rglob("*") if path.is_file() and path.read_bytes() == PART]
    assert len(kept) == 1
    assert not any("sha256" in records[path].to_dict() for path in PARTS)


@over_each_transport
def test_56_a_requested_partial_response_is_a_success(server: FaultServer, way: Way) -> None:
    """With the user's own `Range`, also after a redirect to another port."""
    with FaultServer() as neighbour:
        server_paths = ["part-206", f"redirect-to?{neighbour.url('part-206')}"]
        records = fetch_faults(server, way, server_paths, headers={"range": "bytes=0-9"})
        assert errors(records) == dict.fromkeys(server_paths, None)
        assert neighbour.received[-1].headers()["range"] == "bytes=0-9"


@over_each_transport
def test_56_conditions_and_ranges_are_not_sent_for_robots_txt(server: FaultServer, way: Way) -> None:
    """With `--robots`, the user's own `Range` or condition would leave no rules to read."""
    headers = {"Range": "bytes=0-9", "If-None-Match": '"9"', "X-Own": "yes"}
    [record] = fetch_urls(way, [server.url("part-206")], headers=headers, robots=True)
    assert record.error is None
    asked = {request.scenario: set(request.headers()) for request in server.received}
    assert asked["part-206"] - asked["robots.txt"] == {"range", "if-none-match"}


@over_each_transport
def test_56_a_304_to_an_unconditional_request_is_a_protocol_failure(server: FaultServer, way: Way) -> None:
    """`protocol`: there is no earlier version it could refer to."""
    records = fetch_faults(server, way, ["not-modified"])
    assert errors(records) == {"not-modified": "protocol"}
    assert records["not-modified"].response_code == 304


@pytest.mark.parametrize("way", [CURL, REQUESTS], ids=str)
def test_56_refresh_rejects_an_unrelated_304(way: Way, tmp_path: Path) -> None:
    """With `--refresh`, too, if the earlier row had no validators, or if the 304 has another `ETag` than the
    requested one: the old size and hash are not copied. Only a 304 about the requested version means that
    nothing has changed."""
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
def test_56_a_304_to_a_custom_condition_does_not_refer_to_the_earlier_row(
    server: FaultServer, way: Way, tmp_path: Path
) -> None:
    """With `-H 'If-None-Match: …'` and `--refresh` it is just a row with status 304: it has neither the old
    size and hash, nor an `ETag` for a later refresh."""
    ways = ("--executor", way.executor, "--transport", way.transport, "--hash", "sha256")
    (tmp_path / "urls.txt").write_text(server.url("not-modified-once?9"))
    rows_of(tmp_path, "urls.txt", *ways)
    (tmp_path / "rows.jsonl").rename(tmp_path / "old.jsonl")
    [row] = rows_of(tmp_path, "--refresh", "old.jsonl", "-H", 'If-None-Match: "9"', *ways)
    assert (row["error"], row["response_code"], row["size_delivered"]) == (None, 304, 0)
    assert not {"sha256", "etag", "not_modified"} & set(row)


# 57: statuses that no standard knows


@in_every_way
def test_57_a_status_over_599_is_a_server_error(server: FaultServer, way: Way) -> None:
    """`http_999` and the like, with the body counted (RFC 9110 section 15); LinkedIn sends it. A status of
    four digits is invalid (18)."""
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
def test_57_retry_failed_accepts_it(server: FaultServer, tmp_path: Path, group: str) -> None:
    """It belongs to `http_5xx`, and can be named."""
    (tmp_path / "urls.txt").write_text(server.url("status-999"))
    assert [row["error"] for row in rows_of(tmp_path, "urls.txt", code=1)] == ["http_999"]
    again = ("urls.txt", "-o", "rows.jsonl", "--retry", "0", "--retry-failed")
    runner.fetchpool(*again, "http_4xx", cwd=tmp_path)
    assert len(server.received) == 1
    runner.fetchpool(*again, group, cwd=tmp_path)
    assert len(server.received) == 2
