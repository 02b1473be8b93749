"""Finds the links of responses for a crawl, in the worker.

In: a complete response. Out: its links as bytes, for `Outcome.links`, and fields of the row. `crawl/` finds
them and decides which are followed; a run without `--recursive` never loads this module.
"""

from __future__ import annotations

from threading import Lock
from typing import Any

from fetchpool.crawl.links import LinkExtractor
from fetchpool.crawl.rules import CrawlRules
from fetchpool.http.body import REDIRECTS, ResponseBody
from fetchpool.model.discovery import LinkKind
from fetchpool.model.request import FetchRequest

PAGE_BYTES = 4 << 20
"""Bytes of a page in which links are looked for."""


class PageLinkFinder:
    """Finds links, one page after the other. Thread-safe."""

    def __init__(self, rules: CrawlRules) -> None:
        self._extractor = LinkExtractor(rules)
        self._lock = Lock()  # the extractor remembers which links it has reported
        self.wants = PAGE_BYTES

    def find(self, request: FetchRequest, href: str, body: ResponseBody) -> tuple[bytes, dict[str, Any]]:
        """Return the links of a response, empty if it is no page, and the fields that it adds to the row.
        `href`: where it was received from."""
        discovery, head = request.discovery, body.head
        if discovery is None or discovery.kind is not LinkKind.PAGE or not body.is_kept:
            return b"", {}
        assert head is not None
        if head.status in REDIRECTS:
            return b"", {}
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
        return found.encode(), {"num_links": found.num_links, "canonical": found.canonical}
