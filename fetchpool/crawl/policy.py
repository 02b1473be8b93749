"""LinkPolicy: whether a URL belongs to the crawl, by scope, patterns and trap guards, whatever page links to
it. Applies to links, redirect targets and sitemap entries alike. Pure.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from fetchpool.crawl.scope import Scope
from fetchpool.crawl.traps import trap
from fetchpool.model.crawl_rules import CrawlRules, Reason


class LinkPolicy:
    """Applies the rules of a crawl to URLs. All URLs are normalised."""

    def __init__(self, rules: CrawlRules) -> None:
        self.scope = Scope(rules.scope, rules.starts)
        self._include = tuple(re.compile(pattern).search for pattern in rules.include)
        self._exclude = tuple(re.compile(pattern).search for pattern in rules.exclude)
        self._trap_guard = rules.trap_guard
        self._ignored = frozenset(name for name in rules.ignore_params if name[-1:] != "*")
        self._ignored_starts = tuple(name[:-1] for name in rules.ignore_params if name[-1:] == "*")
        self._ignores = bool(rules.ignore_params)

    def without_ignored(self, href: str) -> str:
        """Return a URL without the ignored query parameters."""
        if not self._ignores or "?" not in href:
            return href
        start, _, query = href.partition("?")
        kept = "&".join(part for part in query.split("&") if not self._is_ignored(part))
        return f"{start}?{kept}" if kept else start

    def _is_ignored(self, parameter: str) -> bool:
        name = parameter.partition("=")[0]
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        return name in self._ignored or (bool(self._ignored_starts) and name.startswith(self._ignored_starts))

    def reason(self, href: str, *, is_requisite: bool = False, is_in_scope: bool = False) -> Reason | None:
        """Return why a URL is not fetched; None if it is. A page requisite may be outside the scope, and need
        not match `--include`. `is_in_scope`: the caller knows that it is."""
        if not is_in_scope and not is_requisite and href not in self.scope:
            return Reason.SCOPE
        if self._exclude and self.is_excluded(href):
            return Reason.EXCLUDE
        if self._include and not is_requisite and not any(search(href) for search in self._include):
            return Reason.INCLUDE
        return trap(href) if self._trap_guard else None

    def is_excluded(self, href: str) -> bool:
        """Whether a pattern of `--exclude` matches."""
        return any(search(href) for search in self._exclude)
