"""`progress=` of `fetch()` and `afetch()`."""

from __future__ import annotations

import asyncio
import os
import pty
import subprocess
import sys
import threading
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import fetchpool
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.engine.events import Snapshot
from tests.at_once import AtOnce
from tests.cli import runner
from tests.cli.environment import environment

at_once = AtOnce()

SCRIPT = """
import sys, fetchpool
for record in fetchpool.fetch(sys.argv[1:], progress=True):
    print("row", record.size_delivered)
"""


def urls_of(server: DemoServer) -> list[str]:
    return [server.url("/delay/700"), server.url("/bytes/1"), server.url("/status/404")]


@at_once
def test_a_function_gets_snapshots_and_at_last_the_totals(demo_server: DemoServer) -> None:
    snapshots: list[Snapshot] = []
    rows = list(fetchpool.fetch(urls_of(demo_server), progress=snapshots.append))
    assert len(rows) == 3
    assert len(snapshots) > 1
    last = snapshots[-1]
    assert (last.done, last.ok, last.total) == (3, 2, 3)


def test_the_function_of_afetch_is_called_in_the_event_loop(demo_server: DemoServer) -> None:
    calls: list[tuple[Snapshot, threading.Thread]] = []

    async def main() -> None:
        def note(snapshot: Snapshot) -> None:
            calls.append((snapshot, threading.current_thread()))

        async for _ in fetchpool.afetch(urls_of(demo_server), progress=note):
            pass

    asyncio.run(main())
    assert {thread for _, thread in calls} == {threading.main_thread()}
    assert calls[-1][0].done == 3


def fail(_snapshot: Snapshot) -> None:
    raise ZeroDivisionError


@at_once
def test_an_exception_of_the_function_is_raised_by_fetch(demo_server: DemoServer) -> None:
    with pytest.raises(ZeroDivisionError):
        list(fetchpool.fetch(urls_of(demo_server), progress=fail))


@at_once
def test_an_exception_of_the_function_is_raised_by_afetch(demo_server: DemoServer) -> None:
    async def main() -> None:
        async for _ in fetchpool.afetch(urls_of(demo_server), progress=fail):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(main())


@at_once
def test_without_a_terminal_the_progress_of_a_script_is_lines(demo_server: DemoServer) -> None:
    done = run_script(urls_of(demo_server), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    stdout, _ = done.communicate(timeout=30)
    assert done.returncode == 0
    assert sorted(stdout.split()) == sorted(["row", "row", "row", *stdout.split()[1::2]])


@at_once
def test_on_a_terminal_the_display_of_a_script_leaves_what_it_prints(demo_server: DemoServer) -> None:
    terminal, end = pty.openpty()
    process = run_script(urls_of(demo_server), stdout=end, stderr=end)
    os.close(end)
    seen = b""
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the other end is closed
            break
        if not read:
            break
        seen += read
    os.close(terminal)
    assert process.wait(30) == 0
    assert seen.count(b"row ") == 3
    assert b"of 3" in seen  # the display


def run_script(urls: list[str], **streams: Any) -> subprocess.Popen[str]:
    variables = environment({"TERM": "xterm", "COLUMNS": "100"})
    return runner.popen([sys.executable, "-c", SCRIPT, *urls], text=True, env=variables, **streams)


def test_in_a_notebook_the_progress_is_one_output_of_the_cell(
    demo_server: DemoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    class Handle:
        def update(self, content: dict[str, str], *, raw: bool) -> None:
            assert raw
            shown[-1] = content["text/plain"]

    def display(content: dict[str, str], *, raw: bool, display_id: bool) -> Handle:
        assert raw
        assert display_id
        shown.append(content["text/plain"])
        return Handle()

    ipython, module = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    module.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    list(fetchpool.fetch(urls_of(demo_server), progress=True))
    assert len(shown) == 1
    assert "3" in shown[0]


def test_progress_is_a_bool_or_a_function() -> None:
    with pytest.raises(fetchpool.UsageError, match="progress"):
        fetchpool.fetch([], progress="yes")
