"""Worker processes: signals to the process group, starts that are interrupted or fail, and files in the
working directory."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.pools.open import open_pool
from fetchpool.pools.process import supervisor
from tests.cli import runner
from tests.cli.environment import ROOT
from tests.faults.matrix import at_once
from tests.faults.server import FaultServer

EXECUTORS = ["thread", "process", "async"]
waiting, searching = at_once(), at_once()
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="/proc")


def begin(
    directory: Path, *arguments: str, variables: dict[str, str] | None = None, **more: Any
) -> subprocess.Popen[bytes]:
    """The command, as the leader of a group of its own."""
    return runner.popen(
        [*runner.FETCHPOOL, *arguments],
        cwd=directory,
        env=runner.environment(variables),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **more,
    )


def group(leader: int) -> list[int]:
    """The other processes of a group that have not ended."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == leader and fields[0] != "Z" and int(stat.parent.name) != leader:
            found.append(int(stat.parent.name))
    return found


def one_line(run: subprocess.Popen[bytes]) -> str:
    """The message of a refused run: one line, exit code 2, and no process is left."""
    _, said = run.communicate(timeout=runner.PATIENCE)
    words = said.decode()
    assert "Traceback" not in words, words
    assert run.returncode == 2, words
    assert words.startswith("fetchpool: "), words
    assert words.count("\n") == 1, words
    return words


@LINUX
@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@waiting
def test_71_a_signal_to_the_process_group_is_handled_by_the_parent(
    server: FaultServer, tmp_path: Path, executor: str, number: signal.Signals, code: int
) -> None:
    """`timeout 60 fetchpool`, a service manager, Ctrl-C: requests in flight have their rows."""
    urls = [server.url(f"trickle?{number}") for number in range(30)]
    (tmp_path / "urls").write_text("".join(f"{url}\n" for url in urls))
    options = ("--executor", executor, "-w", "3", "--max-time", "2s", "--retry", "0", "--no-progress")
    run = begin(tmp_path, "urls", "-o", "rows.jsonl", *options)
    while len(server.received) < 3:
        assert run.poll() is None
        time.sleep(0.01)
    os.killpg(run.pid, number)
    _, said = run.communicate(timeout=runner.PATIENCE)
    assert run.returncode == code
    assert b"crashed" not in said
    assert b"Traceback" not in said
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["error"] for row in rows] == ["timeout_total"] * 3


@LINUX
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [2, 5, 8, 12])
def test_71_a_signal_while_the_processes_start_leaves_neither_traceback_nor_process(
    tmp_path: Path, number: signal.Signals, after: int
) -> None:
    """However many have been started by then."""
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\n")
    run = begin(tmp_path, "urls", "-o", "rows", "-q", "--executor", "process", "-w", "10", "--retry", "0")
    while len(group(run.pid)) < after and run.poll() is None:
        time.sleep(0.002)
    if run.poll() is None:
        os.killpg(run.pid, number)
    _, said = run.communicate(timeout=runner.PATIENCE)
    assert b"Traceback" not in said, said.decode()
    deadline = time.monotonic() + 5
    while left := group(run.pid):
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


DIES = """
import os, pathlib

died = pathlib.Path(__file__).with_name("died")
if os.getpid() != {parent} and len(list(died.parent.glob("died.*"))) < {times}:
    died.with_suffix(f".{{os.getpid()}}").touch()
    os.kill(os.getpid(), 9)

def parse(response):
    return {{}}
"""


@pytest.mark.parametrize(("times", "is_opened"), [(1, True), (100, False)])
def test_46_a_process_that_is_killed_while_it_starts_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int, is_opened: bool
) -> None:
    """By the kernel for want of memory, for example. If several are, the run is rejected."""
    (tmp_path / f"dies{times}.py").write_text(DIES.format(parent=os.getpid(), times=times))
    monkeypatch.syspath_prepend(tmp_path)
    options = FetchOptions(parse=(f"dies{times}:parse",))
    if is_opened:
        open_pool("process", 2, options, processes=2).shutdown()
    else:
        with pytest.raises(UsageError, match="died while they started"):
            open_pool("process", 2, options, processes=2)
    assert len(list(tmp_path.glob("died.*"))) >= min(times, supervisor.MOST_DEATHS)


def test_71_an_interrupt_before_the_starting_thread_is_known_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Ctrl-C arrives when the thread runs, and before `Thread.start()` has returned. Otherwise
    the exit would wait for the process forever."""

    def interrupted(run: Callable[[], object], name: str) -> None:
        threading.Thread(target=run, name=name).start()
        raise KeyboardInterrupt

    monkeypatch.setattr(supervisor, "threads", SimpleNamespace(start=interrupted))
    before = multiprocessing.active_children()
    with pytest.raises(KeyboardInterrupt):
        open_pool("process", 1, FetchOptions())
    monkeypatch.undo()
    for thread in threading.enumerate():
        if thread.name == "fetchpool-start":
            thread.join(30)
    assert multiprocessing.active_children() == before


@LINUX
@waiting
def test_46_a_stopped_fork_server_does_not_hold_up_the_run(server: FaultServer, tmp_path: Path) -> None:
    """SIGSTOP to all processes but the parent: within three seconds workers are killed, and the fork server
    is continued."""
    urls = [server.url(f"bytes-in-pieces?{number}") for number in range(14)]
    (tmp_path / "urls").write_text("".join(f"{url}\n" for url in urls))
    options = ("--executor", "process", "-w", "2", "--per-host", "0", "--no-progress")
    run = begin(tmp_path, "urls", "-o", "rows.jsonl", *options)
    while len(server.received) < 4:
        assert run.poll() is None
        time.sleep(0.01)
    for each in group(run.pid):
        os.kill(each, signal.SIGSTOP)
    try:
        assert run.wait(runner.PATIENCE) == 0
    finally:
        os.killpg(run.pid, signal.SIGKILL)  # multiprocessing's resource tracker is stopped still
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == len(urls)


def test_73_processes_in_a_removed_directory_are_rejected_in_one_line(tmp_path: Path) -> None:
    """They could not start there. The exit code is 2."""
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\n")
    gone = tmp_path / "gone"
    gone.mkdir()
    arguments = (str(tmp_path / "urls"), "-o", str(tmp_path / "rows"), "-q", "--executor", "process")
    run = begin(gone, *arguments, preexec_fn=lambda: shutil.rmtree(gone))
    assert "working directory was removed" in one_line(run)


@pytest.mark.parametrize("files", [12, 20])
def test_73_processes_without_file_descriptors_are_rejected_in_one_line(tmp_path: Path, files: int) -> None:
    """`ulimit -n 20`: the message says what is missing and what to do. The exit code is 2."""
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    run = begin(tmp_path, "urls", "-o", "rows", "-q", "--executor", "process", preexec_fn=limit)
    assert "files" in one_line(run)


def test_73_a_directory_for_temporary_files_whose_path_is_too_long_for_a_socket_is_named(
    tmp_path: Path,
) -> None:
    """The processes are reached through a socket there. The exit code is 2."""
    (tmp_path / "urls").write_text("http://127.0.0.1:1/\n")
    long = tmp_path / ("t" * 100)
    long.mkdir()
    arguments = ("urls", "-o", "rows", "-q", "--executor", "process")
    assert "set TMPDIR to a shorter one" in one_line(
        begin(tmp_path, *arguments, variables={"TMPDIR": str(long)})
    )


OURS = "def f(response):\n    import fetchpool\n    return {'ours': fetchpool.__file__}\n"
PROGRAM = """
import fetchpool
if __name__ == "__main__":
    for record in fetchpool.fetch(open("urls"), executor="process", workers=1, parse=["ours:f"]):
        print(record.extra["ours"])
"""


@pytest.mark.parametrize("how", ["command", "program"])
def test_70_processes_load_the_fetchpool_of_their_parent(
    server: FaultServer, tmp_path: Path, how: str
) -> None:
    """Worker processes import the copy that their parent runs, next to the program or in the working
    directory of `python -m fetchpool`, not another installed one."""
    for each in (*ROOT.glob("*.so"), ROOT / "fetchpool"):
        (shutil.copytree if each.is_dir() else shutil.copy)(each, tmp_path / each.name)
    (tmp_path / "ours.py").write_text(OURS)
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "urls").write_text(f"{server.url('ok')}\n")
    options = ("-o", "-", "--format", "jsonl", "-q", "--executor", "process", "-w", "1", "--parse", "ours:f")
    done = subprocess.run(
        [sys.executable, *(("-m", "fetchpool", "urls", *options) if how == "command" else ("program.py",))],
        capture_output=True,
        cwd=tmp_path,
        env=runner.environment(),  # the other one
        timeout=runner.PATIENCE,
        check=False,
    )
    assert str(tmp_path / "fetchpool") in done.stdout.decode(), done


SHADOWS = ["email", "queue", "socket", "selectors", "json", "typing", "rich", "pycurl"]


@pytest.mark.parametrize("executor", EXECUTORS)
@searching
def test_70_files_in_the_working_directory_are_not_imported_as_libraries(
    server: FaultServer, tmp_path: Path, executor: str
) -> None:
    """A user's `queue.py`, `email.py` or `rich.py` is imported neither by the command nor by its worker
    processes."""
    for name in SHADOWS:
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed: ' + __name__)")
    (tmp_path / "urls").write_text(f"{server.url('ok')}\n")
    run = begin(tmp_path, "urls", "-o", "rows", "--executor", executor)
    _, said = run.communicate(timeout=runner.PATIENCE)
    assert run.returncode == 0, said.decode()
    assert b"shadowed" not in said


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize("name", ["queue", "protego"])
@searching
def test_70_a_parser_next_to_such_a_file_works_and_one_that_hides_a_library_is_rejected(
    server: FaultServer, tmp_path: Path, executor: str, name: str
) -> None:
    """The working directory comes last in the search path; a parser module whose name would hide a library is
    rejected with a message."""
    (tmp_path / f"{name}.py").write_text("def f(response):\n    return {'own': True}\n")
    (tmp_path / "mine.py").write_text("import queue\ndef f(response):\n    return {'q': queue.__file__}\n")
    (tmp_path / "urls").write_text(f"{server.url('ok')}\n")
    options = ("urls", "-o", "rows.jsonl", "-q", "--executor", executor)
    if name == "queue":
        run = begin(tmp_path, *options, "--parse", "mine:f")
        _, said = run.communicate(timeout=runner.PATIENCE)
        assert run.returncode == 0, said.decode()
        assert not json.loads((tmp_path / "rows.jsonl").read_text())["q"].startswith(str(tmp_path))
    assert "rename it" in one_line(begin(tmp_path, *options, "--parse", f"{name}:f"))
