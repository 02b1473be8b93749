"""Opens temporary SQLite databases, which are deleted when the process ends.

In: the statements that set a database up. Out: a connection in a transaction that is never committed, since
nothing is read after a crash. Raises `sqlite3.Error` when the file can't be written, now or later.
"""

from __future__ import annotations

import sqlite3


class TemporaryDatabase(sqlite3.Connection):
    """A connection that closes itself when it is no longer referenced."""

    def __del__(self) -> None:
        self.close()  # without it Python 3.13 warns about an unclosed database


def open_temporary_database(*statements: str) -> sqlite3.Connection:
    """Return a connection to a new database, for one thread at a time."""
    connection = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=TemporaryDatabase)
    for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *statements, "BEGIN"):
        connection.execute(statement)
    return connection
