"""The terminal's settings while keys are read, in a process with a terminal of its own."""

from __future__ import annotations

import os
import pty
import termios
import traceback
import tty
from collections.abc import Callable

import pytest

from fetchpool.progress.keyboard import KeyMode, is_foreground, open_terminal


def enters_and_leaves(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    mode = KeyMode(terminal)
    assert mode.enter()
    during = termios.tcgetattr(terminal)
    assert during[3] == before[3] & ~(termios.ICANON | termios.ECHO)
    assert during[3] & termios.ISIG, "Ctrl-C stays"
    assert during[:3] == before[:3]
    mode.leave()
    assert termios.tcgetattr(terminal) == before


def stays_out_until_it_is_allowed_again(terminal: int) -> None:
    before = termios.tcgetattr(terminal)
    mode = KeyMode(terminal)
    mode.enter()
    mode.leave()
    assert not mode.enter()
    assert termios.tcgetattr(terminal) == before
    mode.allow()
    assert mode.enter()
    mode.leave()
    assert termios.tcgetattr(terminal) == before


def leaves_a_terminal_alone_of_which_another_program_reads_keys(terminal: int) -> None:
    tty.setcbreak(terminal)
    other = termios.tcgetattr(terminal)
    mode = KeyMode(terminal)
    assert not mode.enter()
    mode.leave()
    assert termios.tcgetattr(terminal) == other


def keeps_the_settings_from_before_when_a_shell_restores_its_own_keys(terminal: int) -> None:
    """Stopped by SIGSTOP, unseen, and continued by a shell that puts the job's settings back."""
    before = termios.tcgetattr(terminal)
    mode = KeyMode(terminal)
    mode.enter()
    mode.allow()
    assert mode.enter()
    mode.leave()
    assert termios.tcgetattr(terminal) == before


def reads_no_terminal_that_is_not_its_own(terminal: int) -> None:
    assert is_foreground(terminal)
    master, other = pty.openpty()
    assert not is_foreground(other)
    assert not KeyMode(other).enter()
    os.dup2(other, 2)
    assert open_terminal() is None
    os.close(master)


@pytest.mark.parametrize(
    "act",
    [
        enters_and_leaves,
        stays_out_until_it_is_allowed_again,
        leaves_a_terminal_alone_of_which_another_program_reads_keys,
        keeps_the_settings_from_before_when_a_shell_restores_its_own_keys,
        reads_no_terminal_that_is_not_its_own,
    ],
)
def test_the_key_mode(act: Callable[[int], None]) -> None:
    pid, master = pty.fork()
    if pid == 0:
        try:
            act(0)
            os._exit(0)
        finally:  # it has failed
            with open(1, "w", closefd=False) as stdout:
                traceback.print_exc(file=stdout)
            os._exit(1)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # EIO: the process has ended
        pass
    os.close(master)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0, shown.decode(errors="replace")
