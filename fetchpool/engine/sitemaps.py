"""Fetches sitemaps for `--sitemap`, one after the other, for the thread that reads the inputs.

In: the run's configuration and URLs. Out: the bytes of sitemaps, as they arrive. A fetch uses the run's
settings for requests, retries and delays, but has no row and no archive record, and saves no body."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import CancelledError
from threading import Event
from time import monotonic

from msgspec.structs import replace

from fetchpool.config.run_config import RunConfig
from fetchpool.http.exchange import Exchange
from fetchpool.http.streamed_body import ContentStream, streamed
from fetchpool.model import derive, urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.errors import PoolClosedError
from fetchpool.model.record import Record
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.pools.thread import ThreadPool
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.sources.input_file import CHUNK, InputReadError
from fetchpool.sources.sitemap import FetchedSitemap, FetchInterrupted
from fetchpool.sources.sitemap_parser import SitemapError
from fetchpool.transports import watchdog
from fetchpool.transports.base import Steps

MAX_BYTES = 64 << 20
"""Maximum size of a sitemap as received, in bytes; the protocol allows 50 MB."""


class PoolSitemapFetcher:
    """Fetches sitemaps with a pool of its own, which has one worker."""

    def __init__(self, config: RunConfig) -> None:
        self._options = replace(
            config.fetch,
            method="GET",
            body=b"",
            accept=(),
            no_follow=False,
            report_cookies=False,
            parse=(),
            hash=False,
            save="",
            validators=False,
            max_filesize=None,
        )
        self._retry = RetryPolicy(
            retry=config.retry,
            retry_delay=config.retry_delay,
            retry_max_time=config.retry_max_time,
            retry_after_max=config.retry_after_max,
        )
        self._interval = max(config.host_delay, 1 / config.rate if config.rate else 0.0)
        self._next_start = 0.0
        self._pool: ThreadPool | None = None
        self._stream: ContentStream | None = None
        """Where the content of the current response goes."""
        self._closed = Event()

    def fetch(self, url: str, index: FetchedSitemap | None, /) -> FetchedSitemap:
        """Return a sitemap that is fetched, with retries, while it is read. Raises `InputReadError`."""
        request = replace(urls.request(-1, url), method="GET", capture_bytes=MAX_BYTES + 1)
        name = escape_invisible(urls.redact(url))
        if request.error is not None:
            raise InputReadError(f"{name}: {request.error_message or request.error.message}")
        if index is not None:
            request = derive.listed_by(request, index.origin, from_public=index.is_public)
        fetched = FetchedSitemap(urls.origin(request.href) if index is None else index.origin)
        fetched.attempts = self._attempts(name, request, fetched)
        return fetched

    def close(self) -> None:
        """Abort the current fetch. Idempotent."""
        self._closed.set()
        if self._pool is not None:
            self._pool.shutdown(abort=True)

    def _attempts(
        self, name: str, request: FetchRequest, fetched: FetchedSitemap
    ) -> Iterator[Iterator[bytes]]:
        """Yield the pieces of each attempt. After `FetchInterrupted` there is another one."""
        started = monotonic()
        delays: list[float] = []
        while not delays or not self._closed.wait(delays.pop()):
            self._closed.wait(max(0.0, self._next_start - monotonic()))
            self._next_start = monotonic() + self._interval
            yield self._pieces(name, request, fetched, started, delays)
            if not delays:
                return
            request = derive.again(request)

    def _pieces(
        self, name: str, request: FetchRequest, fetched: FetchedSitemap, started: float, delays: list[float]
    ) -> Iterator[bytes]:
        """Yield the content of one attempt as it arrives. Raises `FetchInterrupted` after adding the delay
        before another attempt, `SitemapError` if it is too large, and otherwise `InputReadError`."""
        size = 0
        try:
            self._stream = stream = ContentStream()
            try:
                future = self._opened().submit(request)
                future.add_done_callback(lambda _: stream.end())
                while piece := stream.read(CHUNK):
                    size += len(piece)
                    if size > MAX_BYTES:
                        raise SitemapError("is too large; the rest is not read")
                    fetched.is_public = (
                        stream.is_public if stream.is_public is not None else is_public(future.result())
                    )
                    yield piece
                outcome = future.outcome()
            finally:
                stream.close()
        except (PoolClosedError, CancelledError) as failure:
            raise InputReadError("the sitemaps were not read to their end") from failure
        except OSError as failure:
            raise InputReadError(f"{name}: no temporary file can be written: {failure.strerror}") from failure
        fetched.is_public = is_public(outcome.record)
        if outcome.record.error is None:
            return
        delay = self._retry.delay(request, outcome, monotonic() - started)
        if delay is not None and not self._closed.is_set():
            delays.append(delay)
            raise FetchInterrupted
        raise InputReadError(f"{name}: the sitemap could not be fetched: {outcome.record.errormsg}")

    def _opened(self) -> ThreadPool:
        """Return the pool, which is opened for the first sitemap."""
        if self._pool is None:
            exchange = Exchange(self._options, watchdog.shared().clock.now)
            inner = exchange.steps

            def steps(request: FetchRequest) -> Steps:
                assert self._stream is not None
                return streamed(inner(request), self._stream, self._options)

            exchange.steps = steps
            self._pool = ThreadPool(1, self._options, exchange=exchange)
        if self._closed.is_set():
            self._pool.shutdown(abort=True)
        return self._pool


def is_public(record: Record) -> bool:
    """Whether the server has a public address."""
    return record.remote_ip is not None and address_is_public(record.remote_ip)
