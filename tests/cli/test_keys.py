"""Keys on the live display of a real terminal, and what is left of it after every kind of end."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.progress.display import MOST_LINES
from tests.at_once import AtOnce
from tests.cli.runner import FETCHPOOL, Terminal
from tests.cli.test_interrupt import full_pipe

SHELL = ("bash", "--norc", "--noprofile", "--noediting", "-i")
HANGS = "/delay/60000"
waiting = AtOnce(server=DemoServer)


def write_list(server: DemoServer, directory: Path, *paths: str) -> Path:
    path = directory / "urls.txt"
    path.write_text("\n".join(server.url(f"{each}?{n}") for n, each in enumerate(paths)))
    return path


def display(terminal: Terminal) -> list[str]:
    """Return the lines of the live display, without those above it."""
    lines = terminal.shown.splitlines()
    return lines[next(number for number, line in enumerate(lines) if " %" in line) :]


@waiting
def test_keys_steer_a_run_whose_list_is_on_standard_input(server: DemoServer, tmp_path: Path) -> None:
    path = write_list(server, tmp_path, "/status/404", *["/delay/60"] * 1500)
    arguments = ["-w", "4", "--max-workers", "40", "--per-host", "0"]
    with path.open("rb") as urls, Terminal(arguments, tmp_path, stdin=urls.fileno()) as terminal:
        terminal.wait_to_show("4 in flight", "p pause", "? keys")
        assert terminal.reads_keys
        terminal.press("d")
        terminal.wait_to_show(
            "URLs/s  ", "busiest   127.0.0.1 4", "failing   127.0.0.1 1 (http_404)", "d less"
        )
        assert len(display(terminal)) <= MOST_LINES
        terminal.press("p")
        terminal.wait_to_show("paused by a key", "paused  ", "p resume")
        requests = server.requests
        terminal.press("?")
        terminal.wait_to_show("pause, resume", "again: resume")
        terminal.press("?\x1b[A\x1bOPd")  # an arrow and F1 are no keys
        terminal.wait_to_show("d details")
        assert server.requests == requests
        terminal.press("p")
        terminal.wait_to_show("resumed by a key", "p pause")
        terminal.press("+")
        terminal.wait_to_show("workers set to 5 by a key")
        terminal.press("s")
        assert terminal.wait() == 5
        assert "stopped by a key after" in terminal.words
        assert requests < server.requests
        assert terminal.settings == terminal.settings_before
    assert 4 < len((tmp_path / "sizes.txt").read_text().splitlines()) < 1500


@pytest.mark.parametrize(
    ("paths", "options", "pressed", "number", "code"),
    [
        (["/delay/700"], [], "", None, 0),
        (["/delay/700", "/status/404"], [], "", None, 1),
        (["/delay/700"], ["-o", "/dev/full"], "", None, 3),
        (["/delay/900", HANGS], ["-w", "1"], "s", None, 5),
        (["/delay/900", HANGS], ["-w", "1"], "\x03", None, 130),
        ([HANGS], [], "\x03\x03", None, 130),
        (["/delay/900", HANGS], ["-w", "1"], "", signal.SIGTERM, 143),
        ([HANGS], [], "", signal.SIGHUP, -signal.SIGHUP),
    ],
    ids=["fine", "failed", "output", "key", "interrupt", "second", "term", "hangup"],
)
@waiting
def test_every_end_leaves_the_terminal_as_it_was(
    server: DemoServer,
    tmp_path: Path,
    paths: list[str],
    options: list[str],
    pressed: str,
    number: signal.Signals | None,
    code: int,
) -> None:
    write_list(server, tmp_path, *paths)
    with Terminal(["urls.txt", *options], tmp_path) as terminal:
        terminal.wait_to_show("p pause")
        assert terminal.reads_keys
        if number is not None:
            os.kill(terminal.process.pid, number)
        for key in pressed:
            terminal.press(key)
            if key == "\x03":
                terminal.wait_for("press Ctrl-C again to abort")
        assert terminal.wait() == code
        assert terminal.settings == terminal.settings_before
        assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.rindex("\x1b[?25l"), "the cursor is back"


@waiting
def test_an_exit_at_once_leaves_the_terminal_as_it_was(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path, "/delay/900", HANGS)
    with (
        full_pipe() as pipe,
        Terminal(["urls.txt", "-o", "-", "--progress", "bar"], tmp_path, stdout=pipe) as terminal,
    ):
        terminal.wait_to_show("p pause")
        assert terminal.reads_keys
        while terminal.process.poll() is None:  # the engine waits for the pipe: only a third one ends it
            terminal.press("\x03")
            terminal.read_for(0.1)
        assert terminal.wait() == 130
        assert terminal.settings == terminal.settings_before
        assert terminal.screen.rindex("\x1b[?25h") > terminal.screen.rindex("\x1b[?25l"), "the cursor is back"


@waiting
def test_a_shell_moves_a_run_between_background_and_foreground(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path, *["/delay/200"] * 300)
    with Terminal([], tmp_path, command=SHELL) as terminal:
        terminal.press(f"{' '.join(FETCHPOOL)} urls.txt -w 1 &\n")
        terminal.wait_to_show("1 in flight")
        assert not terminal.reads_keys
        assert "p pause" not in terminal.words
        terminal.press("jobs\n")
        terminal.wait_for("Running")
        terminal.press("fg\n")
        terminal.wait_until(lambda: terminal.reads_keys)
        terminal.wait_to_show("p pause")
        terminal.press("p")
        terminal.wait_to_show("paused by a key")
        terminal.press("\x1a")
        terminal.wait_for("Stopped")
        assert not terminal.reads_keys
        terminal.press("bg; echo $((40 + 2)) there\n")
        terminal.wait_for("42 there")
        assert not terminal.reads_keys
        terminal.press("fg; echo code $?\n")
        terminal.wait_until(lambda: terminal.reads_keys)
        terminal.press("s")
        terminal.wait_for("code 5")
        assert not terminal.reads_keys
        terminal.press("exit\n")
        terminal.wait()
        assert terminal.settings == terminal.settings_before


@waiting
def test_the_display_fits_twenty_columns(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path, "/status/404", *["/delay/100"] * 300)
    with Terminal(["urls.txt", "-w", "2"], tmp_path, columns=20) as terminal:
        terminal.wait_to_show("? keys")
        terminal.press("d")
        terminal.wait_to_show("busiest", "longest")
        lines = display(terminal)
        assert len(lines) <= MOST_LINES
        assert lines[-1].endswith("? keys")
        terminal.press("?")
        terminal.wait_to_show("p, space", "Ctrl-C")
        terminal.press("s")
        assert terminal.wait() == 5


@waiting
def test_without_keys_the_terminal_keeps_its_settings(server: DemoServer, tmp_path: Path) -> None:
    write_list(server, tmp_path, *["/delay/200"] * 5)
    with Terminal(["urls.txt", "-w", "1", "--no-keys"], tmp_path) as terminal:
        terminal.wait_to_show("1 in flight")
        assert terminal.settings == terminal.settings_before
        terminal.press("s")
        assert terminal.wait() == 0
        assert "p pause" not in terminal.words


@waiting
def test_a_list_that_is_typed_in_is_no_row_of_keys(server: DemoServer, tmp_path: Path) -> None:
    with Terminal(["-"], tmp_path) as terminal:
        terminal.press(f"{server.url('/delay/900?typed')}\n")
        terminal.wait_to_show("1 in flight")
        assert terminal.settings == terminal.settings_before
        terminal.press("\x04")
        assert terminal.wait() == 0
