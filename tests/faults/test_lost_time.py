"""Time in which our own process did not run: it counts against no limit, and no host is blamed for it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.open import open_pool
from fetchpool.pools.process import supervisor
from tests.cli import runner
from tests.faults.matrix import ASYNC, CURL, PROCESS, REQUESTS, Way, at_once

STOPPED = 1.9
"""Seconds."""


class Held:
    """A server that responds to no request before `release` is set."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.release = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def await_requests(self, number: int) -> None:
        while len(self.received) < number:
            time.sleep(0.01)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            while head := connection.recv(65536):
                self.received.append(head)
                self.release.wait(30)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")


def opened() -> contextlib.closing[Held]:
    return contextlib.closing(Held())


waiting = at_once(held=opened)


@pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC, PROCESS], ids=str)
@pytest.mark.parametrize(
    "limit", [("--read-timeout", "1s"), ("--max-time", "1.5s")], ids=lambda each: each[0]
)
@waiting
def test_74_a_stopped_process_group_causes_no_timeout(
    held: Held, tmp_path: Path, way: Way, limit: tuple[str, str]
) -> None:
    """SIGSTOP to all, a laptop's sleep: the servers get their time when the group continues. No retry is
    counted, and no request is repeated."""
    (tmp_path / "urls").write_text("".join(f"http://127.0.0.1:{held.port}/{n}\n" for n in range(6)))
    options = ("--executor", way.executor, "--transport", way.transport, "-w", "6", *limit, "-q")
    run = runner.popen(
        [*runner.FETCHPOOL, "urls", "-o", "rows.jsonl", *options],
        cwd=tmp_path,
        env=runner.environment(),
        start_new_session=True,
    )
    held.await_requests(6)
    os.killpg(run.pid, signal.SIGSTOP)
    time.sleep(STOPPED)
    os.killpg(run.pid, signal.SIGCONT)
    time.sleep(0.4)  # the time that the servers take once it goes on
    held.release.set()
    assert run.wait(runner.PATIENCE) == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [(row["error"], row["num_retries"]) for row in rows] == [(None, 0)] * 6
    assert len(held.received) == 6


SLOW_SINK = """
import ctypes, sys
import fetchpool
rows = []
limits = {"max_time": "1.5s", "read_timeout": "1s", "retry": 0, "per_host": 0}
for row in fetchpool.fetch(sys.argv[4:], executor=sys.argv[1], transport=sys.argv[2], workers=4, **limits):
    rows.append(row.error)
    if len(rows) == 1:
        ctypes.PyDLL(None).usleep(int(sys.argv[3]))  # holds the interpreter lock all the time
print(rows)
"""


@pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC], ids=str)
@waiting
def test_74_a_program_that_holds_the_interpreter_causes_no_timeout(held: Held, way: Way) -> None:
    """The servers have responded meanwhile."""
    held.release.set()
    urls = [f"http://127.0.0.1:{held.port}/{n}" for n in range(12)]
    done = runner.run(
        [sys.executable, "-c", SLOW_SINK, way.executor, way.transport, str(int(STOPPED * 1e6)), *urls],
        capture_output=True,
        env=runner.environment(),
        timeout=runner.PATIENCE,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == str([None] * 12)


AFTERWARDS = """
import ctypes, sys, time
import fetchpool
with fetchpool.Pool(executor=sys.argv[1], transport=sys.argv[2], workers=2, max_time="1s") as pool:
    in_flight = pool.submit(sys.argv[4])
    while not in_flight.running():
        time.sleep(0.01)
    ctypes.PyDLL(None).usleep(int(sys.argv[3]))  # holds the interpreter lock all the time
    began = time.monotonic()
    row = pool.submit(sys.argv[5]).result()
    print(row.error, time.monotonic() - began < 2.2)
"""


@pytest.mark.parametrize("way", [CURL, REQUESTS, ASYNC], ids=str)
@waiting
def test_74_limits_are_as_long_after_lost_time_as_before(held: Held, way: Way) -> None:
    urls = [f"http://127.0.0.1:{held.port}/{n}" for n in range(2)]
    done = runner.run(
        [sys.executable, "-c", AFTERWARDS, way.executor, way.transport, str(int(STOPPED * 1e6)), *urls],
        capture_output=True,
        env=runner.environment(),
        timeout=runner.PATIENCE,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["timeout_total", "True"]


def test_74_processes_that_start_are_given_the_time_that_was_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long the process group was stopped meanwhile."""
    lost = itertools.count(step=60)
    monkeypatch.setattr(supervisor, "CHECK_START", 0.001)
    monkeypatch.setattr(supervisor, "monotonic", lambda: time.monotonic() + next(lost))
    open_pool("process", 1, FetchOptions()).shutdown()
