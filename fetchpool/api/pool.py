"""`Pool`: fetches single URLs and returns futures of their rows."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from inspect import getdoc
from itertools import count
from types import TracebackType
from typing import Unpack

from fetchpool.api.arguments import run_config
from fetchpool.api.keywords import in_keywords
from fetchpool.api.run import NOT_IN_CHILD
from fetchpool.config import validate
from fetchpool.config.describe import docstring
from fetchpool.config.option import Scope
from fetchpool.config.options.table import in_scope
from fetchpool.config.settings import PoolSettings
from fetchpool.model import urls as url_parser
from fetchpool.model.errors import PoolClosedError, UsageError
from fetchpool.model.record import Record
from fetchpool.pools.open import open_pool
from fetchpool.runtime import forks
from fetchpool.runtime.collector import call_outside
from fetchpool.runtime.exit_hooks import at_exit


def refuse_string(urls: object) -> None:
    """Raise `UsageError` for a single string, whose characters would be taken for URLs."""
    if isinstance(urls, str | bytes):
        raise UsageError("urls: expected an iterable of URLs, got a single string; pass a list: [url]")


class Pool:
    """Workers that fetch single URLs. Unlike `fetch()`, a pool has no retries and no limits per host.

        with fetchpool.Pool(workers=10) as pool:
            pool.submit("https://example.org/").add_done_callback(lambda f: print(f.result().size_delivered))

    A pool without references completes its requests, and closes. A pool that is open when the program exits
    is aborted.
    """

    def __init__(
        self, workers: int = 10, *, executor: str = "thread", **settings: Unpack[PoolSettings]
    ) -> None:
        """Raises `UsageError` for an invalid option."""
        given = {"workers": workers, "executor": executor, **settings}
        config = run_config("Pool", given, Scope.POOL)
        self._opened_with = self._workers = config.workers
        self._is_paused = False
        with forks.none_meanwhile(), in_keywords():
            self._pool = open_pool(
                config.executor,
                config.workers,
                config.fetch,
                processes=config.processes,
                cluster=config.cluster,
                cluster_wait=config.cluster_wait,
            )
        self._urlnums = count()
        self._generation = forks.generation
        self._forget = at_exit(partial(self._pool.shutdown, abort=True))
        for callback in (self._forget, self._pool.release):
            weakref.finalize(self, callback).atexit = False

    def submit(self, url: str) -> Future[Record]:
        """Make one attempt, following redirects. The future's result is the row, failed or not; its only
        exception is `WorkerLostError`. Raises `PoolClosedError` after `shutdown()`."""
        if not isinstance(url, str):
            raise TypeError(f"submit(): expected a URL as str, got {type(url).__name__}")
        if self._generation != forks.generation:
            raise PoolClosedError(NOT_IN_CHILD.format("pool"))
        return self._pool.submit(url_parser.request(next(self._urlnums), url.strip()))

    def map(self, urls: Iterable[str]) -> Iterator[Record]:
        """Submit every URL and yield the rows in the order of `urls`, which is read only as far ahead as the
        workers need. Leaving the loop early cancels requests that have not started. Raises what `submit()`
        and its futures raise."""
        refuse_string(urls)
        return self._rows(iter(urls))

    def _rows(self, urls: Iterator[str]) -> Iterator[Record]:
        most = self.ahead
        submitted: deque[Future[Record]] = deque()
        try:
            for url in urls:
                submitted.append(self.submit(url))
                if len(submitted) >= most:
                    yield submitted.popleft().result()
            while submitted:
                yield submitted.popleft().result()
        finally:
            for future in submitted:
                future.cancel()

    @property
    def ahead(self) -> int:
        """Number of URLs that `map()` submits before it waits for the first: a slow page delays the rows
        after it, but not their requests."""
        return max(2, 2 * self._pool.max_pending)

    def pause(self) -> None:
        """Start no more requests until `resume()` or `shutdown()`. Those in flight complete, and submitted
        URLs wait."""
        if self._generation == forks.generation and not self._is_paused:
            self._is_paused = True
            self._pool.resize(0)

    def resume(self) -> None:
        """Start requests again."""
        if self._generation == forks.generation and self._is_paused:
            self._is_paused = False
            self._pool.resize(self._workers)

    def resize(self, workers: int) -> None:
        """Set the number of workers, up to the initial number. Raises `UsageError`."""
        with in_keywords():
            number = validate.integer("--workers", workers, 1, self._opened_with)
        if self._generation == forks.generation:
            self._workers = number
            if not self._is_paused:
                self._pool.resize(number)

    def shutdown(self, *, abort: bool = False) -> None:
        """Wait for the submitted requests; with `abort` cancel them. Idempotent. If called in a future's
        callback it does not wait: the pool closes when the last request has completed."""
        if self._generation != forks.generation:
            return  # the workers belong to the parent
        call_outside(partial(self._close, abort=abort))

    def _close(self, *, abort: bool) -> None:
        self._pool.shutdown(abort=abort)
        self._forget()

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown(abort=exc_type is not None)


# Appended from the table of options, so that `help(fetchpool.Pool)` lists every option.
Pool.__doc__ = f"{getdoc(Pool)}\n\n{docstring(in_scope(Scope.POOL))}"
