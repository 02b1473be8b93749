"""Opens a crawl: its start URLs, its rules and its frontier.

In: the configuration and the source of the start URLs. Out: the crawl, whose frontier replaces the source,
and the options of its workers.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event
from typing import TYPE_CHECKING

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.config.run_config import RunConfig
from fetchpool.engine.crawl import Crawl
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.failed_urls import FailedUrls
from fetchpool.history.frontier import Frontier, check_first_line, start_urls
from fetchpool.history.frontier_file import frontier_path, open_frontier
from fetchpool.model import urls
from fetchpool.model.request import FetchRequest
from fetchpool.sinks.base import WrittenFirst
from fetchpool.sources.arguments import is_url
from fetchpool.sources.base import Source

if TYPE_CHECKING:  # loaded only with --links
    from fetchpool.engine.link_log import LinkLog
    from fetchpool.scheduler.robots import RobotsCache

BATCH = 10_000
AUTO = "auto"


class CrawlParts:
    """The parts of a crawl that the rest of the run needs."""

    def __init__(self, config: RunConfig, source: Source) -> None:
        """Open the frontier, then read the start URLs to their end. Raises `UsageError`."""
        assert config.fetch.crawl is not None
        outputs = tuple(output.path for output in config.outputs)
        path = frontier_path(outputs, config.frontier)
        self.file = open_frontier(path, outputs, resume=config.resume, overwrite=config.overwrite)
        try:
            check_first_line(self.file)
            if has_inputs(config, source):
                self._starts = read_to_end(source)
            else:
                source.close()
                self._starts = [
                    urls.request(number, href) for number, href in enumerate(start_urls(self.file))
                ]
        except BaseException:
            self.file.close()
            raise
        self._failure = source.failure
        hrefs = [start.href for start in self._starts if start.error is None]
        self._sitemaps = tuple(sitemaps_of(config.sitemap, hrefs))
        # Without a start URL the scope is measured from the sitemaps.
        self._rules = replace(config.fetch.crawl, starts=tuple(dict.fromkeys(hrefs or self._sitemaps)))
        self._config = config
        self._log: LinkLog | None = None

    def open_links(self, known: DuplicateFilter) -> None:
        """Open the outputs of links, if there are any. Raises `UsageError` and `OutputError`."""
        config = self._config
        if config.links:
            from fetchpool.engine.link_log import open_link_log

            self._log = open_link_log(
                config.links,
                known,
                resume=config.resume,
                ids=self._rules.want_fragments,
                max_depth=config.depth,
            )

    def mark_disallowed(self, robots: RobotsCache) -> None:
        """Have the outputs of links mark the links that `robots.txt` disallows."""
        if self._log is not None:
            self._log.mark_disallowed(robots)

    @property
    def written_first(self) -> tuple[WrittenFirst, ...]:
        """The files that are written before the rows."""
        return (self.file,) if self._log is None else (self.file, *self._log.sinks)

    def close(self) -> None:
        """Close the files."""
        for each in self.written_first:
            each.close()

    def fetch_options(self, fetch: FetchOptions) -> FetchOptions:
        """Return the options of the workers. They follow no redirects: a crawl treats a redirect as a
        link."""
        return replace(fetch, crawl=self._rules, no_follow=True)

    def frontier(self, known: DuplicateFilter) -> Frontier:
        """Return the frontier. `known`: the filter of its URLs."""
        config = self._config
        frontier = Frontier(self.file, known, max_depth=config.depth, max_pages=config.max_pages)
        frontier.failure = self._failure
        return frontier

    def crawl(self, frontier: Frontier, known: DuplicateFilter) -> Crawl:
        """Return the crawl with this frontier."""
        config = self._config
        return Crawl(
            frontier,
            known,
            self._rules,
            self._starts,
            sitemaps=self._sitemaps,
            reads_sitemaps=config.robots_sitemaps,
            max_per_pattern=config.max_per_pattern,
            has_proxy=config.fetch.has_proxy,
            max_redirs=config.fetch.max_redirs,
            log=self._log,
        )


def start_config(config: RunConfig) -> RunConfig:
    """Return the configuration for reading the start URLs. It lacks sitemaps given as URLs, which the crawl
    fetches itself."""
    files = [place for place in config.sitemap if place != AUTO and not is_url(place)]
    return replace(config, sitemap=tuple(files))


def sitemaps_of(places: Sequence[str], starts: Sequence[str]) -> list[str]:
    """Return the URLs of the sitemaps given by the user; `auto` is the /sitemap.xml of each start URL's
    host."""
    found: list[str] = []
    for place in places:
        if place == AUTO:
            found += [f"{urls.origin(href)}/sitemap.xml" for href in starts]
        elif is_url(place) and isinstance(url := urls.parse_line(place), urls.Url):
            found.append(url.href)
    return list(dict.fromkeys(found))


def has_inputs(config: RunConfig, source: Source) -> bool:
    """Whether the user has given start URLs. `--retry-failed` needs none: the frontier has those of the
    crawl."""
    return bool(config.inputs or config.sitemap) or not isinstance(source, FailedUrls)


def read_to_end(source: Source) -> list[FetchRequest]:
    """Return all requests of a source, and close it."""
    more = Event()
    requests: list[FetchRequest] = []
    try:
        source.start(more.set)
        while not source.exhausted:
            more.clear()
            found = source.take(BATCH)
            requests += found
            if not found and not source.exhausted:
                more.wait()
    finally:
        source.close()
    return requests
