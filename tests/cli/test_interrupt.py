"""Ctrl-C and SIGTERM: once, twice, and where nothing else helps (fault 45)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.config.choices import LOCAL_EXECUTORS
from tests.at_once import AtOnce
from tests.cli.runner import PATIENCE, Terminal, environment, start

HANGS = 60_000
"""Milliseconds: longer than any test may take, so that what ends sooner was ended."""
waiting = AtOnce(server=DemoServer)


@contextmanager
def running(*arguments: str, cwd: Path, stdout: int = subprocess.PIPE) -> Iterator[subprocess.Popen[bytes]]:
    process = start(*arguments, cwd=cwd, stdout=stdout)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_for_row(process: subprocess.Popen[bytes]) -> str:
    """The first row: from here on the run is well under way."""
    assert process.stdout is not None
    return process.stdout.readline().decode()


@contextmanager
def full_pipe() -> Iterator[int]:
    """The writing end of a pipe that is full and has no reader."""
    reader, pipe = os.pipe()
    try:
        os.set_blocking(pipe, False)
        for size in (4096, 1):  # a page at a time, then what is left of the last one
            with suppress(BlockingIOError):
                while os.write(pipe, bytes(size)):
                    pass
        os.set_blocking(pipe, True)
        yield pipe
    finally:
        os.close(pipe)
        os.close(reader)


def rows(path: Path) -> list[str]:
    text = path.read_text()
    assert text.endswith("\n"), "the last row is complete"
    assert all(row.startswith("url:<") and row.endswith("]") for row in text.splitlines())
    return text.splitlines()


@pytest.mark.parametrize(
    ("executor", "number", "code"),
    [*((executor, signal.SIGINT, 130) for executor in LOCAL_EXECUTORS), ("thread", signal.SIGTERM, 143)],
)
@waiting
def test_the_first_signal_lets_requests_in_flight_complete(
    server: DemoServer, tmp_path: Path, executor: str, number: signal.Signals, code: int
) -> None:
    slow = [server.url(f"/delay/300?{executor}{code}{place}") for place in range(200)]
    (tmp_path / "urls.txt").write_text("\n".join([server.url("/bytes/1"), *slow]))
    with running(
        "urls.txt", "-w", "4", "--executor", executor, "-o", "-", "-o", "sizes.txt", cwd=tmp_path
    ) as process:
        assert "/bytes/1>" in wait_for_row(process)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert 3 <= len(stdout.splitlines()) < 20
    assert all(row.endswith(b"]") and b" size:[" in row for row in stdout.splitlines())
    assert len(rows(tmp_path / "sizes.txt")) == len(stdout.splitlines()) + 1
    assert b"interrupted after" in stderr
    assert b"Traceback" not in stderr


@pytest.mark.parametrize("executor", LOCAL_EXECUTORS)
@waiting
def test_the_second_signal_ends_at_once_and_all_rows_are_complete(
    server: DemoServer, tmp_path: Path, executor: str
) -> None:
    slow = [server.url(f"/delay/{HANGS}?{executor}{place}") for place in range(20)]
    (tmp_path / "urls.txt").write_text("\n".join([server.url("/bytes/1"), *slow]))
    arguments = ("urls.txt", "-w", "4", "--executor", executor, "-o", "-", "-o", "sizes.txt", "--no-progress")
    with running(*arguments, cwd=tmp_path) as process:
        assert "/bytes/1>" in wait_for_row(process)
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        notice = process.stderr.readline().decode()
        assert notice == "fetchpool: finishing 4 requests; press Ctrl-C again to abort\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert rows(tmp_path / "sizes.txt") == [f"url:<{server.url('/bytes/1')}> size:[1]"]
    assert b"Traceback" not in stderr
    assert b"interrupted after" in stderr


@waiting
def test_a_run_that_is_stuck_in_its_own_output_can_still_be_ended(server: DemoServer, tmp_path: Path) -> None:
    (tmp_path / "urls.txt").write_text("".join(f"{server.url('/bytes/1')}?{n}\n" for n in range(20_000)))
    sizes = tmp_path / "sizes.txt"
    with (
        full_pipe() as pipe,
        running("urls.txt", "-o", "sizes.txt", "-o", "-", cwd=tmp_path, stdout=pipe) as process,
    ):
        while not (sizes.exists() and sizes.stat().st_size):  # the next write is the one that waits
            time.sleep(0.01)
        presses = 0
        while process.poll() is None:  # one at a time: signals of a kind don't queue up
            process.send_signal(signal.SIGINT)
            presses += 1
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.3)
        assert process.returncode == 130
        assert 3 <= presses <= 6  # more than 3 where two were taken for one; 9 if the third did nothing


@waiting
def test_ctrl_c_on_a_terminal_leaves_it_as_it_was(server: DemoServer, tmp_path: Path) -> None:
    slow = [server.url(f"/delay/{HANGS}?terminal{place}") for place in range(20)]
    (tmp_path / "urls.txt").write_text("\n".join([server.url("/bytes/1"), *slow]))
    with Terminal(["urls.txt", "-w", "4"], tmp_path) as terminal:
        terminal.wait_for("4 in flight")
        terminal.press("\x03")
        terminal.wait_for("finishing 4 requests; press Ctrl-C again to abort")
        terminal.press("\x03")
        assert terminal.wait() == 130
        assert terminal.screen.count("\x1b[?25l") <= terminal.screen.count("\x1b[?25h")
        assert "interrupted after" in terminal.words
        assert terminal.words.endswith("to continue: run the same command with --resume\n")
        assert "Traceback" not in terminal.words
    assert len(rows(tmp_path / "sizes.txt")) == 1


@waiting
def test_an_interrupt_that_is_ignored_from_the_start_stays_ignored(
    server: DemoServer, tmp_path: Path
) -> None:
    (tmp_path / "urls.txt").write_text("\n".join(server.url(f"/delay/300?ignored{n}") for n in range(4)))
    script = f"trap '' INT; exec {sys.executable} -m fetchpool urls.txt -w 2 -o -"
    process = subprocess.Popen(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        bufsize=0,
    )
    assert wait_for_row(process)
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=PATIENCE)
    assert (len(stdout.splitlines()), process.returncode) == (3, 0)
