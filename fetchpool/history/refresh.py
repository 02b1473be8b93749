"""Fetches the URLs of an earlier output again with conditional requests (`--refresh OLD`), and counts
changes.

In: the path of an output. Out: its URLs, or those of another list, each with the validators for a conditional
request; and, from the new rows, how many pages changed, appeared or vanished.

The output is read once, before anything is fetched, into a temporary database: the last row of a URL counts,
and memory doesn't grow with the output.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fetchpool.config.choices import format_of
from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.http.conditional import is_usable
from fetchpool.model.errors import OutputError, UsageError
from fetchpool.model.fingerprint import from_record_url, from_request, original_url
from fetchpool.model.record import FEATURE_TYPES, Record
from fetchpool.model.request import CachedVersion, FetchRequest
from fetchpool.model.text import escape_invisible, memory_size
from fetchpool.model.urls import request
from fetchpool.sinks.read_back import COMPLETE, Row, read_rows
from fetchpool.sources.base import Source

FIELDS = ("url", "url_effective", "error", "size_delivered", "content_type", *FEATURE_TYPES)
"""The fields read from each row."""
INSERT = (
    "INSERT INTO old VALUES (?, ?, ?) ON CONFLICT (fingerprint) DO UPDATE SET previous = excluded.previous"
)
NOT_MODIFIED = 304
GONE = frozenset(("http_404", "http_410"))
BATCH = 500
"""Number of URLs that are returned at once."""

SIZE_DIGITS = 18
MAX_SIZE = 10**SIZE_DIGITS
"""Maximum size in bytes; a larger number in a row is not a size."""


class ChangeCounts(Struct):
    """The numbers of unchanged, changed, new, vanished and failed URLs. Each new row counts in one of
    them."""

    unchanged: int = 0
    changed: int = 0
    appeared: int = 0
    """Fetched now, but missing or failed in the earlier output."""
    vanished: int = 0
    """Fetched then, but now with status 404 or 410."""
    failed: int = 0
    """Failed now, for another reason, or failed both times: no comparison is possible."""


class PreviousRun:
    """An earlier output. Compares new rows with its own."""

    def __init__(self, path: str) -> None:
        """Read the output. Raises `UsageError` if it is not a readable output with validators, and
        `OutputError` when the temporary database can't be written."""
        self.changes = ChangeCounts()
        self._name = escape_invisible(path)
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(CachedVersion).decode
        try:
            self._database = open_temporary_database(
                "CREATE TABLE old (fingerprint BLOB UNIQUE NOT NULL, url TEXT NOT NULL, previous BLOB)"
            )
            self._read(path)
        except sqlite3.Error as failure:
            words = f"can't write a temporary copy of {self._name} ({failure})"
            raise OutputError(
                f"{words}; free some space in the directory of temporary files (TMPDIR)"
            ) from failure

    def previous(self, fingerprint: bytes) -> CachedVersion | None:
        """Return the earlier version of a URL; None when the output lacks it, or has a failure."""
        found = self._database.execute(
            "SELECT previous FROM old WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        return self._decode(found[0]) if found is not None and found[0] is not None else None

    def urls(self) -> Iterator[list[str]]:
        """Yield all URLs, in the order of their first rows, some hundred at a time."""
        cursor = self._database.execute("SELECT url FROM old ORDER BY rowid")
        while rows := cursor.fetchmany(BATCH):
            yield [url for (url,) in rows]

    def with_validators(self, requests: list[FetchRequest]) -> list[FetchRequest]:
        """Return the requests, each with its earlier version if there is one."""
        found = []
        for each in requests:
            previous = self.previous(from_request(each))
            if previous is None:
                found.append(each)
            else:
                weight = each.weight + memory_size(previous.url) + len(previous.filename_effective)
                found.append(replace(each, previous=previous, weight=weight))
        return found

    def count(self, records: list[Record]) -> None:
        """Count final rows as unchanged, changed, new, vanished or failed."""
        changes = self.changes
        for record in records:
            previous = self.previous(from_record_url(record.url))
            if not record.ok:
                if previous is not None and record.error in GONE:
                    changes.vanished += 1
                else:
                    changes.failed += 1
            elif previous is None:
                changes.appeared += 1
            elif record.response_code == NOT_MODIFIED and not record.extra.get("not_modified"):
                changes.failed += 1  # it answers a condition that the user set with --header
            elif is_same(previous, record):
                changes.unchanged += 1
            else:
                changes.changed += 1

    # Reading

    def _read(self, path: str) -> None:
        format = format_of(path)
        if format not in COMPLETE:
            raise UsageError(
                f"--refresh: {self._name}: text rows have no validators; name a JSONL, CSV, SQLite or "
                "Parquet output"
            )
        try:
            for rows in read_rows(path, format, FIELDS):
                self._database.executemany(INSERT, map(self._values, rows))
        except UsageError as failure:
            raise UsageError(f"--refresh: {failure}") from failure

    def _values(self, row: Row) -> tuple[bytes, str, bytes | None]:
        url = row["url"]
        if row.get("error"):
            return from_record_url(url), url, None
        return from_record_url(url), url, self._encode(previous_of(row))


class RefreshSource:
    """A `Source` whose requests carry the validators of an earlier output."""

    def __init__(self, old: PreviousRun, source: Source | None = None) -> None:
        """Without a `source`, the URLs are those of the earlier output."""
        self._old = old
        self._source = source
        self._batches = old.urls()
        self._waiting: list[str] = []
        self._urlnum = 0
        self.lazy = source is not None and source.lazy
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices = [] if source is None else source.notices

    def start(self, notify: Callable[[], None]) -> None:
        if self._source is not None:
            self._source.start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """Return at most `limit` requests."""
        if self._source is None:
            requests = self._own(limit)
        else:
            requests = self._source.take(limit)
            self.exhausted, self.failure = self._source.exhausted, self._source.failure
            self.bytes_read, self.bytes_total = self._source.bytes_read, self._source.bytes_total
        return self._old.with_validators(requests)

    def close(self) -> None:
        if self._source is not None:
            self._source.close()

    def _own(self, limit: int) -> list[FetchRequest]:
        if not self._waiting:
            self._waiting = next(self._batches, [])
            self.exhausted = not self._waiting
        urls, self._waiting = self._waiting[:limit], self._waiting[limit:]
        # A row has *** instead of credentials.
        requests = [
            request(self._urlnum + n, original_url(url.replace("://***@", "://", 1)))
            for n, url in enumerate(urls)
        ]
        self._urlnum += len(urls)
        return requests


def previous_of(row: Row) -> CachedVersion:
    """Return the parts of a row that a conditional request needs, and those that the new row needs after a
    304."""
    etag, last_modified = str(row.get("etag") or ""), str(row.get("last_modified") or "")
    size = row.get("size_delivered")
    return CachedVersion(
        url=str(row.get("url_effective") or ""),
        etag=etag if is_usable(etag) else "",
        last_modified=last_modified if is_usable(last_modified) else "",
        size_delivered=_size(size),
        content_type=str(row.get("content_type") or "") or None,
        sha256=str(row.get("sha256") or ""),
        filename_effective=str(row.get("filename_effective") or ""),
    )


def _size(value: Any) -> int | None:
    """Return a size in bytes; None for any value that is not one."""
    if isinstance(value, int):
        return value if 0 <= value < MAX_SIZE else None
    if isinstance(value, str) and len(value) < SIZE_DIGITS and value.isascii() and value.isdecimal():
        return int(value)
    return None


def is_same(previous: CachedVersion, record: Record) -> bool:
    """Whether a page is unchanged, according to the first of these that is known: the status 304, the hash,
    the entity tag, the size."""
    extra = record.extra
    if extra.get("not_modified"):
        return True
    if previous.sha256 and extra.get("sha256"):
        return bool(previous.sha256 == extra["sha256"])
    if previous.etag and extra.get("etag"):
        return bool(previous.etag == extra["etag"])
    return previous.size_delivered == record.size_delivered
