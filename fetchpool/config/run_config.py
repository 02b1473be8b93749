"""RunConfig: a run, checked and settled. Made by `configure()`."""

from __future__ import annotations

from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.outputs import Output


class RunConfig(Struct, frozen=True, kw_only=True):
    """A run, settled. Times are seconds, sizes bytes."""

    fetch: FetchOptions = FetchOptions()
    inputs: tuple[str, ...] = ()
    """Paths, `-` for standard input; empty when a program hands the URLs over itself."""
    outputs: tuple[Output, ...] = ()
    workers: int = 10
    auto_workers: bool = False
    """`-w auto`: `workers` is the ceiling, and how many there are is found out; processes are so many."""
    fd_limited: bool = False
    """There are fewer workers than were wanted: the system allows no more open files."""
    executor: str = "thread"
    retry: int = 2
    """Extra attempts."""
    retry_delay: float = 1.0
    """The first backoff is a random time up to this; each further one up to twice the one before."""
    retry_max_time: float | None = None
    """No attempt of a URL starts later than this after its first one; None is no limit."""
    per_host: int | None = 10
    """Fetches at once from one host; None is no limit."""
    host_delay: float = 0.0
    """Between two starts at one host."""
    rate: float | None = None
    """Starts per second over all hosts; None is no limit."""
    retry_after_max: float = 300.0
    """A server's `Retry-After` beyond it is taken for this much."""
    robots: bool = False
    """`robots.txt` is asked and obeyed."""
    max_runtime: float | None = None
    """The run is stopped then, as by a first Ctrl-C; None is no limit."""
    dedupe: bool = True
    """A URL that the input has several times is fetched once."""
    resume: bool = False
    """What the outputs hold is read back, and not fetched again."""
    retry_failed: frozenset[str] = frozenset()
    """But for rows with these errors; it is resumed then."""
    seen_memory: int = DEFAULT_MEMORY
    """For knowing which URLs there were; beyond it they are on disk."""
    url_column: str | None = None
    """Inputs have columns, and this one holds the URL; None: every line is one."""
    keep_columns: bool = False
    """The others are passed through to the rows."""
    refresh: str = ""
    """An earlier result: what it holds is fetched only if it has changed; empty: there is none."""
    refresh_in_place: bool = False
    """It is an output too, where nothing tells an interrupted run's rows from those before it."""
    warc: str = ""
    """The archive that all that is sent and received goes to; empty: there is none."""
    warc_max_size: int | None = 1 << 30
    """An archive's file that has as many bytes gets no more; None is no limit."""
    extra_fields: tuple[str, ...] = ()
    """What features add to the rows, in order."""
    notices: tuple[str, ...] = ()
    """What the person should know before the run, one line each."""
