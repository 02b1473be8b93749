"""Error messages on the command line: `fetchpool: ` and one line that names the fix."""

from __future__ import annotations

import sys
from contextlib import suppress

from fetchpool.model.text import escape_invisible


def print_error(message: str) -> None:
    """Print an error message as one line on stderr."""
    with suppress(OSError):  # stderr is closed
        sys.stderr.write(f"fetchpool: {escape_invisible(message)}\n")
        sys.stderr.flush()
