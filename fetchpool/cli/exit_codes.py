"""The exit codes: what a script learns from a run without reading its output.

The only list of them; `docs/reference/exit-codes.md` and the help are compared with it by a test.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Where several apply: 3 before 130 and 143, those before 2, then 4, then 1."""

    OK = 0
    FAILED = 1
    USAGE = 2
    OUTPUT = 3
    TIME = 4
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """One sentence for a person."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "every URL was fetched, with a final status under 400; or there was none to fetch; "
    "or the reader of standard output had seen enough",
    ExitCode.FAILED: "some URL failed; its row says why",
    ExitCode.USAGE: "an option that can't be meant, an output that can't be opened, or an input that "
    "can't be read (what could be read of it was fetched)",
    ExitCode.OUTPUT: "an output failed while it was written; what is in it is whole",
    ExitCode.TIME: "stopped by --max-runtime; what was not fetched has no row",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C (SIGINT)",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
