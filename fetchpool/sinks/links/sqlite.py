"""Writes links to a SQLite table, `links`, which can be queried during the run and after it.

In: links. Out: a database with one row for each link, in the order in which they were found. A flush is one
transaction in a write-ahead log, which stays complete if the process is killed. The file's header marks it as
a database of links, so that no other database is opened.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.link import LINK_COLUMNS, Link
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file_ops import NO_SPACE, open_error_message
from fetchpool.sinks.links.base import IsDone

MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat2.html, section 1.3
APPLICATION_ID = 0x46504C4B
"""`FPLK`, at bytes 68 to 71 of the header."""
HEADER = 100
MAX_BUFFERED = 5_000
BUSY_TIMEOUT = 60.0
"""Seconds to wait for another program that writes to the database."""
CREATE = (
    'CREATE TABLE IF NOT EXISTS links ("from" TEXT NOT NULL, "to" TEXT NOT NULL, tag TEXT NOT NULL, '
    "attribute TEXT NOT NULL, fragment TEXT, nofollow BOOLEAN NOT NULL, followed BOOLEAN NOT NULL, "
    "reason TEXT)"
)
INSERT = f"INSERT INTO links VALUES ({', '.join('?' * len(LINK_COLUMNS))})"


class SqliteLinks:
    """A `LinkSink` for a database file."""

    def __init__(self, path: str, is_done: IsDone | None = None) -> None:
        """Open the database, and create it if it is missing. `is_done`: on resuming; links of other pages are
        removed. Raises `UsageError` for a path that can't be opened or a file with other content, and
        `OutputError` when the system fails."""
        self.name = escape_invisible(path)
        self._buffer: list[Link] = []
        self._closed = False
        check_database(path)
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False
        )
        try:
            with self._as_output_errors():
                execute = self._connection.execute
                with self._transaction():
                    execute(f"PRAGMA application_id = {APPLICATION_ID}")
                    execute(CREATE)
                execute("PRAGMA journal_mode = WAL")
                execute("PRAGMA synchronous = NORMAL")
                if is_done is not None:
                    self._keep(is_done)
        except BaseException:
            self._release()
            raise

    def write(self, links: Sequence[Link]) -> None:
        self._buffer += links
        if len(self._buffer) >= MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        rows, self._buffer = self._buffer, []
        if not rows:
            return
        if self._closed:
            raise OutputError(f"{self.name}: is closed")
        cells = [
            (
                each.from_,
                each.to,
                each.tag,
                each.attribute,
                each.fragment,
                each.nofollow,
                each.followed,
                each.reason,
            )
            for each in rows
        ]
        with self._as_output_errors(), self._transaction():
            self._connection.executemany(INSERT, cells)

    def sync(self) -> None:
        if self._closed:
            return
        self.flush()
        with self._as_output_errors():
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def close(self) -> None:
        if self._closed:
            return
        try:
            self.flush()
            with self._as_output_errors():
                self._connection.execute("PRAGMA busy_timeout = 0")  # another program may be reading
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._release()

    def _keep(self, is_done: IsDone) -> None:
        """Remove the links of pages without a row."""
        execute = self._connection.execute
        execute("CREATE TEMP TABLE again (page TEXT PRIMARY KEY)")
        for (page,) in execute('SELECT DISTINCT "from" FROM links').fetchall():
            if not is_done(page):
                execute("INSERT INTO again VALUES (?)", (page,))
        with self._transaction():
            execute('DELETE FROM links WHERE "from" IN (SELECT page FROM again)')
        execute("DROP TABLE again")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some failures have ended the transaction already
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _as_output_errors(self) -> Iterator[None]:
        """Close the database when SQLite fails, and raise `OutputError`."""
        try:
            yield
        except sqlite3.Error as failure:
            self._release()
            full = getattr(failure, "sqlite_errorcode", None) in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)
            raise OutputError(f"{self.name}: {failure}{f'; {NO_SPACE}' if full else ''}") from failure

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.close()


def check_database(path: str) -> None:
    """Check the header of a file, and create the file if it is missing. Doesn't use SQLite, which would
    create files next to a database that it opens. Raises `UsageError`."""
    name = escape_invisible(path)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
        raise UsageError(f"{name}: {open_error_message(path, failure)}") from failure
    try:
        if not Path(path).is_file():
            raise UsageError(f"{name}: not a regular file; choose another -o")
        header = os.read(descriptor, HEADER)
    finally:
        os.close(descriptor)
    if header and (header[: len(MAGIC)] != MAGIC or int.from_bytes(header[68:72], "big") != APPLICATION_ID):
        raise UsageError(
            f"{name}: is no SQLite output of links; choose another -o (nothing in it was changed)"
        )
