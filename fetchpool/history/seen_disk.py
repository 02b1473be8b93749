"""The fingerprints that have no place in memory: in a temporary file.

In: fingerprints with their marks. Out: whether one was there, and its marks. Raises `OutputError` when the
file can't be written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.model.errors import OutputError


class DiskSeenSet:
    """Not for several threads at once."""

    def __init__(self) -> None:
        self.count = 0
        with _told():
            self._connection = open_temporary_database(
                "PRAGMA cache_size = -65536",
                "CREATE TABLE seen (fingerprint BLOB PRIMARY KEY, marks BLOB NOT NULL) WITHOUT ROWID",
            )

    def insert(self, fingerprint: bytes, marks: bytes) -> bytes | None:
        """None, or the marks of the one that is there already."""
        with _told():
            inserted = self._connection.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?)", (fingerprint, marks)
            )
            if inserted.rowcount:
                self.count += 1
                return None
            row = self._connection.execute("SELECT marks FROM seen WHERE fingerprint = ?", (fingerprint,))
            before: bytes = row.fetchone()[0]
            return before

    def change(self, fingerprint: bytes, marks: bytes) -> None:
        with _told():
            self._connection.execute("UPDATE seen SET marks = ? WHERE fingerprint = ?", (marks, fingerprint))


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as failure:
        raise OutputError(
            f"the temporary file of known URLs can't be written ({failure}); make room where temporary "
            "files go (TMPDIR), or allow more --seen-memory"
        ) from failure
