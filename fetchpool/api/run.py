"""`fetch()`: fetches a list of URLs and returns an iterator over their rows. In: an iterable of URLs and
options. Out: the rows of a `Run`, which advances in the caller's thread.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Sequence
from contextlib import ExitStack
from inspect import getdoc
from typing import Unpack

from fetchpool.api.arguments import run_config
from fetchpool.api.keywords import in_keywords
from fetchpool.api.log import open_log
from fetchpool.api.progress import open_progress
from fetchpool.api.rows import Controls, Rows, with_max_workers
from fetchpool.config.describe import docstring
from fetchpool.config.option import Scope
from fetchpool.config.options.table import in_scope
from fetchpool.config.run_config import RunConfig
from fetchpool.config.settings import FetchSettings
from fetchpool.engine.build import build
from fetchpool.model.errors import ClusterLostError, PoolClosedError
from fetchpool.model.record import Record
from fetchpool.runtime import forks
from fetchpool.runtime.collector import call_outside
from fetchpool.runtime.exit_hooks import at_exit
from fetchpool.sources.base import Source
from fetchpool.sources.iterable import IterableSource

NOT_IN_CHILD = "this {} belongs to the parent process of this fork; create another one"


def fetch(
    urls: Iterable[str],
    *,
    workers: int | str = 10,
    executor: str = "thread",
    **settings: Unpack[FetchSettings],
) -> Rows:
    """Fetch every URL and yield its row when it is final: in the order of completion, one per distinct URL,
    or, with `dedupe=False`, one per element.

    Lazy on both sides: `urls` is read as workers become free, and the run pauses while the caller processes a
    record and the workers have nothing more to do. A list or another collection is read in the caller's
    thread, any other iterable in a thread of its own, so that it may block, even until the caller continues.
    Leaving the loop early cancels the requests in flight and closes everything; an iterable that blocks
    forever is abandoned, in a daemon thread. The iterator's `pause()`, `resume()`, `resize()` and `stop()`
    steer the run, from any thread.

    Raises `UsageError` for an invalid option. The failure of a URL is in its row.
    """
    given = {"workers": workers, "executor": executor, **settings}
    config = run_config("fetch", given, Scope.POOL, Scope.FETCH)
    source = IterableSource(urls, with_line="line" in config.fetch.keep)
    config = with_max_workers(config)
    controls = Controls(config)
    return Rows(_records(config, source, controls), controls)


def _records(config: RunConfig, source: Source, controls: Controls) -> Generator[Record, None, None]:
    run = Run(config, source, controls)  # when the caller asks for the first record
    try:
        while not run.done:
            records = run.step()
            while records:
                yield records.popleft()
    finally:
        call_outside(run.close)


class Run:
    """A run whose rows are returned to the program."""

    def __init__(self, config: RunConfig, source: Source, controls: Controls) -> None:
        self._collected = RecordList()
        self._stack = ExitStack()
        with forks.none_meanwhile(), in_keywords():
            observers = [*open_progress(config.progress, self._stack), *open_log(config, self._stack)]
            self._engine = build(config, source=source, sinks=[self._collected], observers=observers)
        self._forget = at_exit(self._engine.close)
        self._generation = forks.generation
        self._controls = controls
        controls.connect(self._engine.steer)

    @property
    def done(self) -> bool:
        """Whether all rows have been returned."""
        return self._engine.done

    def step(self) -> deque[Record]:
        """Let the run continue until the next event, and return the rows that are final. Raises
        `PoolClosedError` in a forked child."""
        if self._generation != forks.generation:
            raise PoolClosedError(NOT_IN_CHILD.format("run"))
        with in_keywords():
            self._engine.step()
            records = self._collected.take()
            if self._engine.done and not records and self._engine.lost:
                raise ClusterLostError(f"--cluster: {self._engine.lost}")
        return records

    def abort(self) -> None:
        """Cancel the requests in flight. Any thread may call it."""
        self._engine.abort()

    def close(self) -> None:
        """Cancel the requests in flight and close everything. Does nothing in a forked child: the run
        continues in the parent."""
        if self._generation == forks.generation:
            self._forget()
            self._controls.disconnect()
            with self._stack:
                self._engine.close()


class RecordList:
    """A sink that stores records until the caller takes them."""

    name = "the caller"
    is_nonblocking = False

    def __init__(self) -> None:
        self._records: deque[Record] = deque()

    def take(self) -> deque[Record]:
        """Remove and return the records."""
        records, self._records = self._records, deque()
        return records

    def write(self, records: Sequence[Record]) -> None:
        self._records.extend(records)

    def flush(self) -> None: ...

    def close(self) -> None: ...


# Appended from the table of options, so that `help(fetchpool.fetch)` lists every option.
fetch.__doc__ = f"{getdoc(fetch)}\n\n{docstring(in_scope(Scope.POOL, Scope.FETCH))}"
