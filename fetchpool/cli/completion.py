"""Completes words in a shell: fixed choices, and files. In: the incomplete word. Out: its completions. If an
argument has no choices, the shell completes files itself; this module lists files only if a word may be a
choice or a file.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

PLAIN = re.compile(r"[\w./,+@%=:-]*")
"""A name that needs no quotes in a shell. The shell itself completes other names, with quotes."""


def complete_from(*choices: str) -> Callable[[str], list[str]]:
    """Return a completion of fixed choices."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def complete_inputs(*choices: str) -> Callable[[str], list[str]]:
    """Return a completion of choices and of the names of files and directories."""

    def complete(incomplete: str) -> list[str]:
        matching = [choice for choice in choices if choice.startswith(incomplete)]
        files = matching_files(incomplete)
        if not matching and not all(map(PLAIN.fullmatch, files)):
            return []
        return [*matching, *(name for name in files if PLAIN.fullmatch(name))]

    return complete


def matching_files(incomplete: str) -> list[str]:
    """Return the files and directories whose path begins with `incomplete`; for a single directory its
    content, so that the shell adds no space after its name. Hidden files are only included if the word begins
    with a dot."""
    while True:
        before, slash, start = incomplete.rpartition("/")
        try:
            entries = sorted(Path(f"{before}{slash}" or ".").iterdir())
        except OSError:
            return []
        found = [
            f"{before}{slash}{entry.name}{'/' if entry.is_dir() else ''}"
            for entry in entries
            if entry.name.startswith(start) and entry.name.startswith(".") == start.startswith(".")
        ]
        if len(found) != 1 or not found[0].endswith("/") or found[0] == incomplete:
            return found or ([incomplete] if incomplete.endswith("/") and slash else [])
        incomplete = found[0]
