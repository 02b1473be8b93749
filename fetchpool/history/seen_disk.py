"""DiskSeenSet: a set of fingerprints in a temporary database, for those beyond the memory limit. In:
fingerprints with their marks. Out: whether the set had each, and its marks. Raises `OutputError` when the
database can't be written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.model.errors import OutputError


class DiskSeenSet:
    """A set of fingerprints on disk. Not thread-safe."""

    def __init__(self) -> None:
        with _as_output_error():
            self._connection = open_temporary_database(
                "PRAGMA cache_size = -65536",
                "CREATE TABLE seen (fingerprint BLOB PRIMARY KEY, marks BLOB NOT NULL) WITHOUT ROWID",
            )

    def insert(self, fingerprint: bytes, marks: bytes) -> bytes | None:
        """Insert a fingerprint; return None, or the marks it has if it is in the set already."""
        with _as_output_error():
            inserted = self._connection.execute(
                "INSERT OR IGNORE INTO seen VALUES (?, ?)", (fingerprint, marks)
            )
            if inserted.rowcount:
                return None
            row = self._connection.execute("SELECT marks FROM seen WHERE fingerprint = ?", (fingerprint,))
            before: bytes = row.fetchone()[0]
            return before

    def update(self, fingerprint: bytes, marks: bytes) -> None:
        """Replace the marks of a fingerprint."""
        with _as_output_error():
            self._connection.execute("UPDATE seen SET marks = ? WHERE fingerprint = ?", (marks, fingerprint))


@contextmanager
def _as_output_error() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as failure:
        raise OutputError(
            f"can't write the temporary file for duplicate detection ({failure}); free some space in the "
            "directory of temporary files (TMPDIR), or raise --seen-memory"
        ) from failure
