"""Reads the entries of a sitemap that a crawl has found, in the worker.

In: a complete response. Out: the pages and sitemaps that it lists, and the error that ended the parsing. The
parser is that of `--sitemap`; memory and time are bounded for any input.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from fetchpool.crawl.policy import LinkPolicy
from fetchpool.model import urls
from fetchpool.model.crawl_rules import CrawlRules, Reason
from fetchpool.model.text import escape_invisible
from fetchpool.sources.decompress import Chunks, DecompressionError, bounded, by_magic, decompressed
from fetchpool.sources.sitemap_parser import SitemapError, SitemapParser

SITEMAP_BYTES = 64 << 20
"""Maximum size of a sitemap in bytes, before and after decompression; the protocol allows 50 MB."""
CHUNK = 1 << 16


class SitemapLinks(Struct, frozen=True, array_like=True, gc=False):
    """The entries of a sitemap. URLs are normalised and joined by line feeds."""

    urls: bytes = b""
    """The pages to fetch."""
    sitemaps: bytes = b""
    """The sitemaps of an index."""
    num_links: int = 0
    """The number of its entries."""
    not_followed: dict[str, int] = {}
    """The number of entries that are not fetched, by `Reason`."""

    def encode(self) -> bytes:
        return _encode(self)


_encode = msgspec.msgpack.Encoder().encode
decode_sitemap = msgspec.msgpack.Decoder(SitemapLinks).decode


class SitemapReader:
    """Reads sitemaps, one after the other."""

    def __init__(self, rules: CrawlRules) -> None:
        self._policy = LinkPolicy(rules)

    def read(self, content: bytes, href: str, moved_to: str) -> tuple[SitemapLinks, str]:
        """Return the entries of the sitemap at `href`, and why it can't be read to its end (empty if it can).
        `moved_to`: the target of the redirect from the start of its site."""
        if moved_to:
            self._policy.scope.add(moved_to)
        found: dict[str, None] = {}
        not_followed: dict[str, int] = {}
        parser, problem = SitemapParser(), ""
        try:
            for chunk in _chunks(content):
                self._add([url for url, _ in parser.feed(chunk)], href, found, not_followed)
            self._add([url for url, _ in parser.finish()], href, found, not_followed)
        except (SitemapError, DecompressionError) as failure:
            self._add([url for url, _ in parser.take()], href, found, not_followed)
            problem = f"sitemap: {escape_invisible(str(failure))}"
        if parser.is_index:
            return SitemapLinks(sitemaps="\n".join(found).encode(), num_links=len(found)), problem
        pages: list[str] = []
        for url in found:
            reason = self._policy.reason(url)
            if reason is None:
                pages.append(url)
            else:
                not_followed[reason] = not_followed.get(reason, 0) + 1
        text = "\n".join(dict.fromkeys(pages))
        return SitemapLinks(text.encode(), b"", len(found), not_followed), problem

    def _add(
        self, entries: list[str], base: str, found: dict[str, None], not_followed: dict[str, int]
    ) -> None:
        for entry in entries:
            url = urls.parse(entry, base)
            if isinstance(url, urls.Url):
                found[self._policy.without_ignored(url.href)] = None
            else:
                not_followed[Reason.INVALID] = not_followed.get(Reason.INVALID, 0) + 1


def _chunks(content: bytes) -> Iterator[bytes]:
    """Yield the content in pieces, decompressed if its first bytes say that it is compressed. Raises
    `DecompressionError`."""
    pieces: Chunks = ((content[at : at + CHUNK], 0) for at in range(0, len(content), CHUNK))
    format = by_magic(content)
    if format is not None:
        pieces = decompressed(format, pieces)
    for piece, _ in bounded(pieces, SITEMAP_BYTES):
        yield piece
