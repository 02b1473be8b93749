"""Fetches sitemaps for `--sitemap`, one after the other, in the thread that reads the inputs.

In: the run's configuration and URLs. Out: the bytes of sitemaps. A fetch has the run's own settings for
requests, retries and delays, but no row, no record in an archive, and nothing is saved."""

from __future__ import annotations

from threading import Event
from time import monotonic

from msgspec.structs import replace

from fetchpool.config.run_config import RunConfig
from fetchpool.model import derive, urls
from fetchpool.model.addresses import address_is_public
from fetchpool.model.errors import PoolClosedError
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.pools.base import Pool
from fetchpool.pools.open import open_pool
from fetchpool.scheduler.retry import RetryPolicy
from fetchpool.sources.input_file import InputReadError
from fetchpool.sources.sitemap import FetchedSitemap

MAX_BYTES = 64 << 20
"""Bytes of a sitemap as it is received; the protocol allows 50 MB."""


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
        self._pool: Pool | None = None
        self._closed = Event()

    def fetch(self, url: str, index: FetchedSitemap | None, /) -> FetchedSitemap:
        """Fetch a sitemap, with retries. Raises `InputReadError`."""
        request = replace(urls.request(-1, url), method="GET", capture_bytes=MAX_BYTES)
        name = escape_invisible(urls.redact(url))
        if request.error is not None:
            raise InputReadError(f"{name}: {request.error_message or request.error.message}")
        if index is not None:
            request = derive.listed_by(request, index.origin, from_public=index.is_public)
        outcome = self._outcome(request)
        record = outcome.record
        if record.error is not None:
            raise InputReadError(f"{name}: the sitemap could not be fetched: {record.errormsg}")
        return FetchedSitemap(
            outcome.content,
            urls.origin(request.href) if index is None else index.origin,
            record.remote_ip is not None and address_is_public(record.remote_ip),
            len(outcome.content) < MAX_BYTES,
        )

    def close(self) -> None:
        """Abort the current fetch. Idempotent."""
        self._closed.set()
        if self._pool is not None:
            self._pool.shutdown(abort=True)

    def _outcome(self, request: FetchRequest) -> Outcome:
        started = monotonic()
        while True:
            self._closed.wait(max(0.0, self._next_start - monotonic()))
            self._next_start = monotonic() + self._interval
            outcome = self._attempt(request)
            delay = self._retry.delay(request, outcome, monotonic() - started)
            if delay is None or self._closed.wait(delay):
                return outcome
            request = derive.again(request)

    def _attempt(self, request: FetchRequest) -> Outcome:
        try:
            if self._pool is None:
                self._pool = open_pool("thread", 1, self._options)
            if self._closed.is_set():
                self._pool.shutdown(abort=True)
            future = self._pool.submit(request)
            future.result()
        except PoolClosedError as failure:
            raise InputReadError("the sitemaps were not read to their end") from failure
        return future.outcome()
