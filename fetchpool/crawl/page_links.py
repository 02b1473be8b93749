"""PageLinks: the links extracted from a page, encoded as one byte string for the engine."""

from __future__ import annotations

from hashlib import blake2b

import msgspec
from msgspec import Struct

FRAGMENT_SIZE = 8
"""Bytes of the hash of a fragment's id."""


class PageLinks(Struct, frozen=True, array_like=True, gc=False):
    """The links of one page. URLs are normalised, without fragment, joined by line feeds."""

    urls: bytes = b""
    """The URLs to follow, without those that this worker has already reported."""
    num_links: int | None = None
    """Number of distinct http and https targets, followed or not. None if the page was not searched: its
    content type has no links, or it is outside the scope."""
    canonical: str | None = None
    """The canonical URL that the page declares."""
    not_followed: dict[str, int] = {}
    """Number of distinct targets that are not followed, by `Reason`."""
    requisites: bytes = b""
    """Images, scripts, styles and fonts outside the scope, with `CrawlRules.requisites`."""
    external: bytes = b""
    """Other links outside the scope, with `CrawlRules.check_external`."""
    link_rows: bytes = b""
    """Every link, with `CrawlRules.want_links`; `decode_rows()`."""
    fragments: bytes | None = None
    """The `fragment_hash()` of each id of an HTML page, with `CrawlRules.want_fragments`."""
    body_hash: bytes = b""
    """8 bytes, equal for pages with equal bodies; with `CrawlRules.trap_guard`."""

    def encode(self) -> bytes:
        return _encoder.encode(self)


class LinkRow(Struct, frozen=True, array_like=True, gc=False):
    """One link of a page. Links with equal fields count as one."""

    to: str
    """The normalised URL without its fragment; as written if it is invalid, or not http or https."""
    tag: str
    attribute: str
    fragment: str | None = None
    """As written, character references decoded; None if there is none."""
    nofollow: bool = False
    reason: str | None = None
    """The `Reason` why the link is not followed; None if it is."""


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PageLinks)
_rows_decoder = msgspec.msgpack.Decoder(list[LinkRow])


def decode_links(data: bytes) -> PageLinks:
    """Return the `PageLinks` that `encode()` was called on."""
    return _decoder.decode(data)


def encode_rows(rows: list[LinkRow]) -> bytes:
    return _encoder.encode(rows)


def decode_rows(data: bytes) -> list[LinkRow]:
    """Return the links of `PageLinks.link_rows`."""
    return _rows_decoder.decode(data) if data else []


def fragment_hash(fragment: str) -> bytes:
    """Return the hash of an element ID, or of a fragment, for comparison."""
    return blake2b(fragment.encode("utf-8", "surrogatepass"), digest_size=FRAGMENT_SIZE).digest()
