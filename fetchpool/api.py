"""What a program calls: `fetch()` for a list, `Pool` for one URL at a time.

Both take the command line's options under the same names and refuse the same; the command line
itself uses nothing more private than they do.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from inspect import getdoc
from itertools import count
from types import TracebackType
from typing import Any, Unpack

from fetchpool.config import validate
from fetchpool.config.configure import configure
from fetchpool.config.describe import docstring
from fetchpool.config.option import Scope
from fetchpool.config.options import in_scope
from fetchpool.config.run_config import RunConfig
from fetchpool.config.settings import FetchSettings, PoolSettings
from fetchpool.engine.build import build
from fetchpool.model import urls as url_parser
from fetchpool.model.closest import closest
from fetchpool.model.errors import PoolClosedError
from fetchpool.model.record import Record
from fetchpool.pools.open import open_pool
from fetchpool.runtime import forks
from fetchpool.runtime.collector import call_outside
from fetchpool.runtime.exit_hooks import at_exit
from fetchpool.sources.base import Source
from fetchpool.sources.iterable import IterableSource

OF_THE_PARENT = "this {} belongs to the process that this one was forked from; begin another one"


def fetch(
    urls: Iterable[str],
    *,
    workers: int | str = 10,
    executor: str = "thread",
    **settings: Unpack[FetchSettings],
) -> Iterator[Record]:
    """Fetches every URL and yields its row when it is final: in the order they end, one per distinct
    URL, or, with `dedupe=False`, one per element.

    Lazy on both sides: `urls` is read as workers become free, and nothing goes on while the caller holds
    a record for longer than the workers have something to do. A list or the like is read in the caller's
    thread, any other iterable in one of its own: it may wait, also for the caller. Leaving the loop early
    ends what is in flight and closes everything; an iterable that waits for ever is left behind, in a
    daemon thread.

    Raises `UsageError` for an option that can't be meant; what goes wrong with a URL is in its row.
    """
    given = {"workers": workers, "executor": executor, **settings}
    with forks.none_meanwhile():
        config = configure(**_checked("fetch", given, Scope.POOL, Scope.FETCH))
    return _records(config, IterableSource(urls))


def _checked(function: str, given: Mapping[str, object], *scopes: Scope) -> dict[str, Any]:
    """What was given, each of the type that its option accepts. Raises the `TypeError` that Python raises for
    a keyword that a function doesn't have, and `UsageError`."""
    known = {option.name: option for option in in_scope(*scopes)}
    for name in given.keys() - known.keys():
        meant = closest(name, known)
        hint = f". Did you mean {meant!r}?" if meant else ""
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{hint}")
    types = {name: known[name].type for name in given}
    return {
        name: value if types[name].checks_type else validate.check_type(name, value, types[name].accepts)
        for name, value in given.items()
    }


def _records(config: RunConfig, source: Source) -> Iterator[Record]:
    collected = RecordQueue()
    with forks.none_meanwhile():
        engine = build(config, source=source, sinks=[collected])  # not before someone asks for a record
    forget = at_exit(engine.close)
    generation = forks.generation

    def close() -> None:
        engine.close()
        forget()

    try:
        while not engine.done:
            if generation != forks.generation:
                raise PoolClosedError(OF_THE_PARENT.format("run"))
            engine.step()
            while collected.records:
                yield collected.records.popleft()
    finally:
        if generation == forks.generation:  # else it goes on, in the parent
            call_outside(close)


class RecordQueue:
    """The sink that keeps what the caller has not taken yet."""

    name = "the caller"
    is_nonblocking = False

    def __init__(self) -> None:
        self.records: deque[Record] = deque()

    def write(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Pool:
    """Workers that fetch what they are given; retries and limits per host are `fetch()`'s.

    with fetchpool.Pool(workers=10) as pool:
        pool.submit("https://example.org/").add_done_callback(lambda f: print(f.result().size_delivered))

    A pool that is forgotten ends what it was given, and closes. One that is open when the program ends is
    aborted then.
    """

    def __init__(
        self, workers: int = 10, *, executor: str = "thread", **settings: Unpack[PoolSettings]
    ) -> None:
        """Raises `UsageError` for an option that can't be meant."""
        given = {"workers": workers, "executor": executor, **settings}
        with forks.none_meanwhile():
            config = configure(**_checked("Pool", given, Scope.POOL))
            self._pool = open_pool(config.executor, config.workers, config.fetch)
        self._urlnums = count()
        self._generation = forks.generation
        self._forget = at_exit(partial(self._pool.shutdown, abort=True))
        for then in (self._forget, self._pool.release):
            weakref.finalize(self, then).atexit = False

    def submit(self, url: str) -> Future[Record]:
        """One attempt, redirects followed. The future's result is the row, failed or not; its only
        exception is `WorkerLostError`. Raises `PoolClosedError` after `shutdown()`."""
        if not isinstance(url, str):
            raise TypeError(f"submit() takes a URL, which is a str, and was given {type(url).__name__}")
        if self._generation != forks.generation:
            raise PoolClosedError(OF_THE_PARENT.format("pool"))
        return self._pool.submit(url_parser.request(next(self._urlnums), url.strip()))

    def shutdown(self, *, abort: bool = False) -> None:
        """Waits for what was submitted; with `abort` ends it. Idempotent. In a future's callback, which
        others wait for, and during a garbage collection it doesn't wait: the pool closes when all has
        ended."""
        if self._generation != forks.generation:
            return  # the workers are the parent's
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


# Appended, as the table of options holds the words: `help(fetchpool.fetch)` lists every option.
fetch.__doc__ = f"{getdoc(fetch)}\n\n{docstring(in_scope(Scope.POOL, Scope.FETCH))}"
Pool.__doc__ = f"{getdoc(Pool)}\n\n{docstring(in_scope(Scope.POOL))}"
