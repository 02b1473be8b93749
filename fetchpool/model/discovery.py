"""Discovery: how a crawl found a URL, and what is done with its links.

In: nothing. Out: frozen, slotted, picklable values. No I/O, no policy.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class LinkKind(StrEnum):
    """How a crawl treats the response of a URL."""

    PAGE = "page"
    """Its links are followed."""
    SITEMAP = "sitemap"
    """Its entries are links."""
    REQUISITE = "requisite"
    """It is fetched for a page (`--page-requisites`). Its links are not followed."""
    EXTERNAL = "external"
    """It is only checked (`--check-external`). Its links are not followed."""


class Discovery(Struct, frozen=True, gc=False, array_like=True):
    """How a crawl found a URL. The page that links to it is in the row (`found_on`)."""

    depth: int
    """Number of links from a start URL to this one, along the path on which it was found."""
    kind: LinkKind = LinkKind.PAGE
    is_start: bool = False
    """Whether this URL defines the scope, as a start URL or the target of its redirect."""
    moved_to: str = ""
    """The URL to which the start of this URL's site has redirected, if the user has named another host: the
    scope is measured from this one, too."""
    nesting: int = 0
    """For a sitemap: the number of nested indexes that led to it."""
    page_hash: bytes = b""
    """The hash of the body of the page that links to this URL; empty if there is none."""
