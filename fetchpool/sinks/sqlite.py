"""Rows as a table of SQLite's, `fetches`: to ask questions of, while the run goes on and after it.

In: records. Out: a database with one row for every URL, which a later row of the same URL replaces; one
without a URL replaces none, and has a null for its `identity` (sqlite.org/nulls.html: no two are the same).
It has a column for each of the row's fields, in their documented order; `extra`, what parsers added
as one JSON object, null when there is nothing (`json_extract(extra, '$.title')`); and `identity`, the
URL's fingerprint, which is what makes two rows the same URL's.

The journal is a write-ahead log, so that others may read at any moment, and what is committed outlives
us however we end. A batch is one transaction. Every few seconds the log is written back and synced,
which is what a power failure can cost. Whether a file is ours its header says, so a foreign database
is never so much as opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, get_type_hints

import msgspec

from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import ROW_FIELDS, Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.file_ops import GONE, RESOURCE_ERRNOS, open_error_message

MAGIC = b"SQLite format 3\0"  # sqlite.org/fileformat2.html, section 1.3
APPLICATION_ID = 0x46504F4C
"""`FPOL`, at bytes 68 to 71 of the header."""
HEADER = 100
UNTOUCHED = "choose another -o (nothing in it was changed)"
HELD = 5_000
HELD_BYTES = 8 << 20
"""Rows that are held at most, and bytes in them, before they are written without being asked to."""
READ_BACK = 500
"""Rows that are read back at once."""
CHECKPOINT = 5.0
"""Seconds after which a flush has the log written back and the disk asked to keep it."""
PATIENCE = 60.0
"""Seconds to wait for another program that writes to the database."""

COLUMN_TYPES = {int: "INTEGER", int | None: "INTEGER", float | None: "REAL"}
"""By the type of the row's field; all others are text."""
COLUMNS = ("identity", *ROW_FIELDS, "extra")

_HINTS = get_type_hints(Record)
CREATE = "CREATE TABLE fetches (identity BLOB PRIMARY KEY, {}, extra TEXT)".format(
    ", ".join(f"{name} {COLUMN_TYPES.get(_HINTS[name], 'TEXT')}" for name in ROW_FIELDS)
)
INSERT = "INSERT INTO fetches ({}) VALUES ({}) ON CONFLICT (identity) DO UPDATE SET {}".format(
    ", ".join(COLUMNS),
    ", ".join("?" * len(COLUMNS)),
    ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:]),
)


class SqliteSink:
    """A `Journal` in a database file."""

    def __init__(self, path: str, *, clock: Callable[[], float] = monotonic) -> None:
        """Opens it, and makes it when it isn't there. Raises `UsageError` for a path that can't be meant,
        a file of something else included (that one is left untouched), and `OutputError` when the
        machine fails."""
        self.name = escape_invisible(path)
        self.is_nonblocking = False
        self._clock = clock
        self._next_checkpoint = clock() + CHECKPOINT
        self.notices: list[str] = []
        self._path = path
        self._held: list[list[Any]] = []
        self._held_bytes = 0
        self._encoder = msgspec.json.Encoder()
        self._closed = False
        self._check_ours(path)
        try:
            self._connection = sqlite3.connect(
                path, timeout=PATIENCE, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as failure:
            raise OutputError(f"{self.name}: {_why(failure)}") from failure
        try:
            with self._told():
                self._prepare()
        except BaseException:
            self._release()
            raise

    def write(self, records: Sequence[Record]) -> None:
        """Takes rows; they are held until `flush()`, or until they are a few thousand."""
        for record in records:
            self._held.append(self._cells(record))
            if len(self._held) >= HELD or self._held_bytes >= HELD_BYTES:
                self.flush()

    def flush(self) -> None:
        """Commits what is held, all of it or, when that fails with `OutputError`, nothing."""
        rows, self._held, self._held_bytes = self._held, [], 0
        if rows:
            if self._closed:
                raise OutputError(f"{self.name}: is closed")
            if self._is_gone():
                self._release()
                raise OutputError(f"{self.name}: {GONE}")
            with self._told(), self._transaction():
                self._connection.executemany(INSERT, rows)
        if not self._closed and self._clock() >= self._next_checkpoint:
            with self._told():
                self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
            self._next_checkpoint = self._clock() + CHECKPOINT

    def written(self) -> Iterator[list[StoredRow | None]]:
        """The rows that are there now, a few thousand at a time."""
        with self._told():
            cursor = self._connection.execute("SELECT url, error FROM fetches ORDER BY rowid")
        return self._fetched(cursor)

    def close(self) -> None:
        """Flushes, has the log written back and the disk asked to keep it, and closes. Idempotent."""
        if self._closed:
            return
        try:
            self.flush()
            with self._told():
                # Another program may be reading: then the log stays for the last one of us to clear away.
                self._connection.execute("PRAGMA busy_timeout = 0")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._release()

    def _is_gone(self) -> bool:
        """Whether the file has no name any more, or not ours: what is written to it is lost."""
        try:
            return not os.path.samestat(self._identity, Path(self._path).stat())
        except (FileNotFoundError, NotADirectoryError):
            return True

    def _check_ours(self, path: str) -> None:
        """By the bytes of the file: SQLite would leave its own beside a database that it only looks at."""
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except (OSError, ValueError) as failure:  # ValueError: a NUL in the path
            words = f"{self.name}: {open_error_message(path, failure)}"
            if isinstance(failure, OSError) and failure.errno in RESOURCE_ERRNOS:
                raise OutputError(words) from failure
            raise UsageError(words) from failure
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"{self.name}: is no file, which a database has to be; choose another -o")
            header = os.read(descriptor, HEADER)
            self._identity = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        if header and (
            header[: len(MAGIC)] != MAGIC or int.from_bytes(header[68:72], "big") != APPLICATION_ID
        ):
            raise UsageError(f"{self.name}: is not a sqlite output of fetchpool; {UNTOUCHED}")

    def _prepare(self) -> None:
        execute = self._connection.execute
        with self._transaction():  # another run may be making it, too
            columns = tuple(row[1] for row in execute("PRAGMA table_info(fetches)"))
            if not columns:
                execute(f"PRAGMA application_id = {APPLICATION_ID}")
                execute(CREATE)
            elif columns != COLUMNS:
                raise UsageError(
                    f"{self.name}: is a sqlite output of fetchpool with other columns; {UNTOUCHED}"
                )
        execute("PRAGMA journal_mode = WAL")
        execute(
            "PRAGMA synchronous = NORMAL"
        )  # in this mode safe but for the last seconds, sqlite.org/wal.html
        execute("PRAGMA cache_size = -65536")  # KiB: identities come in no order, and their index grows
        self.appends = bool(execute("SELECT EXISTS (SELECT 1 FROM fetches)").fetchone()[0])

    def _cells(self, record: Record) -> list[Any]:
        *row, extra = msgspec.structs.astuple(record)
        json = self._encoder.encode(extra).decode() if extra else None
        self._held_bytes += len(record.url) + len(record.url_effective) + (len(json) if json else 0)
        return [fingerprint.from_record_url(record.url) if record.url else None, *row, json]

    def _fetched(self, cursor: sqlite3.Cursor) -> Iterator[list[StoredRow | None]]:
        while True:
            with self._told():
                rows = cursor.fetchmany(READ_BACK)
            if not rows:
                return
            yield [
                StoredRow(url, error) if isinstance(url, str) and isinstance(error, str | None) else None
                for url, error in rows
            ]

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """From the start a writing one: it waits for its turn here, and never fails for it later."""
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:  # some failures have ended it already
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What SQLite raises as what it means; nothing is tried again after it."""
        try:
            yield
        except sqlite3.Error as failure:
            self._release()
            raise OutputError(f"{self.name}: {_why(failure)}") from failure

    def _release(self) -> None:
        if not self._closed:
            self._closed = True
            self._connection.close()


def _why(failure: sqlite3.Error) -> str:
    code = getattr(failure, "sqlite_errorcode", None)
    if code == sqlite3.SQLITE_FULL:
        return "No space left on device; make room, or name another file with -o"
    if code == sqlite3.SQLITE_BUSY:
        return f"another program has kept it locked for {PATIENCE:g} s; close that one"
    return f"can't be written: {failure}"
