"""Reads the URLs of sitemaps (`--sitemap URL|FILE`), including those of an index.

In: the path or URL of a sitemap, and a function that fetches one. Out: batches of URLs. Sitemaps are read one
at a time, each once, and parsed while they are read, also compressed ones. A sitemap that can't be read is
reported, and the others are still read. Sitemaps themselves have no rows."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Protocol

from msgspec import Struct

from fetchpool.model.text import escape_invisible
from fetchpool.model.urls import redact
from fetchpool.sources.arguments import is_url
from fetchpool.sources.batch import UrlBatch, with_lines
from fetchpool.sources.decompress import (
    Chunks,
    DecompressionError,
    bounded,
    by_magic,
    decompressed,
    undecided,
)
from fetchpool.sources.input_file import InputFile, InputReadError
from fetchpool.sources.sitemap_parser import Entry, SitemapError, SitemapParser

MAX_SITEMAPS = 50_000
"""Maximum number of sitemaps to read for each that is given: as many as an index may have."""
MAX_LEVELS = 3
"""Maximum nesting of indexes. The protocol allows one level, and some sites have two."""
MAX_UNPACKED = 1 << 30
"""Maximum size of a fetched sitemap after decompression in bytes; the protocol allows 50 MB."""
SHOWN = 3
"""Maximum number of failures that are reported for one index."""


class FetchInterrupted(Exception):  # noqa: N818 - nothing is wrong, as another attempt follows
    """An attempt to fetch a sitemap has failed, and there is another one."""


class FetchedSitemap(Struct):
    """A sitemap from a server, which is fetched while it is read."""

    origin: str
    """The origin of the URL that the user has given, or of the index."""
    attempts: Iterable[Iterator[bytes]] = ()
    """The content of each attempt to fetch it, in pieces. All but the last end in `FetchInterrupted`."""
    is_public: bool = True
    """Whether its server has a public address. Known when there is a piece."""


class _Progress(Struct):
    """How many URLs of a sitemap the reader has: another attempt to fetch it yields only what follows."""

    yielded: int = 0
    seen: int = 0
    """Number of URLs in the current attempt so far."""


class SitemapFetcher(Protocol):
    """Fetches sitemaps."""

    def fetch(self, url: str, index: FetchedSitemap | None, /) -> FetchedSitemap:
        """Return a sitemap, which `index` may have listed. Raises `InputReadError`, and so do the pieces."""

    def close(self) -> None:
        """Abort the current fetch. Idempotent."""


class SitemapInput:
    """An input whose URLs are those of a sitemap."""

    def __init__(self, place: str, fetcher: SitemapFetcher, *, with_line: bool = False) -> None:
        """Open the sitemap if it is a file. Raises `InputError`."""
        self.columns: list[str] = []
        self.notice = ""
        self.size: int | None = None
        self._place = place
        self._fetcher = fetcher
        self._with_line = with_line
        self._file = None if place != "-" and is_url(place) else InputFile(place, is_sitemap=True)

    def batches(self) -> Iterator[UrlBatch]:
        """Yield the URLs. Raises `InputReadError` at the end if a sitemap could not be read."""
        waiting: deque[tuple[str, int, FetchedSitemap | None]] = deque([(self._place, 0, None)])
        seen = {self._place}
        failures: list[str] = []
        while waiting:
            place, level, index = waiting.popleft()
            children: list[str] = []
            fetched: FetchedSitemap | None = None
            try:
                if self._file is None or level:
                    fetched = self._fetcher.fetch(place, index)
                    yield from self._read_fetched(_shown(place), fetched, children)
                else:
                    chunks = self._file.chunks(as_text=False)
                    yield from self._read(_shown(place), chunks, None, children, _Progress())
            except InputReadError as failure:
                failures.append(str(failure))
            found = [url for url in dict.fromkeys(children) if url not in seen]
            if found and level == MAX_LEVELS:
                failures.append(f"{_shown(place)}: more than {MAX_LEVELS} nested indexes")
                continue
            if len(seen) + len(found) > MAX_SITEMAPS:
                failures.append(f"{_shown(place)}: more than {MAX_SITEMAPS:,} sitemaps; the rest is not read")
                found = found[: MAX_SITEMAPS - len(seen)]
            seen.update(found)
            waiting.extendleft((url, level + 1, fetched or index) for url in reversed(found))
        if failures:
            more = len(failures) - SHOWN
            raise InputReadError(
                "; ".join(failures[:SHOWN]) + (f"; and {more:,} more sitemaps" if more > 0 else "")
            )

    def abort(self) -> None:
        """Abort the current fetch."""
        self._fetcher.close()

    def close(self) -> None:
        self._fetcher.close()
        if self._file is not None:
            self._file.close()

    def _read_fetched(self, name: str, fetched: FetchedSitemap, children: list[str]) -> Iterator[UrlBatch]:
        """Yield the URLs of a sitemap as it arrives, each once, however many attempts that takes."""
        progress = _Progress()
        for content in fetched.attempts:
            progress.seen = 0
            children.clear()
            chunks = _unpacked(content)
            try:
                yield from self._read(name, chunks, fetched, children, progress)
            except FetchInterrupted:
                continue
            finally:
                chunks.close()

    def _read(
        self,
        name: str,
        chunks: Chunks,
        fetched: FetchedSitemap | None,
        children: list[str],
        progress: _Progress,
    ) -> Iterator[UrlBatch]:
        """Yield the URLs of one sitemap; add the sitemaps of an index to `children`."""
        parser = SitemapParser()
        try:
            for chunk, _ in chunks:
                try:
                    entries = parser.feed(chunk)
                except SitemapError:
                    yield from self._batches(
                        name, parser.take(), fetched, children, progress, is_index=parser.is_index
                    )
                    raise
                yield from self._batches(name, entries, fetched, children, progress, is_index=parser.is_index)
            entries = parser.finish()
            yield from self._batches(name, entries, fetched, children, progress, is_index=parser.is_index)
        except (SitemapError, DecompressionError) as failure:
            raise InputReadError(f"{name}: {escape_invisible(str(failure))}") from failure

    def _batches(
        self,
        name: str,
        entries: list[Entry],
        fetched: FetchedSitemap | None,
        children: list[str],
        progress: _Progress,
        *,
        is_index: bool,
    ) -> Iterator[UrlBatch]:
        if is_index:
            children += [url for url, _ in entries[: MAX_SITEMAPS - len(children)]]
            return
        known = progress.yielded - progress.seen
        progress.seen += len(entries)
        progress.yielded = max(progress.yielded, progress.seen)
        if entries := entries[max(0, known) :]:
            found = [url for url, _ in entries]
            batch = UrlBatch(found, 0, sum(map(len, found)), listed_by=_origin(fetched))
            numbers = [line for _, line in entries]
            yield with_lines(batch, name, numbers) if self._with_line else batch


def _origin(fetched: FetchedSitemap | None) -> tuple[str, bool] | None:
    return None if fetched is None else (fetched.origin, fetched.is_public)


def _unpacked(content: Iterator[bytes]) -> Chunks:
    """Yield the pieces of a fetched sitemap, decompressed if necessary. Raises `DecompressionError`."""
    try:
        start = b""
        for piece in content:
            start += piece
            if not undecided(start):
                break
        chunks: Chunks = ((piece, 0) for piece in chain([start], content))
        format = by_magic(start)
        if format is not None:
            chunks = decompressed(format, chunks)
        yield from bounded(chunks, MAX_UNPACKED)
    finally:
        if isinstance(content, Generator):
            content.close()  # a transfer may go on


def _shown(place: str) -> str:
    return "standard input" if place == "-" else escape_invisible(redact(place) if "://" in place else place)
