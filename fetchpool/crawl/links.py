"""LinkExtractor: finds the links of a page and decides which of them are followed."""

from __future__ import annotations

from collections.abc import Sequence

from fetchpool.crawl.page_links import PageLinks
from fetchpool.crawl.rules import CrawlRules


class LinkExtractor:
    """Finds the links of pages, one page after the other; one for each worker, as it remembers which URLs it
    has already reported. Not thread-safe."""

    def __init__(self, rules: CrawlRules) -> None:
        self._rules = rules

    def add_start(self, href: str) -> None:
        """Add a start URL to those that the scope is measured from, if it is new: a redirect led to it."""

    def extract(
        self,
        body: bytes,
        url: str,
        content_type: str | None,
        *,
        link_headers: Sequence[str] = (),
        robots_headers: Sequence[str] = (),
        parent_hash: bytes = b"",
    ) -> PageLinks:
        """Return the links of a page.

        `body` is decoded, and may be the page's first mebibytes; `url` is where it was received from. The
        other arguments are the values of its headers `Content-Type`, `Link` and `X-Robots-Tag`, and the
        `body_hash` of the page that links to it: of a page with the same body no link is followed.
        """
        raise NotImplementedError
