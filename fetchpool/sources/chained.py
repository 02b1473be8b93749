"""Reads one source after the other, as a single list. In: sources. Out: their requests, numbered
consecutively.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from fetchpool.model.request import FetchRequest
from fetchpool.sources.base import Source


class ChainedSource:
    """A `Source` over several sources."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """`sources`: at least one."""
        self._sources = list(sources)
        self._current = 0
        self._taken = 0
        self._before = 0
        """The number of requests of the sources before the current one."""
        self._notify: Callable[[], None] | None = None
        self.lazy = any(source.lazy for source in sources)
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices: list[str] = []

    def start(self, notify: Callable[[], None]) -> None:
        """Start the first source; each of the others is started when its turn comes."""
        self._notify = notify
        self._sources[0].start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """Return requests of the current source."""
        source = self._sources[self._current]
        requests = source.take(limit)
        if self._before:
            requests = [replace(each, urlnum=each.urlnum + self._before) for each in requests]
        self._taken += len(requests)
        self.notices += source.notices
        source.notices.clear()
        if source.exhausted:
            self.failure = "; ".join(filter(None, (self.failure, source.failure))) or None
            self._current += 1
            if self._current == len(self._sources):
                self._current -= 1
                self.exhausted = True
            else:
                self._before = self._taken
                assert self._notify is not None
                self._sources[self._current].start(self._notify)
                return requests or self.take(limit)
        return requests

    def close(self) -> None:
        for source in self._sources:
            source.close()
