"""Finds the links of responses for a crawl, in the worker.

In: a complete response. Out: its links as bytes, for `Outcome.links`, and fields of the row. `crawl/` finds
them and decides which are followed; a run without `--recursive` never loads this module.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from fetchpool.crawl.links import LinkExtractor
from fetchpool.http.body import REDIRECTS, ResponseBody
from fetchpool.http.sitemap_links import SITEMAP_BYTES, SitemapReader
from fetchpool.model.crawl_rules import CrawlRules
from fetchpool.model.discovery import LinkKind
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.transports.base import Failure

PAGE_BYTES = 4 << 20
"""Number of bytes of a page that are searched for links."""
PAGE_TYPES = ("html", "xml", "css")
"""Parts of the content types of responses with links."""

Found = tuple[bytes, dict[str, Any], Failure | None]
NOTHING: Found = b"", {}, None


class PageLinkFinder:
    """Finds links, one page after the other. Thread-safe."""

    def __init__(self, rules: CrawlRules) -> None:
        self._extractor = LinkExtractor(rules)
        self._sitemaps = SitemapReader(rules)
        self._lock = Lock()  # the extractor remembers which links it has reported

    def prepare(self, request: FetchRequest, body: ResponseBody) -> None:
        """Make a body store the content that is searched for links. For a link outside the crawl, only the
        head is needed."""
        kind = None if request.discovery is None else request.discovery.kind
        if kind is LinkKind.PAGE:
            body.want_page(PAGE_BYTES, PAGE_TYPES)
        elif kind is LinkKind.SITEMAP:
            body.want_page(SITEMAP_BYTES)
        elif kind is LinkKind.EXTERNAL:
            body.skip_body()

    def find(self, request: FetchRequest, href: str, body: ResponseBody) -> Found:
        """Return the links of a response (empty if it is not a page), the fields that it adds to the row, and
        why a sitemap can't be read. `href`: the URL of the response."""
        discovery, head = request.discovery, body.head
        if discovery is None or head is None or head.status in REDIRECTS or not body.is_kept:
            return NOTHING
        if discovery.kind is LinkKind.SITEMAP:
            links, problem = self._sitemaps.read(body.content, href, discovery.moved_to)
            failure = Failure(FailureKind.PARSE, problem) if problem else None
            return links.encode(), {"num_links": links.num_links}, failure
        if discovery.kind is not LinkKind.PAGE:
            return NOTHING
        with self._lock:
            if discovery.moved_to:
                self._extractor.add_start(discovery.moved_to)
            found = self._extractor.extract(
                body.content,
                href,
                body.content_type,
                link_headers=head.headers.get_all("link"),
                robots_headers=head.headers.get_all("x-robots-tag"),
                parent_hash=discovery.page_hash,
            )
        return found.encode(), {"num_links": found.num_links, "canonical": found.canonical}, None
