"""RunConfig: the checked configuration of a run. Made by `configure()`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.outputs import Output
from fetchpool.model.shard import Shard

if TYPE_CHECKING:  # loaded only with the executor
    from fetchpool.config.cluster_options import ClusterTarget


class RunConfig(Struct, frozen=True, kw_only=True):
    """The checked configuration of a run. Times are seconds, sizes bytes."""

    fetch: FetchOptions = FetchOptions()
    inputs: tuple[str, ...] = ()
    """Paths, `-` for standard input; empty if a program passes the URLs itself."""
    outputs: tuple[Output, ...] = ()
    workers: int = 10
    auto_workers: bool = False
    """Whether the number of workers is adapted (`-w auto`) up to `workers`."""
    max_workers: int | None = None
    """Maximum number of workers that can be set during the run; None is the default."""
    ceiling: int | None = None
    """The number of workers that the pool is opened for; None is `workers`."""
    paused: bool = False
    """Whether the run begins paused."""
    fd_limited: bool = False
    """Whether `workers` was reduced because of the limit of open files."""
    executor: str = "thread"
    processes: int | None = None
    """Number of processes that share the fetches; None unless the executor is `process`."""
    cluster: ClusterTarget | None = None
    """The address of the cluster; None unless the executor is `cluster`."""
    cluster_wait: float = 300.0
    """Maximum time to wait for a worker while the cluster has none."""
    workers_by_cluster: bool = False
    """Whether `workers` depends on the number of workers in the cluster."""
    retry: int = 2
    """Maximum number of retries per URL."""
    retry_delay: float = 1.0
    """Upper limit of the first, random backoff; it doubles per retry."""
    retry_max_time: float | None = None
    """No retry starts later than this after the URL's first attempt; None is no limit."""
    per_host: int | None = 10
    """Maximum number of concurrent fetches per host; None is no limit."""
    host_delay: float = 0.0
    """Minimum delay between two requests to the same host."""
    rate: float | None = None
    """Maximum number of requests per second over all hosts; None is no limit."""
    retry_after_max: float = 300.0
    """Upper limit for a server's `Retry-After`."""
    robots: bool = False
    """Whether `robots.txt` is obeyed."""
    max_runtime: float | None = None
    """The run is stopped after this time, as by a first Ctrl-C; None is no limit."""
    max_failures: int | None = None
    """The run is stopped after this many failed URLs; None is no limit."""
    dedupe: bool = True
    """Whether duplicate URLs are fetched only once."""
    overwrite: bool = False
    """Whether existing outputs are replaced; otherwise rows are appended."""
    resume: bool = False
    """Whether URLs that the outputs already contain are skipped."""
    retry_failed: frozenset[str] = frozenset()
    """Errors whose rows are retried in a resumed run."""
    recursive: bool = False
    """Whether links are followed. Then `fetch.crawl` has the rules."""
    depth: int | None = None
    """Maximum number of links from a start URL; None is no limit."""
    max_pages: int | None = None
    """Maximum number of rows of a crawl, including those of earlier runs; None is no limit."""
    max_per_pattern: int | None = None
    """Maximum number of URLs of one pattern, such as /calendar?month=N; None is no limit."""
    links: str = ""
    """The path for every link of a crawl; empty without one."""
    frontier: str = ""
    """The file of the URLs of a crawl; empty for its usual name, next to the first output."""
    robots_sitemaps: bool = True
    """Whether a crawl reads the sitemaps listed in `robots.txt`."""
    seen_memory: int = DEFAULT_MEMORY
    """Memory for duplicate detection; beyond it a temporary file is used."""
    url_column: str | None = None
    """The column of the URL if inputs are tables; None if every line is a URL."""
    keep_columns: bool = False
    """Whether the other columns are copied to the rows."""
    cookie_jar: str = ""
    """The file for the cookies that all URLs share; empty if they share none."""
    encoding: str = ""
    """The encoding of the inputs; empty to detect it for each."""
    delimiter: str = ""
    """The delimiter of CSV and TSV inputs; empty to detect it from the first line."""
    sitemap: tuple[str, ...] = ()
    """Paths and URLs of sitemaps, whose URLs follow those of the inputs."""
    shard: Shard | None = None
    """The part of the hosts that are fetched; None for all."""
    limit: int | None = None
    """Maximum number of URLs to read; None is no limit."""
    refresh: str = ""
    """An earlier output whose URLs are requested conditionally; empty without one."""
    refresh_in_place: bool = False
    """Whether `refresh` is an output, too. Such a run cannot be resumed: every URL already has a row."""
    warc: str = ""
    """The WARC file for all requests and responses; empty without one."""
    warc_max_size: int | None = 1 << 30
    """A new WARC file is started at this size; None is no limit."""
    progress: bool | Callable[[Any], object] = False
    """The progress that a program wants: a display, or a function that is called with snapshots."""
    extra_fields: tuple[str, ...] = ()
    """Fields that options add to the rows, in order."""
    fields: tuple[str, ...] = ()
    """The only fields of the rows, in this order; empty for all of them."""
    write_out: str = ""
    """The template of text rows; empty for the usual ones."""
    notices: tuple[str, ...] = ()
    """Messages to show before the run, one line each."""
