"""Limits a source to its first URLs (`--limit N`).

In: a source. Out: the same requests, in the same order, up to a number. Nothing more is read from a source
that reads only on request."""

from __future__ import annotations

from collections.abc import Callable

from fetchpool.model.request import FetchRequest
from fetchpool.sources.base import Source


class LimitedSource:
    """A `Source` that ends after a number of requests."""

    def __init__(self, source: Source, limit: int) -> None:
        self._source = source
        self._left = self._limit = limit
        self.lazy = source.lazy
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = source.bytes_total
        self.failure: str | None = None
        self.notices = source.notices

    def start(self, notify: Callable[[], None]) -> None:
        self._source.start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """Return requests until the limit is reached."""
        source = self._source
        requests = source.take(min(limit, self._left)) if self._left else []
        self._left -= len(requests)
        self.exhausted = source.exhausted or not self._left
        self.failure = source.failure
        self.bytes_read = source.bytes_read
        taken = self._limit - self._left
        if source.bytes_total is not None and taken:
            # The total is estimated from the share of bytes that was read.
            self.bytes_total = min(source.bytes_total, self.bytes_read * self._limit // taken)
        return requests

    def close(self) -> None:
        self._source.close()
