"""Handles `--progress json` before the command line is loaded: finds the option, and writes a summary after
an interrupt. In: the unparsed arguments, and the environment. Out: the value of the option, and a summary.
Every start of the command loads this module, so it imports nothing that is not loaded anyway.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

VARIABLE = "FETCHPOOL_PROGRESS"
OTHER_COMMANDS = ("broken", "compact", "compare", "report")
"""Commands without `--progress`, which ignore the environment's value."""


def progress_of(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the value of `--progress`, which may be invalid: the last one on the command line, or that of
    the environment."""
    value = "" if arguments[:1] and arguments[0] in OTHER_COMMANDS else environ.get(VARIABLE, "")
    for number, argument in enumerate(arguments):
        if argument == "--":
            break
        if argument == "--no-progress":
            value = "none"
        elif argument == "--progress":
            value = "".join(arguments[number + 1 : number + 2])
        elif argument.startswith("--progress="):
            value = argument.partition("=")[2]
    return value


def terminable_from_the_start() -> None:
    """Let SIGTERM raise `SystemExit` from now on, so that a terminated command can write its summary."""
    import signal

    def terminate(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)


def ignore_signals() -> None:
    """Ignore signals, so that none changes the exit code while the interpreter ends: the summary already has
    it."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def write_summary(code: int) -> None:
    """Write the summary of a command that was interrupted while it was loaded. (Any other command has written
    its summary already, and this goes nowhere.)"""
    with suppress(OSError):
        os.write(2, b'{"type":"summary","exit_code":%d}\n' % code)
