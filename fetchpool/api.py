"""The API for programs: `fetch()` for a list, `Pool` for one URL at a time.

Both take the options of the command line under the same names and with the same checks; the command line uses
the same functions.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
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

OF_THE_PARENT = "this {} belongs to the parent process of this fork; create another one"


def fetch(
    urls: Iterable[str],
    *,
    workers: int | str = 10,
    executor: str = "thread",
    **settings: Unpack[FetchSettings],
) -> Iterator[Record]:
    """Fetch every URL and yield its row when it is final: in the order of completion, one per distinct URL,
    or, with `dedupe=False`, one per element.

    Lazy on both sides: `urls` is read as workers become free, and the run pauses while the caller processes a
    record and the workers have nothing more to do. A list or another collection is read in the caller's
    thread, any other iterable in a thread of its own, so that it may block, even until the caller continues.
    Leaving the loop early cancels the requests in flight and closes everything; an iterable that blocks for
    ever is abandoned, in a daemon thread.

    Raises `UsageError` for an invalid option. The failure of a URL is in its row.
    """
    given = {"workers": workers, "executor": executor, **settings}
    with forks.none_meanwhile():
        config = configure(**_checked("fetch", given, Scope.POOL, Scope.FETCH))
    return _records(config, IterableSource(urls, with_line="line" in config.fetch.keep))


def _checked(function: str, given: Mapping[str, object], *scopes: Scope) -> dict[str, Any]:
    """Return the given options, each of the type that it accepts. Raises `UsageError`, and for an unknown
    name the `TypeError` that Python raises."""
    known = {option.name: option for option in in_scope(*scopes)}
    for name in given.keys() - known.keys():
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}{_hint(name, known)}")
    types = {name: known[name].type for name in given}
    return {
        name: value if types[name].checks_type else validate.check_type(name, value, types[name].accepts)
        for name, value in given.items()
    }


def _hint(name: str, known: Collection[str]) -> str:
    """Return what an unknown keyword argument may stand for: an option of another program, or a typing
    error."""
    from fetchpool.config.other_programs.table import foreign  # loaded for this message only

    option = None if name.removesuffix("s") in known else foreign(f"--{name.replace('_', '-')}")
    suggestion = option.keyword if option else closest(name, known)
    if suggestion in known:
        return f". Did you mean {suggestion!r}?"
    return f"; {option.answer}" if option else ""


def _records(config: RunConfig, source: Source) -> Iterator[Record]:
    collected = RecordQueue()
    with forks.none_meanwhile():
        engine = build(config, source=source, sinks=[collected])  # when the caller asks for the first record
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
        if generation == forks.generation:  # else the run continues in the parent
            call_outside(close)


class RecordQueue:
    """A sink that stores the records until the caller takes them."""

    name = "the caller"
    is_nonblocking = False

    def __init__(self) -> None:
        self.records: deque[Record] = deque()

    def write(self, records: Sequence[Record]) -> None:
        self.records.extend(records)

    def flush(self) -> None: ...

    def close(self) -> None: ...


class Pool:
    """Workers that fetch single URLs, without retries and limits per host, which only `fetch()` has.

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
        with forks.none_meanwhile():
            config = configure(**_checked("Pool", given, Scope.POOL))
            self._pool = open_pool(config.executor, config.workers, config.fetch, processes=config.processes)
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
            raise PoolClosedError(OF_THE_PARENT.format("pool"))
        return self._pool.submit(url_parser.request(next(self._urlnums), url.strip()))

    def shutdown(self, *, abort: bool = False) -> None:
        """Wait for the submitted requests; with `abort` cancel them. Idempotent. In a future's callback it
        does not wait: the pool closes when the last request has completed."""
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


# Appended from the table of options, so that `help(fetchpool.fetch)` lists every option.
fetch.__doc__ = f"{getdoc(fetch)}\n\n{docstring(in_scope(Scope.POOL, Scope.FETCH))}"
Pool.__doc__ = f"{getdoc(Pool)}\n\n{docstring(in_scope(Scope.POOL))}"
