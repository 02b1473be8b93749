"""Rows into a pipe: the run goes on as far as its reader reads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from tests.at_once import AtOnce
from tests.cli.runner import FETCHPOOL, PATIENCE, environment

WINDOW = 10
URLS = 400
SLOW_READER = """
import sys, time
first = sys.stdin.readline()
time.sleep(1.6)
sys.stdout.write(first + sys.stdin.read())
"""
waiting = AtOnce(server=DemoServer)


def piped(
    reader: str, server: DemoServer, directory: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    urls = [server.url(f"/bytes/100?{number}") for number in range(URLS)]
    (directory / "urls.txt").write_text("\n".join(urls))
    command = f'"$@" | {reader}'
    return subprocess.run(
        ["bash", "-c", command, "bash", *FETCHPOOL, "urls.txt", "-o", "-", *options],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )


@pytest.mark.parametrize(
    "options",
    [
        ("--transport", "curl"),
        ("--transport", "requests"),
        ("--executor", "async"),
        ("--executor", "process"),
    ],
    ids=" ".join,
)
@waiting
def test_head_costs_no_more_than_a_window_beyond_its_rows(
    server: DemoServer, tmp_path: Path, options: tuple[str, ...]
) -> None:
    before = server.requests
    done = piped("head -n 3", server, tmp_path, "-w", str(WINDOW), *options)
    assert len(done.stdout.splitlines()) == 3
    # What `head` reads in one piece is read, and after its end a window at most is in flight.
    assert server.requests - before <= 3 + 2 * WINDOW
    assert done.stderr == ""


@waiting
def test_a_reader_that_reads_on_gets_all_rows(server: DemoServer, tmp_path: Path) -> None:
    assert piped("cat", server, tmp_path, "-w", str(WINDOW)).stdout.count("url:<") == URLS


@waiting
def test_a_slow_reader_slows_the_run_and_is_named_as_the_bottleneck(
    server: DemoServer, tmp_path: Path
) -> None:
    reader = f"{sys.executable} -c '{SLOW_READER}'"
    done = piped(reader, server, tmp_path, "-w", str(WINDOW))
    assert done.stdout.count("url:<") == URLS
    assert "bottleneck: the reader of standard output" in done.stderr
