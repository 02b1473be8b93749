"""Writes rows to a SQLite table, `fetches`, which can be queried during the run and after it.

In: records. Out: a database with one row for each URL, which a later row of the same URL replaces. A row
without a URL replaces no other row, and its `identity` is null (sqlite.org/nulls.html: no two nulls are
equal). The columns are `identity`, the URL's fingerprint, which two rows of the same URL share; the row's
fields, in their documented order; `extra`; and one for each field that features, parsers and inputs add,
created when the field first appears. Values that fit no column are in `extra`, as one JSON object. Rows that
an earlier version wrote with all added fields in `extra` are left as they are.

The journal is a write-ahead log, so that other programs can read at any time, and committed rows survive a
crash of the process. A batch is one transaction. Every few seconds the log is written back and synced: a
power failure costs the rows of that time. The file's header shows whether the database is ours, so that a
foreign one is not even opened.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from time import monotonic
from typing import Any, get_type_hints

import msgspec

from fetchpool.model import fingerprint
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.record import FEATURE_TYPES, ROW_FIELDS, FieldType, Record, StoredRow
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.added_columns import EXTRA, AddedColumns, quoted, to_json
from fetchpool.sinks.file_ops import GONE
from fetchpool.sinks.read_back import stored_row, table_rows
from fetchpool.sinks.row_lines import STORED_FIELDS
from fetchpool.sinks.sqlite_file import UNTOUCHED, SqliteFile

APPLICATION_ID = 0x46504F4C
"""`FPOL`, at bytes 68 to 71 of the header."""
MAX_BUFFERED = 5_000
MAX_BUFFERED_BYTES = 8 << 20
"""Number and total size of the rows that are buffered before they are written even without a `flush()`."""
CHECKPOINT_INTERVAL = 5.0
"""Seconds after which a flush writes the log back and syncs it."""
COLUMN_TYPES = {int: "INTEGER", int | None: "INTEGER", float | None: "REAL"}
"""Column types by the type of the row's field; all others are text."""
ADDED_TYPES: dict[FieldType, str] = {
    "boolean": "BOOLEAN",
    "integer": "INTEGER",
    "real": "REAL",
    "text": "TEXT",
    "binary": "BLOB",
}
"""The declared types of added columns; lists and mappings are JSON, which is text. A boolean is 0 or 1
(sqlite.org/datatype3.html)."""
COLUMNS = ("identity", *ROW_FIELDS, EXTRA)
"""The columns of every database; added columns follow."""

_HINTS = get_type_hints(Record)
CREATE = "CREATE TABLE fetches (identity BLOB PRIMARY KEY, {}, extra TEXT)".format(
    ", ".join(f"{name} {COLUMN_TYPES.get(_HINTS[name], 'TEXT')}" for name in ROW_FIELDS)
)


def insert_statement(names: Iterable[str]) -> str:
    """Return the statement that inserts a row with these columns, or replaces the row of the same URL. The
    first is `identity`."""
    columns = [*map(quoted, names)]
    return "INSERT INTO fetches ({}) VALUES ({}) ON CONFLICT (identity) DO UPDATE SET {}".format(
        ", ".join(columns),
        ", ".join("?" * len(columns)),
        ", ".join(f"{name} = excluded.{name}" for name in columns[1:]),
    )


def added_columns(connection: sqlite3.Connection) -> dict[str, FieldType] | None:
    """Return the added columns of an output; None when it lacks columns that every output has."""
    found = connection.execute("SELECT name, type FROM pragma_table_info('fetches')").fetchall()
    if tuple(name for name, _ in found[: len(COLUMNS)]) != COLUMNS:
        return None
    types = {declared: type for type, declared in ADDED_TYPES.items()}
    return {name: types.get(declared, "text") for name, declared in found[len(COLUMNS) :]}


class SqliteSink:
    """A `ResumableSink` for a database file."""

    def __init__(
        self,
        path: str,
        extra_fields: Sequence[str] = (),
        *,
        clock: Callable[[], float] = monotonic,
        types: Mapping[str, FieldType] | None = None,
        fields: tuple[str, ...] = (),
    ) -> None:
        """Open the database, and create it if it is missing. Raises `UsageError` for an invalid path or a
        file with other content (which is left unchanged), and `OutputError` if the system fails."""
        self.name = escape_invisible(path)
        self.is_nonblocking = False
        self._clock = clock
        self._next_checkpoint = clock() + CHECKPOINT_INTERVAL
        self.notices: list[str] = []
        self._extra_fields = extra_fields
        self._types: dict[str, FieldType] = {
            name: type if type in ADDED_TYPES else "text" for name, type in (types or {}).items()
        }
        """Types of added fields that don't depend on their values."""
        self._fields = fields
        """The only columns besides `identity`, in order; empty for all."""
        self._columns = AddedColumns()
        self._insert = ""
        self._schema_version = -1
        """SQLite's counter of changes to the columns, since another run may add columns, too."""
        self._buffer: list[Record] = []
        self._buffered_bytes = 0
        self._file = SqliteFile(path, APPLICATION_ID, "is not a sqlite output of fetchpool")
        self._connection = self._file.connection
        try:
            with self._file.as_output_errors():
                self._prepare()
        except BaseException:
            self._file.release()
            raise

    def write(self, records: Sequence[Record]) -> None:
        """Buffer rows until `flush()`, or until there are a few thousand."""
        for record in records:
            self._buffer.append(record)
            self._buffered_bytes += len(record.url) + len(record.url_effective)
            if record.extra:
                self._buffered_bytes += len(msgspec.msgpack.encode(record.extra))
            if len(self._buffer) >= MAX_BUFFERED or self._buffered_bytes >= MAX_BUFFERED_BYTES:
                self.flush()

    def flush(self) -> None:
        """Commit the buffered rows: all of them, or none if it raises `OutputError`."""
        rows, self._buffer, self._buffered_bytes = self._buffer, [], 0
        if rows:
            if self._file.is_closed:
                raise OutputError(f"{self.name}: is closed")
            if self._file.is_gone():
                self._file.release()
                raise OutputError(f"{self.name}: {GONE}")
            with self._file.as_output_errors(), self._file.transaction():
                self._add_columns(self._extra_fields, [record.extra for record in rows if record.extra])
                self._connection.executemany(self._insert, map(self._cells, rows))
        if not self._file.is_closed and self._clock() >= self._next_checkpoint:
            self._file.sync()
            self._next_checkpoint = self._clock() + CHECKPOINT_INTERVAL

    def stored_rows(self) -> Iterator[list[StoredRow | None]]:
        """Yield the current rows of the database, a few hundred at a time."""
        with self._file.as_output_errors():
            for rows in table_rows(self._connection, STORED_FIELDS):
                yield [stored_row(row) for row in rows]

    def close(self) -> None:
        """Flush, write the log back, sync and close. Idempotent."""
        if self._file.is_closed:
            return
        try:
            self.flush()
            self._file.end_log()
        finally:
            self._file.release()

    def _prepare(self) -> None:
        execute = self._connection.execute
        with self._file.transaction():  # another run may be creating it, too
            if not execute("SELECT count(*) FROM pragma_table_info('fetches')").fetchone()[0]:
                self._file.mark_ours()
                execute(self._create() if self._fields else CREATE)
            self._add_columns(
                [name for name in self._extra_fields if name in FEATURE_TYPES or name in self._types]
            )
        self._file.use_log()
        execute("PRAGMA cache_size = -65536")  # KiB: identities arrive in random order, and their index grows
        self.appends = bool(execute("SELECT EXISTS (SELECT 1 FROM fetches)").fetchone()[0])

    def _add_columns(self, names: Sequence[str], extras: Sequence[dict[str, Any]] = ()) -> None:
        """Create the missing columns, within a transaction."""
        execute = self._connection.execute
        version = execute("PRAGMA schema_version").fetchone()[0]
        if self._fields:
            if version != self._schema_version:
                self._check_fields(version)
            return
        if version != self._schema_version:
            existing = added_columns(self._connection)
            if existing is None:
                if self._schema_version >= 0:
                    raise OutputError(f"{self.name}: another program changed its columns during the run")
                raise UsageError(
                    f"{self.name}: is a sqlite output of fetchpool with other columns; {UNTOUCHED}"
                )
            self._columns = AddedColumns(existing, self._types)
            self._insert = ""
        new = self._columns.add(names, extras)
        for name, type in new.items():
            execute(f"ALTER TABLE fetches ADD COLUMN {quoted(name)} {ADDED_TYPES[type]}")
        if new or not self._insert:
            self._schema_version = execute("PRAGMA schema_version").fetchone()[0]
            self._insert = insert_statement([*COLUMNS, *self._columns.types])

    def _create(self) -> str:
        columns = [f"{quoted(name)} {self._declared(name)}" for name in self._fields]
        return f"CREATE TABLE fetches (identity BLOB PRIMARY KEY, {', '.join(columns)})"

    def _declared(self, name: str) -> str:
        """Return the declared type of a chosen column. Columns of parsers' fields have none: SQLite stores
        each value as it is."""
        if name in ROW_FIELDS:
            return COLUMN_TYPES.get(_HINTS[name], "TEXT")
        known = self._types.get(name) or FEATURE_TYPES.get(name)
        return ADDED_TYPES[known] if known else ""

    def _check_fields(self, version: int) -> None:
        """Check that the table has the chosen columns."""
        found = [
            name for (name,) in self._connection.execute("SELECT name FROM pragma_table_info('fetches')")
        ]
        if found != ["identity", *self._fields]:
            if self._schema_version >= 0:
                raise OutputError(f"{self.name}: another program changed its columns during the run")
            raise UsageError(f"{self.name}: is a sqlite output of fetchpool with other columns; {UNTOUCHED}")
        self._schema_version = version
        self._insert = insert_statement(found)

    def _cells(self, record: Record) -> list[Any]:
        if self._fields:
            values = record.to_dict()
            identity = fingerprint.from_record_url(record.url) if record.url else None
            return [identity, *(as_cell(values.get(name)) for name in self._fields)]
        *row, extra = msgspec.structs.astuple(record)
        added, rest = self._columns.values(extra)
        return [fingerprint.from_record_url(record.url) if record.url else None, *row, rest, *added]


def as_cell(value: Any) -> Any:
    """Return a value in the form that SQLite stores: lists and mappings as JSON."""
    return to_json(value) if isinstance(value, list | dict) else value
