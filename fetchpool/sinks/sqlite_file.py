"""Opens a SQLite database as an output, only if it is one of ours, and writes to it in transactions.

In: a path, and the application id of the output's kind, which is in the file's header. Out: a connection. The
journal is a write-ahead log, so that other programs can read at any time, and what was committed survives a
crash of the process.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file_ops import NO_SPACE, RESOURCE_ERRNOS, open_error_message

MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat2.html, section 1.3
HEADER = 100
"""Bytes of a database's header; 68 to 71 are the application id."""
UNTOUCHED = "choose another -o (nothing in it was changed)"
BUSY_TIMEOUT = 60.0
"""Seconds to wait for another program that writes to the database."""


class SqliteFile:
    """A database file. After a failure it is closed."""

    def __init__(self, path: str, application_id: int, otherwise: str) -> None:
        """Open the database, and create the file if it is missing. `otherwise`: the message about a file with
        other content. Raises `UsageError` for an invalid path or such a file (which is left unchanged), and
        `OutputError` if the system fails."""
        self.name = escape_invisible(path)
        self.is_closed = False
        self._path = path
        self._application_id = application_id
        self._identity = self._check_ours(path, otherwise)
        try:
            self.connection = sqlite3.connect(
                path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as failure:
            raise OutputError(f"{self.name}: {_why(failure)}") from failure

    def _check_ours(self, path: str, otherwise: str) -> os.stat_result:
        """Check the file's header without SQLite, which would create files next to a database that it
        opens."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            words = f"{self.name}: {open_error_message(path, failure)}"
            if isinstance(failure, OSError) and failure.errno in RESOURCE_ERRNOS:
                raise OutputError(words) from failure
            raise UsageError(words) from failure
        try:
            identity = os.fstat(descriptor)
            if not stat.S_ISREG(identity.st_mode):
                raise UsageError(f"{self.name}: not a regular file; choose another -o")
            header = os.read(descriptor, HEADER)
        finally:
            os.close(descriptor)
        if header and (
            header[: len(MAGIC)] != MAGIC or int.from_bytes(header[68:72], "big") != self._application_id
        ):
            raise UsageError(f"{self.name}: {otherwise}; {UNTOUCHED}")
        return identity

    def mark_ours(self) -> None:
        """Write the application id, within a transaction."""
        self.connection.execute(f"PRAGMA application_id = {self._application_id}")

    def use_log(self) -> None:
        """Write to a log from now on: only the last seconds are at risk (sqlite.org/wal.html)."""
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = NORMAL")

    def is_gone(self) -> bool:
        """Whether the path now leads to another file or to none, so that everything written here is lost."""
        try:
            return not os.path.samestat(self._identity, Path(self._path).stat())
        except (FileNotFoundError, NotADirectoryError):
            return True

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run a transaction that takes the write lock at its start, so that it can't fail to get the lock
        later."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.connection.execute("COMMIT")
        except BaseException:
            if self.connection.in_transaction:  # some failures have ended the transaction already
                self.connection.execute("ROLLBACK")
            raise

    @contextmanager
    def as_output_errors(self) -> Iterator[None]:
        """Close the database when SQLite fails, and raise `OutputError`."""
        try:
            yield
        except sqlite3.Error as failure:
            self.release()
            raise OutputError(f"{self.name}: {_why(failure)}") from failure

    def sync(self) -> None:
        """Write the log back to the file, as far as other programs allow it."""
        with self.as_output_errors():
            self.connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def end_log(self) -> None:
        """Write the log back and remove it. While another program is reading the log stays, and the last
        program to close removes it."""
        with self.as_output_errors():
            self.connection.execute("PRAGMA busy_timeout = 0")
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def release(self) -> None:
        """Close the connection. Idempotent."""
        if not self.is_closed:
            self.is_closed = True
            self.connection.close()


def _why(failure: sqlite3.Error) -> str:
    code = getattr(failure, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return f"No space left on device; {NO_SPACE}"
    if code == sqlite3.SQLITE_BUSY:
        return f"database is locked by another program (waited {BUSY_TIMEOUT:g} s); close that program"
    return f"can't be written: {failure}"
