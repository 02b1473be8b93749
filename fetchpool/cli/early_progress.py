"""`--progress json` before the command line is loaded: whether it is asked for, and how an interrupt ends.

In: the arguments and the environment, not parsed yet. Out: the value of the option, and a summary. It imports
nothing that is not loaded anyway, since every start of the command needs it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress

VARIABLE = "FETCHPOOL_PROGRESS"
OTHER_COMMANDS = ("broken", "compact", "compare", "report")
"""Commands without a `--progress`: the environment's value is not theirs."""


def progress_of(arguments: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the value of `--progress`, which need not be valid: the last one that is typed, or that of the
    environment."""
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
    """Let SIGTERM raise `SystemExit` from now on, so that a command that it ends can write its summary."""
    import signal

    def terminate(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, terminate)


def ignore_signals() -> None:
    """Let no signal change the exit code that the summary has, while the interpreter ends."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def write_summary(code: int) -> None:
    """Write the summary of a command that was interrupted while it was loaded. (Of any other this goes
    nowhere: it has written its summary.)"""
    with suppress(OSError):
        os.write(2, b'{"type":"summary","exit_code":%d}\n' % code)
