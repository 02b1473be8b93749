"""The exit codes of the command.

`--help` and `docs/reference/exit-codes.md` list them; a test compares the page with this table.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes. If several apply, 3 takes precedence over 130 and 143, those over 6, then 2, then 4,
    then 5, then 1."""

    OK = 0
    FAILED = 1
    USAGE = 2
    OUTPUT = 3
    LIMIT = 4
    STOPPED = 5
    CLUSTER = 6
    INTERRUPTED = 130
    TERMINATED = 143

    @property
    def meaning(self) -> str:
        """The meaning, as `--help` shows it."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "all URLs succeeded (final status under 400, or in --accept), the list was empty, "
    "or standard output was closed by its reader",
    ExitCode.FAILED: (
        "at least one URL failed; its row has the error. With check and broken: at least one link is broken"
    ),
    ExitCode.USAGE: "invalid option, output that cannot be opened, or input that cannot be read "
    "(the readable part was fetched)",
    ExitCode.OUTPUT: "write error; the rows already written are intact",
    ExitCode.LIMIT: "--max-runtime, --max-failures or --max-pages reached; unfetched URLs have no row",
    ExitCode.STOPPED: "stopped from the web page or by a key; unfetched URLs have no row",
    ExitCode.CLUSTER: "the cluster was lost, or had no worker for --cluster-wait; unfetched URLs have no row",
    ExitCode.INTERRUPTED: "interrupted by Ctrl-C (SIGINT)",
    ExitCode.TERMINATED: "ended by SIGTERM",
}
