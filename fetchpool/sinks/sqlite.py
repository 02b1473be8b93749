"""Rows as a SQLite table, `fetches`, which can be queried during the run and after it.

In: records. Out: a database with one row for every URL, which a later row of the same URL replaces. A row
without a URL replaces none, and has a null `identity` (sqlite.org/nulls.html: no two nulls are the same).
The columns are `identity`, the URL's fingerprint, which is what makes two rows the same URL's; the row's
fields, in their documented order; `extra`; and one for every field that features, parsers and inputs added,
which is made when the field is first seen. What fits no column is in `extra`, as one JSON object.
So is all that was added to the rows of a database that an earlier version wrote: these are left as they are.

The journal is a write-ahead log, so that others may read at any moment, and what is committed survives
a crash of the process. A batch is one transaction. Every few seconds the log is written back and synced: a
power failure costs that much. Whether a file is ours is read from its header, so that a foreign database is
not even opened.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic
from typing import Any, get_type_hints

import msgspec

from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import ROW_FIELDS, Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.added_columns import EXTRA, FEATURE_TYPES, AddedColumns, Type
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
ADDED_TYPES: dict[Type, str] = {"boolean": "BOOLEAN", "integer": "INTEGER", "real": "REAL", "text": "TEXT"}
"""How the types of added columns are declared. A boolean is 0 or 1 (sqlite.org/datatype3.html)."""
COLUMNS = ("identity", *ROW_FIELDS, EXTRA)
"""Those of every database; the added ones follow."""

_HINTS = get_type_hints(Record)
CREATE = "CREATE TABLE fetches (identity BLOB PRIMARY KEY, {}, extra TEXT)".format(
    ", ".join(f"{name} {COLUMN_TYPES.get(_HINTS[name], 'TEXT')}" for name in ROW_FIELDS)
)


def insert_statement(added: Iterable[str]) -> str:
    """The statement that inserts a row, or replaces the one of the same URL."""
    columns = [*COLUMNS, *map(quoted, added)]
    return "INSERT INTO fetches ({}) VALUES ({}) ON CONFLICT (identity) DO UPDATE SET {}".format(
        ", ".join(columns),
        ", ".join("?" * len(columns)),
        ", ".join(f"{name} = excluded.{name}" for name in columns[1:]),
    )


def quoted(name: str) -> str:
    """A column's name as SQL has it (sqlite.org/lang_keywords.html)."""
    return '"{}"'.format(name.replace('"', '""'))


def added_columns(connection: sqlite3.Connection) -> dict[str, Type] | None:
    """The added columns of a database of ours; None when it has not the columns that all have."""
    found = connection.execute("SELECT name, type FROM pragma_table_info('fetches')").fetchall()
    if tuple(name for name, _ in found[: len(COLUMNS)]) != COLUMNS:
        return None
    types = {declared: type for type, declared in ADDED_TYPES.items()}
    return {name: types.get(declared, "text") for name, declared in found[len(COLUMNS) :]}


class SqliteSink:
    """A `ResumableSink` for a database file."""

    def __init__(
        self, path: str, extra_fields: Sequence[str] = (), *, clock: Callable[[], float] = monotonic
    ) -> None:
        """Opens it, and makes it when it isn't there. Raises `UsageError` for an invalid path,
        a file of something else included (that one is left untouched), and `OutputError` when the
        machine fails."""
        self.name = escape_invisible(path)
        self.is_nonblocking = False
        self._clock = clock
        self._next_checkpoint = clock() + CHECKPOINT
        self.notices: list[str] = []
        self._path = path
        self._extra_fields = extra_fields
        self._columns = AddedColumns()
        self._insert = ""
        self._schema_version = -1
        """By which SQLite counts changes of the columns: another run may make some, too."""
        self._held: list[Record] = []
        self._held_bytes = 0
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
            self._held.append(record)
            self._held_bytes += len(record.url) + len(record.url_effective)
            if record.extra:
                self._held_bytes += len(msgspec.msgpack.encode(record.extra))
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
                self._add_columns(self._extra_fields, [record.extra for record in rows if record.extra])
                self._connection.executemany(self._insert, map(self._cells, rows))
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
        """Whether the path leads to another file by now, or to none: what is written to this one is lost."""
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
            if not execute("SELECT count(*) FROM pragma_table_info('fetches')").fetchone()[0]:
                execute(f"PRAGMA application_id = {APPLICATION_ID}")
                execute(CREATE)
            self._add_columns([name for name in self._extra_fields if name in FEATURE_TYPES])
        execute("PRAGMA journal_mode = WAL")
        execute(
            "PRAGMA synchronous = NORMAL"
        )  # in this mode safe but for the last seconds, sqlite.org/wal.html
        execute("PRAGMA cache_size = -65536")  # KiB: identities come in no order, and their index grows
        self.appends = bool(execute("SELECT EXISTS (SELECT 1 FROM fetches)").fetchone()[0])

    def _add_columns(self, names: Sequence[str], extras: Sequence[dict[str, Any]] = ()) -> None:
        """Make the columns that are missing, within a transaction."""
        execute = self._connection.execute
        version = execute("PRAGMA schema_version").fetchone()[0]
        if version != self._schema_version:
            existing = added_columns(self._connection)
            if existing is None:
                if self._schema_version >= 0:
                    raise OutputError(f"{self.name}: another program changed its columns during the run")
                raise UsageError(
                    f"{self.name}: is a sqlite output of fetchpool with other columns; {UNTOUCHED}"
                )
            self._columns = AddedColumns(existing)
            self._insert = ""
        new = self._columns.add(names, extras)
        for name, type in new.items():
            execute(f"ALTER TABLE fetches ADD COLUMN {quoted(name)} {ADDED_TYPES[type]}")
        if new or not self._insert:
            self._schema_version = execute("PRAGMA schema_version").fetchone()[0]
            self._insert = insert_statement(self._columns.types)

    def _cells(self, record: Record) -> list[Any]:
        *row, extra = msgspec.structs.astuple(record)
        added, rest = self._columns.values(extra)
        return [fingerprint.from_record_url(record.url) if record.url else None, *row, rest, *added]

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
