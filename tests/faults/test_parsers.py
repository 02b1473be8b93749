"""User-defined parsers: a parser that hangs, blocks the interpreter, forks or starts threads costs only its
page."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import fetchpool
from tests.cli import runner
from tests.faults import parsers
from tests.faults.matrix import PROCESS, Way, at_once, fetch_urls, in_every_way
from tests.faults.server import FaultServer

PARSERS = """
import os, re, threading, time

def stays(response):
    while "stay" in response.url:
        time.sleep(0.05)
    return {}

def computes(response):
    if "stay" in response.url:
        re.match(r"(a+)+$", "a" * 60 + "!")
    return {}

def beats(response):
    threading.Thread(target=time.sleep, args=(60,), daemon=False).start()
    return {}

def forks(response):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    return {}
"""
EXECUTORS = ["thread", "process", "async"]
SOON = 12.0
"""Seconds that an ending may take: a deadline of 1 s, and a busy machine."""

waiting, stopped, staying = at_once(), at_once(), at_once()
"""Three groups, so that only a dozen processes start at the same time."""


def begin(
    server: FaultServer, directory: Path, parser: str, *options: str, stay: bool = True
) -> subprocess.Popen[bytes]:
    """A run of its own process group, some of whose pages are stayed with."""
    (directory / "hostile.py").write_text(PARSERS)
    paths = [f"ok?{number}{'stay' if stay and number in (2, 5) else ''}" for number in range(8)]
    (directory / "urls").write_text("".join(f"{server.url(path)}\n" for path in paths))
    return runner.popen(
        [
            *runner.FETCHPOOL,
            "urls",
            "-o",
            "rows.jsonl",
            "-w",
            "2",
            "--parse",
            f"hostile:{parser}",
            *options,
        ],
        cwd=directory,
        env=runner.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def end(run: subprocess.Popen[bytes], within: float = SOON) -> str:
    """What it said, once it has ended."""
    began = time.monotonic()
    try:
        _, said = run.communicate(timeout=within)
    finally:
        with_it(run, signal.SIGKILL)
        run.wait()
    assert time.monotonic() - began < within
    assert "Traceback" not in said.decode(), said.decode()
    return said.decode()


def with_it(run: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(run.pid, number)
    except ProcessLookupError:
        return


def rows(directory: Path) -> list[str]:
    return (directory / "rows.jsonl").read_text().splitlines()


def await_pages(server: FaultServer, number: int) -> None:
    while len(server.received) < number:
        time.sleep(0.01)


@in_every_way
@staying
def test_70_a_parser_that_does_not_return_costs_its_page_and_nothing_else(
    server: FaultServer, way: Way
) -> None:
    """It times out after `--parse-timeout`; its row is `parse`, with a message. A process is killed for it, a
    thread is abandoned."""
    urls = [server.url(f"ok?{number}{'stay' * (number in (3, 7))}") for number in range(12)]
    try:
        records = fetch_urls(way, urls, parse=f"{parsers.__name__}:stays", parse_timeout="500ms")
    finally:
        parsers.release_of(server.url("")).set()
    assert [record.error for record in records] == ["parse" if "stay" in url else None for url in urls]
    assert records[3].errormsg == f"{parsers.__name__}:stays did not return within 0.5 s"


@pytest.mark.parametrize("executor", EXECUTORS)
@waiting
def test_70_by_default_a_parser_has_as_much_time_as_a_fetch(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """`--max-time` is its limit as well, if that is under 30 s. The run ends with every row, and reports the
    abandoned thread once."""
    options = ("--executor", executor, "--max-time", "1", "--no-progress")
    run = begin(server, tmp_path, "stays", *options)
    said = end(run, 20)
    assert run.returncode == 1
    assert len(rows(tmp_path)) == 8
    assert sum('"error":"parse"' in row for row in rows(tmp_path)) == 2
    assert said.count("did not return in time") == (executor != "process")


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("number", "times", "code"), [(signal.SIGINT, 1, 130), (signal.SIGTERM, 1, 143), (signal.SIGINT, 2, 130)]
)
@stopped
def test_70_a_stopped_run_does_not_wait_longer_for_a_parser(
    server: FaultServer, tmp_path: Path, executor: str, number: signal.Signals, times: int, code: int
) -> None:
    """After one Ctrl-C the parser has its time, after two it has none; the same with SIGTERM. All rows are
    complete."""
    limit = "1s" if times == 1 else "0"
    run = begin(server, tmp_path, "stays", "--executor", executor, "--parse-timeout", limit, "--no-progress")
    await_pages(server, 6)
    for _ in range(times):
        with_it(run, number)
        time.sleep(0.3)  # two signals at once are one
    end(run)
    assert run.returncode == code
    assert all(row.endswith("}") for row in rows(tmp_path))


@pytest.mark.parametrize("executor", EXECUTORS)
@waiting
def test_70_max_runtime_ends_a_run_despite_a_parser(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """The exit code is 4, or 1 if nothing else was left to do; the parser gets no more than its own time."""
    options = ("--executor", executor, "--max-runtime", "1s", "--parse-timeout", "2s", "--no-progress")
    run = begin(server, tmp_path, "stays", *options)
    end(run, 20)
    assert run.returncode in (1, 4)


@in_every_way
def test_70_a_loop_over_records_can_be_left_while_a_parser_runs(server: FaultServer, way: Way) -> None:
    """Whatever its timeout."""
    urls = [server.url("ok"), server.url("ok?stay"), server.url("ok?stay2")]
    settings: dict[str, Any] = {
        "parse": f"{parsers.__name__}:stays",
        "parse_timeout": 0,
        "transport": way.transport,
    }
    records = fetchpool.fetch(urls, executor=way.executor, workers=3, **settings)
    assert next(records).error is None
    began = time.monotonic()
    records.close()
    parsers.release_of(server.url("")).set()
    assert time.monotonic() - began < SOON


@staying
def test_70_a_parser_that_blocks_the_interpreter_is_killed_with_its_process(server: FaultServer) -> None:
    """A regular expression with catastrophic backtracking lets no other thread run, and no signal be
    handled."""
    urls = [server.url(f"ok?{number}{'stay' * (number in (3, 7))}") for number in range(12)]
    records = fetch_urls(PROCESS, urls, parse=f"{parsers.__name__}:computes", parse_timeout="500ms")
    assert [record.error for record in records] == ["parse" if "stay" in url else None for url in urls]


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ends them there")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
@stopped
def test_70_such_a_process_does_not_outlive_its_parent(
    server: FaultServer, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed, or terminated by a second signal: no process is left."""
    run = begin(server, tmp_path, "computes", "--executor", "process", "--parse-timeout", "0")
    await_pages(server, 6)
    for _ in range(2):
        os.kill(run.pid, number)
        if number == signal.SIGKILL:
            break
        time.sleep(0.3)
    run.wait(SOON)
    deadline = time.monotonic() + 5
    while group := members(run.pid):
        assert time.monotonic() < deadline, group
        time.sleep(0.05)


def members(group: int) -> list[str]:
    """The processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(stat.parent.name)
    return found


@pytest.mark.parametrize("parser", ["beats", "forks"])
@pytest.mark.parametrize("executor", EXECUTORS)
@waiting
def test_70_threads_and_children_of_a_parser_do_not_block_the_run(
    server: FaultServer, tmp_path: Path, executor: str, parser: str
) -> None:
    """A thread that continues to run, or a child process that inherits all open files."""
    run = begin(server, tmp_path, parser, "--executor", executor, "-q", stay=False)
    try:
        assert run.wait(SOON) == 0
    finally:
        with_it(run, signal.SIGKILL)
    assert len(rows(tmp_path)) == 8
