"""A SQLite database in a file of its own where temporary files go, and that is gone with us.

In: the statements that set it up. Out: a connection, in a transaction that nobody ends: nothing is ever read
back after a crash. Raises `sqlite3.Error` when the file can't be written, now or later.
"""

from __future__ import annotations

import sqlite3


class Scratch(sqlite3.Connection):
    """It is closed with its last user, who needs no `close()` of his own."""

    def __del__(self) -> None:
        self.close()  # else Python (3.13) warns that nobody has


def open_temporary_database(*statements: str) -> sqlite3.Connection:
    """For one thread at a time."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=Scratch)
    for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *statements, "BEGIN"):
        connection.execute(statement)
    return connection
