"""Error messages on the command line: `fetchpool: ` and one line that names the fix."""

from __future__ import annotations

import sys
from contextlib import suppress

from fetchpool.model.text import escape_invisible
from fetchpool.progress.color import ansi, is_colored
from fetchpool.progress.format import Span, Style, line


def print_error(message: str) -> None:
    """Print an error message as one line on stderr."""
    with suppress(OSError):  # stderr is closed
        name = line(Span("fetchpool:", Style.BAD))
        shown = ansi(name) if is_colored(sys.stderr) else str(name)
        sys.stderr.write(f"{shown} {escape_invisible(message)}\n")
        sys.stderr.flush()
