"""FrontierLine: a URL of a crawl's frontier, stored as a JSON line in the file."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from fetchpool.model.discovery import LinkKind

VERSION = 1
"""The version of the format, in the first line of the file."""
URL_KEY = b'{"url":"'
"""The start of each line."""


class FrontierLine(Struct, frozen=True, omit_defaults=True):
    """A URL of the frontier, and how it was found."""

    url: str
    """Normalised, without credentials."""
    depth: int = -1
    found_on: str | None = None
    """The page, redirect or sitemap where the URL was found; None for a start URL."""
    kind: LinkKind = LinkKind.PAGE
    start: bool = False
    """Whether the scope is measured from this URL."""
    local: bool = False
    """Whether the URL was found on a page from a private address, which may link to other private
    addresses."""
    nesting: int = 0
    """For a sitemap: the number of nested indexes that led to it."""
    num_redirects: int = 0
    """The number of consecutive redirects that led to the URL."""
    page_hash: str = ""
    """The hash of the body of `found_on`, in hexadecimal."""
    frontier: int = 0
    """The version of the format, in the first line."""


decode_line = msgspec.json.Decoder(FrontierLine).decode
"""Return the content of a line."""
_encode = msgspec.json.Encoder().encode


def encode_lines(hrefs: Iterable[bytes], shared: FrontierLine) -> bytes:
    """Return the lines of URLs that were found in the same way. `shared`: a line with all but the URL."""
    rest = _encode(shared).removeprefix(URL_KEY) + b"\n"  # it starts with the quote after the URL
    return b"".join([URL_KEY + _escaped(href) + rest for href in hrefs])


def _escaped(href: bytes) -> bytes:
    """Return a URL escaped for JSON: a normalised URL is ASCII without quotes and control characters, but its
    query may contain a backslash."""
    return href if b"\\" not in href else href.replace(b"\\", b"\\\\")
