"""Reads requests from a source in batches, and estimates how many there are.

In: a source, and the rows of earlier runs. Out: requests to fetch, in input order, without duplicates and
without URLs that an earlier run has finished. Only the engine's thread calls it; it starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from fetchpool.engine.stats import Stats
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.request import FetchRequest
from fetchpool.sources.base import Source

if TYPE_CHECKING:  # loaded only for a crawl
    from fetchpool.engine.crawl import Crawl, CrawlResult

MIN_BATCH = 64
"""Minimum number of requests to read at once, since a batch has a cost of its own."""

BLOCKS = 8
"""Blocks of rows, or of lines of a frontier, loaded in one iteration of the engine. They take milliseconds,
so that commands are not delayed; with one block each, loading takes a tenth longer."""


class RequestReader:
    """Reads requests from a source and drops duplicates and finished URLs."""

    def __init__(
        self, source: Source, known: DuplicateFilter, stats: Stats, crawl: Crawl | None = None
    ) -> None:
        """`crawl`: if the source is its frontier."""
        self._crawl = crawl
        self._source = source
        self._known = known
        self._stats = stats
        self._read = 0
        self.loading = True
        """Whether rows of earlier runs are still to be loaded: `read()` must not be called."""
        self.short_read = False
        """Whether the source returned fewer requests than asked for, so that reading may be slow."""
        self.has_notices = False
        """Whether the source has notices."""

    def start(self, wake: Callable[[], None]) -> None:
        """Start reading. `wake` is called, from any thread, when there is more to read."""
        self._source.start(wake)

    def load_history(self) -> str | None:
        """Load some rows of earlier runs. After the last of them, return a notice if some were unreadable."""
        for _ in range(BLOCKS):
            self.loading = self._known.load()
            if not self.loading and self._crawl is not None:
                self.loading = self._crawl.begin(self._stats)
            if not self.loading:
                break
        if self.loading or not self._known.corrupt_rows:
            return None
        lines = "line" if self._known.corrupt_rows == 1 else "lines"
        return f"ignored {self._known.corrupt_rows:,} unreadable {lines}"

    def read(self, limit: int, window: int, free: int) -> tuple[list[FetchRequest], bool]:
        """Return at most `limit` requests to fetch, and whether more can be read at once. Of `window`
        requests that may be in flight, `free` can start now."""
        wanted = min(limit, free if self._source.lazy else _batch_size(window))
        batch = self._source.take(wanted)
        requests, finished = self._known.filter(batch)
        self._read += len(requests) + len(finished)
        self._stats.add_earlier(finished)
        self.has_notices = len(self._source.notices) > 0
        self.short_read = len(batch) < wanted
        return requests, bool(batch) and (self.short_read or not requests)

    def has_batch(self, limit: int, window: int) -> bool:
        """Whether a full batch, of at most `limit` requests, may be read ahead; false for a lazy source."""
        source = self._source
        return limit >= _batch_size(window) and not source.lazy and not source.exhausted

    @property
    def rows_read(self) -> int:
        """Number of rows of earlier runs that were loaded."""
        return self._known.rows_read

    @property
    def exhausted(self) -> bool:
        """Whether the input was read to its end."""
        return self._source.exhausted

    def take_notices(self) -> list[str]:
        """Remove and return the source's notices."""
        notices = list(self._source.notices)
        self._source.notices.clear()
        return notices

    @property
    def failure(self) -> str | None:
        """Why an input could not be read to its end, in one line."""
        return self._source.failure

    @property
    def duplicates(self) -> int:
        """Number of duplicate URLs that were dropped."""
        return self._known.duplicates

    @property
    def crawl_result(self) -> CrawlResult | None:
        """The result of a crawl; None for a list."""
        return None if self._crawl is None else self._crawl.result

    def estimate_total(self) -> tuple[int | None, bool]:
        """Return the number of URLs in the input, or None if nothing is known, and whether it is exact. The
        estimate is based on the share of bytes read so far."""
        source = self._source
        if self._crawl is not None:
            return self._crawl.estimate_total(), False
        if source.exhausted:
            return self._read, True
        if not source.bytes_total or not source.bytes_read:
            return None, False
        return max(self._read, round(self._read * source.bytes_total / source.bytes_read)), False

    def close(self) -> None:
        self._source.close()


def _batch_size(window: int) -> int:
    """Return the number of requests to read at once, of a source that is not lazy."""
    return max(MIN_BATCH, 2 * window)
