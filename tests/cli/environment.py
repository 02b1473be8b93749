"""The environment variables that commands in tests see."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

UNCOMPILED = {"PYTHONDONTWRITEBYTECODE": "1"}
"""For a command with a limit on the size of files: Python 3.11 would leave its bytecode cut off, for all who
come later (its write is not looked at)."""

HABITS = re.compile("NO_COLOR|COLUMNS|LINES|.*_proxy|.*_PROXY|NETRC")
"""Variables that change what the command does or prints."""

READ_AT_THE_START = re.compile("(?!PYTHONDONTWRITEBYTECODE$)PYTHON.*|LD_.*|MALLOC_.*|LANG|LC_.*|TZ|_TYPER_.*")
"""Variables that only the start of the interpreter reads, or typer when it builds the command line, not a
fork that has both."""


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the command sees: the package from this checkout, and nothing of the caller's taste."""
    kept = {name: value for name, value in os.environ.items() if not HABITS.fullmatch(name)}
    return {**kept, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "LANG": "C.UTF-8", **(extra or {})}


def needs_a_start(variables: Mapping[str, str]) -> bool:
    """Whether a process with these variables is not to be forked from one with those of `environment()`."""
    usual = environment()
    differing = {name for name in usual.keys() | variables.keys() if usual.get(name) != variables.get(name)}
    return any(map(READ_AT_THE_START.fullmatch, differing))
