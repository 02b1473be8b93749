"""The way in: what the list still has to fetch, batch by batch, and how long it is.

In: a source, and what is known of earlier runs. Out: requests that have to be made, in input order,
duplicates and finished ones left out. Only the engine's thread calls it; it starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from fetchpool.engine.stats import Stats
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.model.request import FetchRequest
from fetchpool.sources.base import Source

MIN_BATCH = 64
"""Requests asked for at once, at least: a batch costs more than what is in it."""


class RequestReader:
    """Reads requests from a source and drops duplicates and finished URLs."""

    def __init__(self, source: Source, known: DuplicateFilter, stats: Stats) -> None:
        self._source = source
        self._known = known
        self._stats = stats
        self._read = 0
        self.loading = True
        """What earlier runs have done is not all known yet: nothing may be taken."""
        self.short_read = False
        """The last batch was smaller than asked for: it may have taken its time."""

    def start(self, wake: Callable[[], None]) -> None:
        """`wake` is called, from any thread, when there is more to take."""
        self._source.start(wake)

    def read_back(self) -> str | None:
        """Learns a piece of what earlier runs have done; one line for the person when all is known and
        something of it was damaged."""
        self.loading = self._known.read_back()
        if self.loading or not self._known.damaged:
            return None
        lines = "line" if self._known.damaged == 1 else "lines"
        return f"ignored {self._known.damaged:,} unreadable {lines}"

    def take(self, room: int, window: int, free: int) -> tuple[list[FetchRequest], bool]:
        """At most `room` requests that have to be made, and whether there may be more at once; `free` places
        of the `max_pending` are for requests that start now."""
        wanted = min(room, free if self._source.lazy else max(MIN_BATCH, 2 * window))
        taken = self._source.take(wanted)
        requests, earlier = self._known.filter(taken)
        self._read += len(requests) + len(earlier)
        self._stats.found(earlier)
        self.short_read = len(taken) < wanted
        return requests, bool(taken) and (self.short_read or not requests)

    @property
    def exhausted(self) -> bool:
        """The list was read to its end."""
        return self._source.exhausted

    @property
    def failure(self) -> str | None:
        """An input broke off; one line."""
        return self._source.failure

    def total(self) -> tuple[int | None, bool]:
        """The URLs of the whole input: counted, or estimated from the share of it that was read; and
        which of the two."""
        source = self._source
        if source.exhausted:
            return self._read, True
        if not source.bytes_total or not source.bytes_read:
            return None, False
        return max(self._read, round(self._read * source.bytes_total / source.bytes_read)), False

    def close(self) -> None:
        self._source.close()
