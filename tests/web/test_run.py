"""A real run, steered from the page in a browser; what the server has counted is the witness."""

from __future__ import annotations

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from tests.cli.runner import start
from tests.web.browser import Browser, wait_until

URLS = 300
WORKERS = 4
FREE = 40
"""Requests that the server answers before it holds all others."""
PATIENCE = 120
"""Seconds for which it holds them: nothing is answered or retried meanwhile, however slow the browser is."""


SNAPSHOT = "return fetch('/api/snapshot').then((answer) => answer.json())"
STATE = f"{SNAPSHOT}.then((found) => found.state)"
SEQ = f"{SNAPSHOT}.then((found) => found.seq)"


class CountingServer(ThreadingHTTPServer):
    """Counts requests; from a number on it answers only after `release`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.paths: list[str] = []
        self.release = threading.Event()

    def handle_error(self, *_: Any) -> None:
        """A client that closes its connection is no error."""


class Handler(BaseHTTPRequestHandler):
    server: CountingServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.paths.append(self.path)
            number = len(self.server.paths)
        if number > FREE:
            self.server.release.wait(PATIENCE)
        self.send_response(404 if self.path == "/7" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def server() -> Iterator[CountingServer]:
    with CountingServer() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield found
        found.release.set()
        found.shutdown()
        thread.join()


@contextmanager
def running(server: CountingServer, directory: Path, *options: str) -> Iterator[tuple[Popen[bytes], str]]:
    """The command with a list of this server's URLs, and the link to its page."""
    urls = directory / "urls.txt"
    urls.write_text("".join(f"http://127.0.0.1:{server.server_port}/{number}\n" for number in range(URLS)))
    arguments = ["-q", "-w", str(WORKERS), "--per-host", "0", "--web-listen", "0", *options]
    arguments += ["--read-timeout", str(PATIENCE)]
    process = start(*arguments, "-o", "rows.jsonl", str(urls), cwd=directory)
    try:
        assert process.stderr is not None
        said = process.stderr.readline().decode()
        match = re.fullmatch(r"fetchpool: web page: (http://127\.0\.0\.1:\d+/\?token=\S+)\n", said)
        assert match, said
        yield process, match[1]
    finally:
        process.kill()
        process.wait()


def rows(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (directory / "rows.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("executor", ["thread", "async", "process"])
def test_a_paused_run_requests_nothing_and_loses_nothing(
    executor: str, browser: Browser, server: CountingServer, tmp_path: Path
) -> None:
    with running(server, tmp_path, "--executor", executor) as (process, link):
        browser.open(link)
        wait_until(lambda: len(server.paths) >= FREE + WORKERS, "requests in flight")
        browser.click("Pause")
        browser.wait_for("pausing")
        # What is in flight completes, and nothing follows.
        server.release.set()
        browser.wait_for("paused from the web page")
        wait_until(lambda: browser.driver.execute_script(STATE) == "paused", "the run is paused")
        asked = len(server.paths)
        assert asked == FREE + WORKERS
        assert "exit code" not in browser.words
        first = browser.driver.execute_script(SEQ)
        wait_until(lambda: browser.driver.execute_script(SEQ) >= first + 4, "a second of pause")
        assert len(server.paths) == asked
        browser.click("Resume")
        browser.wait_for("exit code 1")
        assert process.wait(30) == 1
    assert f"{URLS} of {URLS} URLs" in browser.words
    found = rows(tmp_path)
    assert Counter(row["urlnum"] for row in found) == Counter(range(URLS))
    assert [row["url"] for row in found if row["error"]] == [f"http://127.0.0.1:{server.server_port}/7"]
    assert len(server.paths) == URLS


def test_a_run_is_started_and_stopped_from_the_page(
    browser: Browser, server: CountingServer, tmp_path: Path
) -> None:
    with running(server, tmp_path, "--executor", "async", "--paused") as (process, link):
        browser.open(link)
        browser.wait_for("paused")
        assert server.paths == []
        browser.click("Start")
        wait_until(lambda: len(server.paths) >= FREE + WORKERS, "requests in flight")
        browser.click("Stop")
        browser.click("Stop")
        browser.wait_for("stopping")
        server.release.set()
        browser.wait_for("exit code 5")
        assert process.wait(30) == 5
    assert len(server.paths) == len(rows(tmp_path)) == FREE + WORKERS
    assert "--resume" in browser.words
