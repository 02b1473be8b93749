"""What users of curl and wget type by habit: accepted, asked for, or answered."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.runner import Terminal, fetchpool
from tests.recording_server import RecordingServer


@pytest.fixture
def server() -> Iterator[RecordingServer]:
    with RecordingServer() as server:
        yield server


def test_switches_of_curl_that_are_always_on_are_accepted_with_a_notice(
    server: RecordingServer, tmp_path: Path
) -> None:
    done = fetchpool("-sSLfZ", "--compressed", "-o", "-", stdin=server.url(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    done = fetchpool("-L", "--compressed", "-o", "-", stdin=server.url(), cwd=tmp_path)
    assert done.returncode == 0
    assert "--location is always on: redirects are followed; --no-follow stops" in done.stderr
    assert "--compressed is always on" in done.stderr


def test_the_options_of_a_request_are_curls(server: RecordingServer, tmp_path: Path) -> None:
    arguments = (
        "-d",
        "a=1",
        "-d",
        "b=2",
        "-e",
        "https://a/",
        "-b",
        "c=3",
        "-H",
        "X: y",
        "-A",
        "me",
        "--range",
        "0-3",
    )
    done = fetchpool(*arguments, "-q", stdin=server.url(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    [request] = server.requests
    assert (request.method, request.body) == ("POST", b"a=1&b=2")
    names = ("referer", "cookie", "x", "user-agent", "range")
    assert [request.headers[name] for name in names] == ["https://a/", "c=3", "y", "me", "bytes=0-3"]


def test_a_json_api_is_asked_and_a_redirect_shown(server: RecordingServer, tmp_path: Path) -> None:
    done = fetchpool(
        "--json",
        '{"a": 1}',
        "--no-follow",
        "-o",
        "-",
        "--format",
        "jsonl",
        stdin=server.url("redirect/302/%2Fx"),
        cwd=tmp_path,
    )
    row = json.loads(done.stdout)
    assert (row["method"], row["response_code"], row["redirect_url"]) == ("POST", 302, server.url("x"))
    assert json.loads(server.requests[0].body) == {"a": 1}


def test_max_failures_is_exit_code_4(server: RecordingServer, tmp_path: Path) -> None:
    lines = "\n".join([server.url("status/404")] * 200)
    done = fetchpool(
        "--max-failures", "3", "-w", "1", "--no-dedupe", "-o", "rows.txt", stdin=lines, cwd=tmp_path
    )
    assert done.returncode == 4
    assert "stopped by --max-failures" in done.stderr
    assert 3 <= len((tmp_path / "rows.txt").read_text().splitlines()) < 50


def test_a_missing_password_is_asked_for_on_the_terminal(server: RecordingServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text(server.url())
    with Terminal(["urls.txt", "-u", "ann", "-o", "rows.txt"], tmp_path) as terminal:
        terminal.wait_for("Password of ann: ")
        terminal.press("s3cret\n")
        assert terminal.wait() == 0
        assert "s3cret" not in terminal.screen
    [request] = server.requests
    assert request.headers["authorization"] == "Basic " + base64.b64encode(b"ann:s3cret").decode()


def test_cookies_and_passwords_come_from_files(server: RecordingServer, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ann password x\n")
    (tmp_path / "in").write_text("127.0.0.1\tFALSE\t/\tFALSE\t0\tsaved\tyes\n")
    done = fetchpool(
        "--netrc", "-b", "in", "-c", "out", "-q", "-o", "rows.txt",
        stdin=server.url("login/new=1"), cwd=tmp_path, env={"HOME": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    [request] = server.requests
    assert (request.headers["cookie"], request.headers["authorization"]) == ("saved=yes", "Basic YW5uOng=")
    assert "new\t1" in (tmp_path / "out").read_text()
