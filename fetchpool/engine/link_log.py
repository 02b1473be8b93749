"""LinkLog: writes the links of a crawl (`--links`), and the element IDs of its pages (`--check-fragments`).

In: final outcomes of pages, with the links that a worker has found. Out: rows of links, and the ids of each
page, before the page's row is written. Only the engine's thread calls it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic

from fetchpool.crawl.page_links import LinkRow, PageLinks, decode_rows
from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.http.page_links import PAGE_BYTES
from fetchpool.model.crawl_rules import Reason
from fetchpool.model.fingerprint import from_href
from fetchpool.model.link import Link, PageIds
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.scheduler.robots import RobotsCache
from fetchpool.sinks.base import WrittenFirst
from fetchpool.sinks.links.base import LinkSink
from fetchpool.sinks.links.lines import LineSink

MAX_REMEMBERED = 50_000
"""Number of URLs for which the verdict of robots.txt is cached: pages of a site repeat its navigation."""


class LinkLog:
    """The outputs of links of a crawl."""

    def __init__(
        self,
        links: LinkSink,
        ids: LineSink[PageIds] | None,
        known: DuplicateFilter,
        *,
        max_depth: int | None = None,
    ) -> None:
        """`ids`: the file of the element IDs of pages; None if fragments are not checked. `known`: has the
        depth of each URL if there is a `max_depth`."""
        self._known = known
        self._links = links
        self._ids = ids
        self._max_depth = max_depth
        self.is_disallowed: Callable[[str], bool] = lambda _: False
        """Whether robots.txt is known to disallow a URL."""

    def mark_disallowed(self, robots: RobotsCache) -> None:
        """Mark the links that `robots.txt` disallows, as far as it is known when their page completes."""
        answers: dict[str, bool] = {}

        def is_disallowed(href: str) -> bool:
            answer = answers.get(href)
            if answer is None:
                request = FetchRequest(0, href, href, "")
                rules = robots.rules_for(request, monotonic())
                if rules is None:
                    return False
                if len(answers) >= MAX_REMEMBERED:
                    answers.clear()
                answer = answers[href] = not robots.allows(rules, request)
            return answer

        self.is_disallowed = is_disallowed

    @property
    def sinks(self) -> tuple[WrittenFirst, ...]:
        """The files, which are written before the rows."""
        return (self._links,) if self._ids is None else (self._links, self._ids)

    def add(self, href: str, depth: int, links: PageLinks, outcome: Outcome) -> None:
        """Write the links of a page. `outcome`: the final one."""
        most = self._max_depth
        limit = most if most is not None and depth >= most else None
        self._links.write([self._link(href, row, limit) for row in decode_rows(links.link_rows)])
        record = outcome.record
        if self._ids is None or record.error is not None or links.fragments is None:
            return
        # Not all IDs of a longer page are known.
        if record.size_delivered is not None and record.size_delivered <= PAGE_BYTES:
            self._ids.write([PageIds(href, links.fragments)])

    def _link(self, page: str, row: LinkRow, max_depth: int | None) -> Link:
        reason: str | None = row.reason
        if reason is None:
            if max_depth is not None and self._known.depth_of(from_href(row.to.encode())) > max_depth:
                reason = Reason.DEPTH
            elif self.is_disallowed(row.to):
                reason = Reason.ROBOTS
        return Link(page, row.to, row.tag, row.attribute, row.fragment, row.nofollow, reason is None, reason)


def open_link_log(
    path: str, known: DuplicateFilter, *, resume: bool, ids: bool, max_depth: int | None
) -> LinkLog:
    """Open the outputs of links of a crawl. `ids`: whether the element IDs of pages are written. Raises
    `UsageError` and `OutputError`."""
    from fetchpool.sinks.links.open import open_ids, open_links

    is_done = None
    if resume:
        while known.load():
            pass
        is_done = partial(_has_row, known)
    links = open_links(path, is_done)
    try:
        return LinkLog(links, open_ids(path, is_done) if ids else None, known, max_depth=max_depth)
    except BaseException:
        links.close()
        raise


def _has_row(known: DuplicateFilter, href: str) -> bool:
    return known.has_row(from_href(href.encode("utf-8", "surrogatepass")))
