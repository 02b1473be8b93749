"""`--refresh`: asked again, and fetched only if it has changed."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.cli.runner import fetchpool
from tests.faults.matrix import Way, in_every_way

DATE = "Wed, 01 Jan 2025 00:00:00 GMT"
LATER = "Thu, 02 Jan 2025 00:00:00 GMT"


class Site(ThreadingHTTPServer):
    """Pages with validators, which a test may change."""

    daemon_threads = True
    request_queue_size = 128  # beyond 5, the kernel would have clients wait a second and try again

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages: dict[str, tuple[int, bytes, dict[str, str]]] = {}
        """By path: status, body and further headers."""
        self.asked: list[tuple[str, str | None, str | None]] = []

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    server: Site
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        none_match, since = self.headers["If-None-Match"], self.headers["If-Modified-Since"]
        self.server.asked.append((self.path, none_match, since))
        status, body, headers = self.server.pages.get(self.path, (404, b"no", {}))
        if status == 200 and none_match is not None:
            status = 304 if none_match == headers.get("ETag") else 200
        elif status == 200 and since is not None:
            status = 304 if since == headers.get("Last-Modified") else 200
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 304:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def site() -> Iterator[Site]:
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def run(directory: Path, *options: str, code: int = 0) -> str:
    done = fetchpool(*options, "--retry", "0", cwd=directory)
    assert done.returncode == code, done.stderr
    return done.stderr


def rows(path: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(line) for line in path.read_text().splitlines()]
    return {"/" + row["url"].split("/", 3)[3]: row for row in found}


def listed(directory: Path, site: Site, *paths: str) -> None:
    (directory / "urls.txt").write_text("".join(f"{site.url(path)}\n" for path in paths))


def test_rows_have_the_validators_of_their_version(site: Site, tmp_path: Path) -> None:
    long = '"' + "x" * 600 + '"'
    site.pages["/both"] = (200, b"a", {"ETag": 'W/"1"', "Last-Modified": DATE, "Content-Type": "text/plain"})
    site.pages["/none"] = (200, b"b", {"Retag": '"2"', "Etags": "3"})
    site.pages["/odd"] = (200, b"c", {"eTAG": long, "LAST-MODIFIED": "caf\xe9"})
    listed(tmp_path, site, "/both", "/none", "/odd", "/missing")
    run(tmp_path, "urls.txt", "-o", "old.jsonl", "-o", "old.csv", "-o", "old.txt", code=1)
    found = rows(tmp_path / "old.jsonl")
    assert (found["/both"]["etag"], found["/both"]["last_modified"]) == ('W/"1"', DATE)
    for path in ("/none", "/odd", "/missing"):
        assert not {"etag", "last_modified", "not_modified"} & set(found[path])
    header = (tmp_path / "old.csv").read_text().partition("\n")[0]
    assert header.endswith(",exitcode,etag,last_modified,extra")


def test_unchanged_pages_count_no_bytes(site: Site, tmp_path: Path) -> None:
    site.pages = {f"/{n}": (200, b"x" * 5000, {"ETag": '"1"'}) for n in range(3)}
    listed(tmp_path, site, *site.pages)
    run(tmp_path, "urls.txt", "-o", "old.jsonl")
    said = run(tmp_path, "--refresh", "old.jsonl", "-o", "new.jsonl")
    assert "size     0 B\n" in said
    assert " 0 B/s\n" in said
    assert [row["size_delivered"] for row in rows(tmp_path / "new.jsonl").values()] == [5000] * 3


@in_every_way
def test_only_changed_urls_are_fetched_again(site: Site, tmp_path: Path, way: Way) -> None:
    ways = ("--executor", way.executor, "--transport", way.transport)
    html = {"Content-Type": "text/html"}
    site.pages = {
        "/tagged": (200, b"tagged", {"ETag": '"1"', **html}),
        "/dated": (200, b"dated", {"Last-Modified": DATE}),
        "/plain": (200, b"plain", {}),
        "/edited": (200, b"before", {"ETag": '"2"'}),
        "/same-size": (200, b"12345", {}),
        "/gone": (200, b"here", {"ETag": '"3"'}),
        "/broken": (200, b"fine", {}),
        "/late": (500, b"not yet", {}),
        "/moved": (302, b"", {"Location": "/tagged"}),
    }
    paths = [*site.pages]
    listed(tmp_path, site, *paths)
    run(tmp_path, "urls.txt", "-o", "old.jsonl", "--save", "kept", *ways, code=1)
    before = rows(tmp_path / "old.jsonl")
    site.pages |= {
        "/edited": (200, b"after!", {"ETag": '"2b"'}),
        "/same-size": (200, b"54321", {}),
        "/broken": (500, b"", {}),
        "/late": (200, b"at last", {}),
    }
    del site.pages["/gone"]
    site.asked.clear()
    said = run(tmp_path, "--refresh", "old.jsonl", "-o", "new.jsonl", *ways, code=1)
    asked = {path: (none_match, since) for path, none_match, since in site.asked}
    assert asked["/tagged"] == ('"1"', None)  # by way of /moved, too
    assert asked["/dated"] == (None, DATE)
    assert asked["/plain"] == asked["/late"] == asked["/moved"] == (None, None)
    after = rows(tmp_path / "new.jsonl")
    assert set(after) == set(paths)
    for path in ("/tagged", "/dated", "/moved"):
        old, new = before[path], after[path]
        assert (new["error"], new["response_code"], new["not_modified"]) == (None, 304, True)
        for name in (
            "size_delivered",
            "sha256",
            "filename_effective",
            "content_type",
            "etag",
            "last_modified",
        ):
            assert new.get(name) == old.get(name)
        assert new["size_download"] == 0
    assert not any(
        "not_modified" in after[path] for path in paths if path not in ("/tagged", "/dated", "/moved")
    )
    assert after["/edited"]["sha256"] == hashlib.sha256(b"after!").hexdigest()
    assert after["/edited"]["etag"] == '"2b"'
    assert "4 unchanged, 2 changed, 1 appeared, 1 vanished, 1 failed" in said


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "sqlite", "parquet"])
def test_every_output_that_holds_validators_can_be_refreshed(site: Site, tmp_path: Path, suffix: str) -> None:
    for number in range(30):
        site.pages[f"/{number}"] = (200, b"x" * number, {"ETag": f'"{number}"', "Last-Modified": DATE})
    listed(tmp_path, site, *site.pages, "/missing")
    run(tmp_path, "urls.txt", "-o", f"old.{suffix}", "--hash", "sha256", code=1)
    said = run(tmp_path, "--refresh", f"old.{suffix}", "-o", f"new.{suffix}", code=1)
    assert "30 unchanged, 0 changed, 0 appeared, 0 vanished, 1 failed" in said
    again = run(tmp_path, "--refresh", f"new.{suffix}", "-o", "newer.jsonl", code=1)
    assert "30 unchanged" in again
    found = rows(tmp_path / "newer.jsonl")
    assert [found[f"/{number}"]["size_delivered"] for number in range(30)] == list(range(30))
    assert all(found[f"/{n}"]["sha256"] == hashlib.sha256(b"x" * n).hexdigest() for n in range(30))


def test_urls_missing_from_the_earlier_output_count_as_appeared(site: Site, tmp_path: Path) -> None:
    site.pages = {f"/{name}": (200, name.encode(), {"ETag": f'"{name}"'}) for name in "abc"}
    listed(tmp_path, site, "/a", "/b")
    run(tmp_path, "urls.txt", "-o", "old.jsonl")
    listed(tmp_path, site, "/b", "/c")
    said = run(tmp_path, "urls.txt", "--refresh", "old.jsonl", "-o", "new.jsonl")
    assert "1 unchanged, 0 changed, 1 appeared, 0 vanished, 0 failed" in said
    assert set(rows(tmp_path / "new.jsonl")) == {"/b", "/c"}


def test_every_url_is_counted_also_one_that_was_not_there_and_still_is_not(
    site: Site, tmp_path: Path
) -> None:
    site.pages = {"/a": (200, b"a", {"ETag": '"1"'}), "/gone": (200, b"b", {})}
    listed(tmp_path, site, *site.pages, "/missing")
    run(tmp_path, "urls.txt", "-o", "old.jsonl", code=1)
    del site.pages["/gone"]
    listed(tmp_path, site, "/a", "/gone", "/missing", "/never")
    said = run(tmp_path, "urls.txt", "--refresh", "old.jsonl", "-o", "new.jsonl", code=1)
    assert "1 unchanged, 0 changed, 0 appeared, 1 vanished, 2 failed" in said


def test_a_result_may_be_refreshed_into_itself(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": (200, b"one", {"ETag": '"1"'})}
    listed(tmp_path, site, "/a")
    run(tmp_path, "urls.txt", "-o", "rows.jsonl")
    for tag, said in (("1", "1 unchanged"), ("2", "1 changed"), ("2", "1 unchanged")):
        site.pages["/a"] = (200, tag.encode(), {"ETag": f'"{tag}"'})
        assert said in run(tmp_path, "--refresh", "rows.jsonl", "-o", "rows.jsonl")
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "db"])
def test_a_row_without_a_url_is_not_asked_again(site: Site, tmp_path: Path, suffix: str) -> None:
    site.pages["/tag"] = (200, b"a", {"ETag": '"1"'})
    (tmp_path / "list.csv").write_text(f"url,n\n,1\n{site.url('/tag')},2\n,3\n")
    assert fetchpool("list.csv", "--url-column", "url", "-o", f"old.{suffix}", cwd=tmp_path).returncode == 1
    run(tmp_path, "--refresh", f"old.{suffix}", "-o", "new.jsonl")
    assert [*rows(tmp_path / "new.jsonl")] == ["/tag"]


def test_a_result_that_is_refreshed_into_itself_is_not_resumed(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": (200, b"one", {"ETag": '"1"'})}
    listed(tmp_path, site, "/a", "/late")
    run(tmp_path, "urls.txt", "-o", "rows.jsonl", code=1)
    in_place = ("--refresh", "rows.jsonl", "-o", "./rows.jsonl")
    assert "--resume" not in run(tmp_path, *in_place, code=1)
    said = run(tmp_path, *in_place, "--resume", code=2)
    assert said == "fetchpool: --resume cannot be combined with --refresh into the same file\n"
    site.pages["/late"] = (200, b"at last", {})
    site.asked.clear()
    run(tmp_path, *in_place, "--retry-failed", "all")
    assert [path for path, _, _ in site.asked] == ["/late"]


def test_an_interrupted_refresh_into_itself_does_not_offer_to_be_resumed(site: Site, tmp_path: Path) -> None:
    site.pages = {f"/{number}": (200, b"page", {}) for number in range(20)}
    listed(tmp_path, site, *site.pages)
    run(tmp_path, "urls.txt", "-o", "rows.jsonl")
    slowly = ("-w", "1", "--host-delay", "200ms", "--max-runtime", "500ms")
    for output, offers in (("rows.jsonl", False), ("new.jsonl", True)):
        said = run(tmp_path, "--refresh", "rows.jsonl", "-o", output, *slowly, code=4)
        assert ("to continue: run the same command with --resume" in said) == offers


def test_a_condition_set_by_the_user_is_sent_unchanged(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": (200, b"one", {"ETag": '"1"'})}
    listed(tmp_path, site, "/a")
    run(tmp_path, "urls.txt", "-o", "old.jsonl")
    run(tmp_path, "--refresh", "old.jsonl", "-o", "new.jsonl", "-H", 'If-None-Match: "mine"')
    assert site.asked[-1] == ("/a", '"mine"', None)


def test_a_304_to_an_unconditional_request_is_a_protocol_error(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": (304, b"", {})}
    listed(tmp_path, site, "/a")
    run(tmp_path, "urls.txt", "-o", "old.jsonl", code=1)
    row = rows(tmp_path / "old.jsonl")["/a"]
    assert row["error"] == "protocol"
    assert "not_modified" not in row


@pytest.mark.parametrize(
    ("asked", "answered", "error"),
    [
        ({"ETag": '"1"'}, {}, None),
        ({"ETag": '"1"'}, {"ETag": 'W/"1"'}, None),
        ({"ETag": '"1-gzip"'}, {"ETag": '"1"'}, None),
        ({"ETag": '"a,b"'}, {"ETag": '"a,b"'}, None),
        ({"ETag": '"1"', "Last-Modified": DATE}, {"ETag": '"1"', "Last-Modified": LATER}, None),
        ({"ETag": '"1"'}, {"ETag": '"2"'}, "protocol"),
        ({"Last-Modified": DATE}, {"Last-Modified": DATE}, None),
        ({"Last-Modified": LATER}, {"Last-Modified": DATE}, None),
        ({"Last-Modified": DATE}, {"Last-Modified": LATER}, "protocol"),
        ({"Last-Modified": DATE}, {"Last-Modified": "some day"}, None),
        ({}, {}, "protocol"),
    ],
)
def test_a_304_must_be_for_the_version_in_the_condition(
    site: Site, tmp_path: Path, asked: dict[str, str], answered: dict[str, str], error: str | None
) -> None:
    site.pages = {"/a": (200, b"one", asked)}
    listed(tmp_path, site, "/a")
    run(tmp_path, "urls.txt", "-o", "old.jsonl")
    site.pages = {"/a": (304, b"", answered)}
    run(tmp_path, "--refresh", "old.jsonl", "-o", "new.jsonl", code=1 if error else 0)
    row = rows(tmp_path / "new.jsonl")["/a"]
    assert row["error"] == error
    assert row.get("not_modified") is (None if error else True)
    assert row["size_delivered"] == (0 if error else 3)


def test_the_new_column_is_there_in_tables(site: Site, tmp_path: Path) -> None:
    site.pages = {"/a": (200, b"one", {"ETag": '"1"'}), "/b": (200, b"two", {})}
    listed(tmp_path, site, "/a", "/b")
    run(tmp_path, "urls.txt", "-o", "old.jsonl")
    run(tmp_path, "--refresh", "old.jsonl", "-o", "new.csv", "-o", "new.parquet")
    for path in ("new.csv", "new.parquet"):
        found = duckdb.sql(f"SELECT not_modified FROM '{tmp_path}/{path}' ORDER BY url").fetchall()
        assert found == [(True,), (None,)]


@pytest.mark.parametrize(
    ("old", "content", "words"),
    [
        ("missing.jsonl", None, "--refresh: missing.jsonl: no such file; check its name"),
        (
            "old.txt",
            "url:<http://a/> size:[1]\n",
            "--refresh: old.txt: text rows have no validators; name a",
        ),
        ("old.csv", "a,b\n1,2\n", "--refresh: old.csv: has no column 'url'"),
        ("old.sqlite", "not one", "--refresh: old.sqlite: is not a readable SQLite output of fetchpool"),
        ("-", None, "--refresh: expected the output of an earlier run"),
    ],
)
def test_an_unusable_earlier_output_is_refused(
    tmp_path: Path, old: str, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / old).write_text(content)
    said = run(tmp_path, "--refresh", old, "-o", "new.jsonl", code=2)
    assert said.startswith(f"fetchpool: {words}")
    assert not (tmp_path / "new.jsonl").exists()
