"""LinkPolicy: whether a URL belongs to the crawl, whatever page links to it."""

from __future__ import annotations

import re

from fetchpool.crawl.rules import CrawlRules, Reason
from fetchpool.model import urls


class Scope:
    """The hosts of the start URLs."""

    def __init__(self, starts: tuple[str, ...]) -> None:
        self._hosts = {urls.authority(href) for href in starts}

    def add(self, href: str) -> bool:
        """Add a start URL; return whether that extends the scope."""
        before = len(self._hosts)
        self._hosts.add(urls.authority(href))
        return len(self._hosts) > before

    def __contains__(self, href: str) -> bool:
        return urls.authority(href) in self._hosts


class LinkPolicy:
    """What the rules of a crawl say about URLs. All URLs are normalised."""

    def __init__(self, rules: CrawlRules) -> None:
        self.scope = Scope(rules.starts)
        self._include = tuple(re.compile(pattern).search for pattern in rules.include)
        self._exclude = tuple(re.compile(pattern).search for pattern in rules.exclude)

    def without_ignored(self, href: str) -> str:
        """Return a URL without the query parameters that are ignored."""
        return href

    def reason(self, href: str) -> Reason | None:
        """Return why a URL is not fetched; None if it is."""
        if href not in self.scope:
            return Reason.SCOPE
        if any(search(href) for search in self._exclude):
            return Reason.EXCLUDE
        if self._include and not any(search(href) for search in self._include):
            return Reason.INCLUDE
        return None
