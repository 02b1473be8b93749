"""Prints error messages: `fetchpool: ` and one line that names the fix.

In: messages. Out: lines on standard error, or whatever `print_errors_with()` has set.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import suppress

from fetchpool.model.text import escape_invisible
from fetchpool.progress.color import ansi, is_colored
from fetchpool.progress.format import Span, Style, line


def print_error(message: str) -> None:
    """Print an error message as one line on stderr."""
    _print(message)


def print_errors_with(printer: Callable[[str], None]) -> None:
    """Make `print_error()` call this function from now on."""
    global _print
    _print = printer


def _print_text(message: str) -> None:
    with suppress(OSError):  # stderr is closed
        name = line(Span("fetchpool:", Style.BAD))
        shown = ansi(name) if is_colored(sys.stderr) else str(name)
        sys.stderr.write(f"{shown} {escape_invisible(message)}\n")
        sys.stderr.flush()


_print: Callable[[str], None] = _print_text
