"""The one form of an error on the command line: `fetchpool: ` and a line that names the fix."""

from __future__ import annotations

import sys
from contextlib import suppress

from fetchpool.model.text import escape_invisible


def print_error(message: str) -> None:
    """One line on stderr."""
    with suppress(OSError):  # nobody is there to be told
        sys.stderr.write(f"fetchpool: {escape_invisible(message)}\n")
        sys.stderr.flush()
