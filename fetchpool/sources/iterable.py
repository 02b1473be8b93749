"""URLs from a program: any iterable of `str`, pulled in the engine's thread, only as far as needed.

In: an iterable, endless ones too. Out: requests. It reads nothing ahead, and an exception of the
iterable's own is the caller's: it comes out of `take()` as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from fetchpool.errors import UsageError
from fetchpool.model import FetchRequest
from fetchpool.urls import request


class IterableSource:
    """A `Source` over an iterable. Every element is a URL and gets its row, an empty one as well."""

    def __init__(self, urls: Iterable[str]) -> None:
        """Raises `UsageError` for a lone `str` or `bytes`, which would be taken letter by letter."""
        if isinstance(urls, str | bytes):
            raise UsageError("urls: one URL where several are expected; put it into a list: [url]")
        self._urls = iter(urls)
        self._taken = 0
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None

    def start(self, notify: Callable[[], None]) -> None:
        """Nothing to start: there is something to take whenever `take()` is called."""

    def take(self, limit: int) -> list[FetchRequest]:
        """The next element, as a request: one at a time, so that a slow generator's first URL is
        fetched while it makes the second. Raises what the iterable raises, and `UsageError` for an
        element that is no `str`."""
        if self.exhausted or limit < 1:
            return []
        for url in self._urls:
            if not isinstance(url, str):
                raise UsageError(
                    f"urls: element {self._taken} is of type {type(url).__name__}; a URL is a str"
                )
            self._taken += 1
            return [request(self._taken - 1, url.strip())]
        self.exhausted = True
        return []

    def close(self) -> None:
        """Takes nothing more. A generator is closed by whoever made it."""
        self._urls = iter(())
