"""CrawlRules: which links of a crawl are followed, and what is reported of the others."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ScopeKind(StrEnum):
    """What a crawl is limited to, measured from its start URLs (`--scope`)."""

    HOST = "host"
    """The same host name; http and https at their default ports are one site."""
    PREFIX = "prefix"
    """The same host, and the directory of the start URL."""
    ORIGIN = "origin"
    """The same scheme, host and port."""
    DOMAIN = "domain"
    """The registrable domain and its subdomains."""
    ANY = "any"


class Reason(StrEnum):
    """Why a link is not followed; a link has one reason. The last ones are the engine's."""

    SCHEME = "scheme"
    """`mailto:` and the like."""
    INVALID = "invalid"
    SCOPE = "scope"
    EXCLUDE = "exclude"
    INCLUDE = "include"
    """No pattern of `--include` matches."""
    TAG = "tag"
    """Another tag than those of `--follow-tags`."""
    NOFOLLOW = "nofollow"
    CANONICAL = "canonical"
    """Recorded in the row, and not counted."""
    TRAP_LENGTH = "trap_length"
    TRAP_SEGMENTS = "trap_segments"
    TRAP_REPEATS = "trap_repeats"
    TRAP_ESCAPES = "trap_escapes"
    TRAP_SAME_PAGE = "trap_same_page"
    """The page is byte for byte the page that links to it."""
    TRAP_PATTERN = "trap_pattern"
    """Beyond `--max-per-pattern`."""
    TOO_MANY = "too_many"
    """Beyond the bytes of links that are taken from one page."""
    DEPTH = "depth"
    ROBOTS = "robots"
    MAX_PAGES = "max_pages"

    @property
    def is_trap(self) -> bool:
        return self.startswith("trap_")


class CrawlRules(Struct, frozen=True, kw_only=True):
    """Which links are followed. All that a worker needs to know; picklable."""

    scope: ScopeKind = ScopeKind.HOST
    starts: tuple[str, ...] = ()
    """The start URLs, normalised, which the scope is measured from."""
    include: tuple[str, ...] = ()
    """Patterns, searched in the normalised URL."""
    exclude: tuple[str, ...] = ()
    ignore_params: tuple[str, ...] = ()
    """Names of query parameters that are removed; `*` at the end stands for any characters."""
    follow_tags: tuple[str, ...] = ()
    """The tags whose links are followed; empty for all."""
    follow_nofollow: bool = False
    """Follow links in spite of `rel=nofollow`, meta robots and `X-Robots-Tag`."""
    requisites: bool = False
    """Report images, scripts, styles and fonts outside the scope, too (`-p`)."""
    check_external: bool = False
    """Report links outside the scope (`--check-external`)."""
    trap_guard: bool = True
    want_links: bool = False
    """Report every link with its tag (`--links`)."""
    want_fragments: bool = False
    """Report the ids of pages (`--check-fragments`)."""
