"""Reads the URLs of earlier outputs whose rows have some errors (`--retry-failed` without INPUT).

In: the paths and formats of outputs. Out: each URL whose final row in some output has one of the errors, in
the order of these rows. The outputs are read once, before anything is fetched, and only failures are stored,
in a temporary database: memory doesn't grow with the output."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from fetchpool.config.outputs import Output
from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.failures import ERRORS, OTHER
from fetchpool.model.fingerprint import from_record_url, original_url
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import request
from fetchpool.sinks.read_back import read_rows

FIELDS = ("url", "error")
BATCH = 500
"""Number of URLs that are read from the database at once."""
TABLE = (
    "CREATE TABLE failed (output INTEGER, fingerprint BLOB, url TEXT NOT NULL, UNIQUE (output, fingerprint))"
)
ADD = "INSERT OR REPLACE INTO failed VALUES (?, ?, ?)"
REMOVE = "DELETE FROM failed WHERE output = ? AND fingerprint = ?"
FORGET = "DELETE FROM failed WHERE instr(url, '***@') > 0"
"""Removes URLs with credentials, which rows replace by `***`."""
SELECT = "SELECT url FROM failed GROUP BY fingerprint ORDER BY min(rowid)"


class FailedUrls:
    """A `Source` of the failed URLs of outputs."""

    def __init__(self, outputs: Sequence[Output], errors: Collection[str]) -> None:
        """Read the outputs. `errors`: the errors whose URLs are wanted. Raises `UsageError` if no output
        exists or one is not readable, and `OutputError` if the temporary database can't be written."""
        self._errors = frozenset(errors)
        self._urlnum = 0
        self.lazy = False
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices: list[str] = []
        existing = [output for output in outputs if output.path != "-" and Path(output.path).exists()]
        if not existing:
            names = ", ".join(escape_invisible(output.path) for output in outputs)
            raise UsageError(
                f"--retry-failed without INPUT reads the URLs of the output, and there is no {names}; "
                "name the output of the earlier run with -o, or its list as INPUT"
            )
        try:
            self._database = open_temporary_database(TABLE)
            for number, output in enumerate(existing):
                self._read(number, output)
            without = self._database.execute(FORGET).rowcount
            self._urls = self._stored_urls()
        except sqlite3.Error as failure:
            raise OutputError(
                f"can't write a temporary copy of the failed URLs ({failure}); free some space in the "
                "directory of temporary files (TMPDIR)"
            ) from failure
        if without:
            urls = "URL" if without == 1 else "URLs"
            self.notices.append(
                f"{without:,} failed {urls} with a user and password left out, since outputs don't keep "
                "them; name their list as INPUT"
            )

    def start(self, notify: Callable[[], None]) -> None:
        """Do nothing: all URLs are known."""

    def take(self, limit: int) -> list[FetchRequest]:
        """Return at most `limit` requests."""
        requests: list[FetchRequest] = []
        while len(requests) < limit:
            url = next(self._urls, None)
            if url is None:
                self.exhausted = True
                break
            requests.append(request(self._urlnum, original_url(url)))
            self._urlnum += 1
        return requests

    def close(self) -> None:
        """Close the temporary database. Idempotent."""
        self._urls = iter(())
        self._database.close()

    def _read(self, number: int, output: Output) -> None:
        has_failures = False
        try:
            for rows in read_rows(output.path, output.format, FIELDS):
                last: dict[bytes, str] = {}
                """By fingerprint, the URL if its last row has one of the errors, or an empty string."""
                for row in rows:
                    error = row.get("error")
                    if error and (error if error in ERRORS else OTHER) in self._errors:
                        has_failures = True
                        last[from_record_url(row["url"])] = row["url"]
                    elif has_failures:
                        last[from_record_url(row["url"])] = ""
                self._database.executemany(ADD, [(number, key, url) for key, url in last.items() if url])
                self._database.executemany(REMOVE, [(number, key) for key, url in last.items() if not url])
        except UsageError as failure:
            raise UsageError(f"--retry-failed: {failure}") from failure

    def _stored_urls(self) -> Iterator[str]:
        cursor = self._database.execute(SELECT)
        while rows := cursor.fetchmany(BATCH):
            yield from (url for (url,) in rows)
