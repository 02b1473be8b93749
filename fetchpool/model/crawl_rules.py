"""CrawlRules: which links of a crawl are followed, and what is reported about the others."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class ScopeKind(StrEnum):
    """The limits of a crawl, relative to its start URLs (`--scope`)."""

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
    """Why a link is not followed; a link has one reason. The last ones are set by the engine."""

    SCHEME = "scheme"
    """`mailto:` and the like."""
    INVALID = "invalid"
    SCOPE = "scope"
    EXCLUDE = "exclude"
    INCLUDE = "include"
    """No pattern of `--include` matches."""
    TAG = "tag"
    """The tag is not one of `--follow-tags`."""
    NOFOLLOW = "nofollow"
    TRAP_LENGTH = "trap_length"
    TRAP_SEGMENTS = "trap_segments"
    TRAP_REPEATS = "trap_repeats"
    TRAP_ESCAPES = "trap_escapes"
    TRAP_SAME_PAGE = "trap_same_page"
    """The page is byte for byte the page that links to it."""
    TRAP_PATTERN = "trap_pattern"
    """Beyond `--max-per-pattern`."""
    TOO_MANY = "too_many"
    """Beyond a maximum: of a page's links, of nested sitemap indexes, or of redirects in a row."""
    DEPTH = "depth"
    ROBOTS = "robots"


class CrawlRules(Struct, frozen=True, kw_only=True):
    """The rules for links, with all that a worker needs to know. Picklable."""

    scope: ScopeKind = ScopeKind.HOST
    starts: tuple[str, ...] = ()
    """The normalised start URLs, which define the scope."""
    include: tuple[str, ...] = ()
    """Patterns, searched in the normalised URL."""
    exclude: tuple[str, ...] = ()
    ignore_params: tuple[str, ...] = ()
    """Names of query parameters that are removed; a `*` at the end matches any characters."""
    follow_tags: tuple[str, ...] = ()
    """The tags whose links are followed; empty for all."""
    follow_nofollow: bool = False
    """Follow links despite `rel=nofollow`, meta robots and `X-Robots-Tag`."""
    requisites: bool = False
    """Also report images, scripts, stylesheets and fonts outside the scope (`-p`)."""
    check_external: bool = False
    """Report links outside the scope (`--check-external`)."""
    trap_guard: bool = True
    want_links: bool = False
    """Report every link with its tag (`--links`)."""
    want_fragments: bool = False
    """Report the element IDs of pages (`--check-fragments`)."""
