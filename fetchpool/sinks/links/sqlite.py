"""Writes links to a SQLite table, `links`, which can be queried during the run and after it.

In: links. Out: a database with one row for each link, in the order in which they were found. A flush is one
transaction in a write-ahead log, which stays complete if the process is killed. The file's header marks it as
a database of links, so that no other database is opened.
"""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.model.errors import OutputError
from fetchpool.model.link import LINK_COLUMNS, Link
from fetchpool.model.text import escape_invisible
from fetchpool.sinks.links.base import IsDone
from fetchpool.sinks.sqlite_file import SqliteFile

APPLICATION_ID = 0x46504C4B
"""`FPLK`, at bytes 68 to 71 of the header."""
MAX_BUFFERED = 5_000
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
        `OutputError` if the system fails."""
        self.name = escape_invisible(path)
        self._buffer: list[Link] = []
        self._file = SqliteFile(path, APPLICATION_ID, "is not a SQLite output of links")
        self._connection = self._file.connection
        try:
            with self._file.as_output_errors():
                with self._file.transaction():
                    self._file.mark_ours()
                    self._connection.execute(CREATE)
                self._file.use_log()
                if is_done is not None:
                    self._keep(is_done)
        except BaseException:
            self._file.release()
            raise

    def write(self, links: Sequence[Link]) -> None:
        self._buffer += links
        if len(self._buffer) >= MAX_BUFFERED:
            self.flush()

    def flush(self) -> None:
        rows, self._buffer = self._buffer, []
        if not rows:
            return
        if self._file.is_closed:
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
        with self._file.as_output_errors(), self._file.transaction():
            self._connection.executemany(INSERT, cells)

    def sync(self) -> None:
        if self._file.is_closed:
            return
        self.flush()
        self._file.sync()

    def close(self) -> None:
        if self._file.is_closed:
            return
        try:
            self.flush()
            self._file.end_log()
        finally:
            self._file.release()

    def _keep(self, is_done: IsDone) -> None:
        """Remove the links of pages without a row."""
        execute = self._connection.execute
        execute("CREATE TEMP TABLE again (page TEXT PRIMARY KEY)")
        for (page,) in execute('SELECT DISTINCT "from" FROM links').fetchall():
            if not is_done(page):
                execute("INSERT INTO again VALUES (?)", (page,))
        with self._file.transaction():
            execute('DELETE FROM links WHERE "from" IN (SELECT page FROM again)')
        execute("DROP TABLE again")
