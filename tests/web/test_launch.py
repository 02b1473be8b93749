"""The web page's process as the run sees it: it can die or stop without harm, and never outlives the run."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.endurance.web_connections import connect, is_fine
from fetchpool.config.web_options import DEFAULT_PORT, WebOptions, web_options
from fetchpool.engine.events import Notice
from fetchpool.model.errors import UsageError
from fetchpool.model.steering import Command, Pause
from fetchpool.web.launch import FROM_PAGE, WebPage
from fetchpool.web.listen import listen
from tests.at_once import AtOnce
from tests.factories import snapshot
from tests.web.process import PATIENCE, RUN, TOKEN, PageProcess


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.01)
    return found


class Launched:
    """A page with a run made up by the test."""

    def __init__(self) -> None:
        self.notices: list[str] = []
        self.commands: list[tuple[Command, str]] = []
        self.page = WebPage(WebOptions(port=0, token=TOKEN), self.notices.append)
        self.page.steered_by(lambda command, by: self.commands.append((command, by)))
        self.page.start(RUN)
        self.page.on_start(snapshot(elapsed=0.0, seq=1))
        self.link = self.page.lines[0].removeprefix("web page: ")
        self.port = int(self.link.partition("/?")[0].rpartition(":")[2])

    @property
    def pid(self) -> int:
        assert self.page._child is not None
        return self.page._child.pid

    @property
    def code(self) -> int | None:
        """The exit code of the page's process."""
        assert self.page._child is not None
        return self.page._child.returncode

    def ask(self, method: str, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, headers={"Authorization": f"Bearer {TOKEN}"})
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def shows(self, seq: int) -> bool:
        return bool(self.ask("GET", "/api/snapshot")[1].get("seq") == seq)


@contextmanager
def launched_page() -> Iterator[Launched]:
    found = Launched()
    try:
        yield found
    finally:
        found.page.__exit__(RuntimeError)


@pytest.fixture
def launched() -> Iterator[Launched]:
    with launched_page() as found:
        yield found


at_once = AtOnce(launched=launched_page)
"""Not for tests in which a page has to end in time: they would compete with the start of all others."""


def test_the_page_shows_the_newest_snapshot_and_passes_commands(launched: Launched) -> None:
    launched.page.on_event(Notice("robots.txt says no"))
    for seq in range(2, 50):
        launched.page.on_snapshot(snapshot(elapsed=float(seq), seq=seq))
    wait_until(lambda: launched.shows(49), "the newest snapshot")
    assert launched.ask("GET", "/api/snapshot")[1]["events"][0]["text"] == "robots.txt says no"
    assert launched.ask("POST", "/api/pause") == (202, {"seq": 49})
    wait_until(lambda: launched.commands, "the command")
    assert launched.commands == [(Pause(), FROM_PAGE)]
    launched.page.end(0)
    assert launched.code == 0, "it ends by itself: no tab is open"


@at_once
def test_a_link_to_give_away_is_for_a_page_without_buttons(launched: Launched) -> None:
    launched.page.show_link(read_only=True)
    launched.page.on_snapshot(snapshot(elapsed=2.0, seq=2))
    wait_until(lambda: launched.shows(2), "what was sent after the link")
    (said,) = launched.notices
    path = said.removeprefix(f"web page, read-only: http://127.0.0.1:{launched.port}")
    connection = http.client.HTTPConnection("127.0.0.1", launched.port, timeout=PATIENCE)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    cookie = (answer.getheader("set-cookie") or "").partition(";")[0]
    connection.request("GET", "/api/run", headers={"Cookie": cookie})
    assert json.loads(connection.getresponse().read())["read_only"] is True
    origin = f"http://127.0.0.1:{launched.port}"
    connection.request("POST", "/api/pause", headers={"Cookie": cookie, "Origin": origin})
    assert connection.getresponse().status == 403
    connection.close()
    assert launched.commands == []


@at_once
def test_a_new_link_is_shown_and_works_once(launched: Launched) -> None:
    launched.page.show_link()
    (said,) = launched.notices
    path = said.removeprefix(f"web page: http://127.0.0.1:{launched.port}")

    def redeem() -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", launched.port, timeout=PATIENCE)
        connection.request("GET", path)
        answer = connection.getresponse()
        connection.close()
        return answer.status, answer.getheader("set-cookie")

    # The page gets the token a moment later than the user.
    status, cookie = wait_until(lambda: (found := redeem())[0] == 303 and found, "the link is valid")
    assert (status, bool(cookie)) == (303, True)
    assert redeem() == (401, None)


@at_once
def test_a_dead_page_is_one_notice(launched: Launched) -> None:
    wait_until(lambda: launched.shows(1), "the page")
    os.kill(launched.pid, signal.SIGKILL)

    def noticed() -> bool:
        launched.page.on_snapshot(snapshot(seq=2))
        return bool(launched.notices)

    wait_until(noticed, "the notice")
    for seq in range(3, 6):
        launched.page.on_snapshot(snapshot(seq=seq))
    assert launched.notices == ["the web page has ended (signal 9); the run continues without it"]
    launched.page.end(1)


@at_once
def test_a_stopped_page_delays_neither_the_run_nor_its_end(launched: Launched) -> None:
    wait_until(lambda: launched.shows(1), "the page")
    os.kill(launched.pid, signal.SIGSTOP)
    hosts = snapshot().hosts
    began = time.monotonic()
    for seq in range(2000):  # more than a pipe holds
        launched.page.on_snapshot(snapshot(seq=seq, hosts=hosts))
        launched.page.on_event(Notice("x" * 200))
    launched.page.end(0)
    assert time.monotonic() - began < 10
    assert launched.code == -signal.SIGKILL
    assert launched.notices == []


def test_an_open_tab_gets_the_end(launched: Launched) -> None:
    wait_until(lambda: launched.shows(1), "the page")
    launched.ask("GET", "/api/snapshot?tab=1")
    launched.page.on_finish(snapshot(seq=9))
    ending = threading.Thread(target=launched.page.end, args=(1, ["done"]))
    ending.start()
    answer = wait_until(
        lambda: (found := launched.ask("GET", "/api/snapshot?tab=1")[1])["exit_code"] is not None and found,
        "the end",
    )
    ending.join(PATIENCE)
    assert (answer["seq"], answer["state"], answer["exit_code"]) == (9, "ended", 1)


@at_once
def test_a_killed_run_leaves_no_page_behind() -> None:
    with PageProcess() as page:
        assert page.process.stdin is not None
        page.process.stdin.close()
        assert page.process.wait(PATIENCE) == 0


@at_once
def test_signals_of_the_terminal_do_not_reach_the_page() -> None:
    with PageProcess() as page:
        page.show([snapshot(seq=5)])
        assert b" 200 " in page.ask(request(page, "/api/run"))
        page.process.send_signal(signal.SIGINT)
        assert b" 200 " in page.ask(request(page, "/api/run"))
        assert os.getpgid(page.process.pid) != os.getpgrp()


def request(page: PageProcess, path: str, host: str = "") -> bytes:
    host = host or f"127.0.0.1:{page.port}"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {TOKEN}\r\nConnection: close\r\n\r\n"
    ).encode()


@at_once
def test_requests_on_the_wire() -> None:
    with PageProcess() as page:
        page.show([snapshot(seq=5)])
        assert b" 200 " in page.ask(request(page, "/api/snapshot"))
        assert b" 421 " in page.ask(request(page, "/api/snapshot", host="evil.example"))
        assert b" 421 " in page.ask(request(page, f"http://127.0.0.1:{page.port}/api/run"))
        doubled = request(page, "/").replace(b"Auth", b"Host: evil.example\r\nAuth")
        assert b" 400 " in page.ask(doubled)
        large = b"Content-Length: 10000000\r\n\r\n"
        posted = request(page, "/api/pause").replace(b"GET", b"POST").replace(b"\r\n\r\n", b"\r\n" + large)
        assert b" 413 " in page.ask(posted)
        upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n"
        refused = page.ask(
            request(page, "/").replace(b"Connection: close\r\n\r\n", b"") + b"Connection: close\r\n" + upgrade
        )
        assert b" 101 " not in refused
        assert page.command(timeout=0.0) is None


@at_once
def test_no_token_is_in_the_arguments_or_the_environment(launched: Launched) -> None:
    wait_until(lambda: launched.shows(1), "the page")
    token = launched.link.partition("token=")[2]
    process = Path(f"/proc/{launched.pid}")
    for name in ("cmdline", "environ"):
        found = (process / name).read_bytes()
        assert token.encode() not in found
        assert b"FETCHPOOL_WEB_TOKEN" not in found


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"--web-listen: can't listen on 127.0.0.1:{port} "):
            listen(WebOptions(port=port, any_port=False))
        with listen(WebOptions(port=port)) as other:
            assert other.getsockname()[1] != port


def options(**given: Any) -> WebOptions | None:
    values = {"web": False, "web_listen": None, "web_host": None, "web_read_only": False, "environment": {}}
    return web_options(**{**values, **given})


@pytest.mark.parametrize(
    ("given", "address", "port"),
    [
        ({"web": True}, "127.0.0.1", DEFAULT_PORT),
        ({"web_listen": "0"}, "127.0.0.1", 0),
        ({"web_listen": "localhost:9000"}, "127.0.0.1", 9000),
        ({"web_listen": "[::1]:9000"}, "::1", 9000),
        ({"web_listen": "0.0.0.0:9000"}, "0.0.0.0", 9000),
        ({"web_read_only": True}, "127.0.0.1", DEFAULT_PORT),
        ({"web_host": ["A.example"]}, "127.0.0.1", DEFAULT_PORT),
    ],
)
def test_each_option_asks_for_a_page(given: dict[str, Any], address: str, port: int) -> None:
    found = options(**given)
    assert found is not None
    assert (found.address, found.port) == (address, port)


def test_without_an_option_there_is_no_page() -> None:
    assert options(environment={"FETCHPOOL_WEB_TOKEN": "x"}) is None


@pytest.mark.parametrize(
    ("given", "named"),
    [
        *[
            ({"web_listen": value}, "--web-listen: ")
            for value in ("", "x", "70000", "1:2:3", "::1:80", "host:1")
        ],
        *[({"web_host": [value]}, "--web-host: ") for value in ("", "a b", "http://x", "x/", "x:y")],
        ({"web": True, "environment": {"FETCHPOOL_WEB_TOKEN": "a b"}}, "FETCHPOOL_WEB_TOKEN: "),
    ],
)
def test_wrong_options_are_refused(given: dict[str, Any], named: str) -> None:
    with pytest.raises(UsageError, match=named):
        options(**given)


def test_a_thousand_connections_do_not_keep_the_page_from_answering() -> None:
    """`make web-connections` does the same with ten thousand."""
    with PageProcess() as page:
        assert is_fine(connect(page, 1_000))
