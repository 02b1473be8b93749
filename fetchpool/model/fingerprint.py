"""Fingerprints: identify a URL, to find out whether two URLs of a list, or a URL and a row, are the same. In:
a URL as given, or as shown in a row. Out: 16 bytes. Pure.

Identity is a function of what the row shows, so that a list and the output of an earlier run agree. It is the
normalised URL: without the fragment, which is not sent, and with the fact that there were credentials, as the
row does not show them. So two URLs that differ only in user and password are the same. An invalid URL is
identified by its text.

The bytes are a BLAKE2b digest (RFC 7693). `seen.py` stores 96 bits of it: the probability that any two of n
URLs collide is n² / 2^97, which is 6e-16 for ten million and 6e-12 for a thousand million.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from unicodedata import category

from fetchpool.model.request import FetchRequest
from fetchpool.model.text import INVISIBLE, escape_invisible
from fetchpool.model.urls import PLAIN, InvalidUrl, is_normalised, parse_line, redact

SIZE = 16
"""Size of a fingerprint in bytes."""
CREDENTIALS = "@"
"""Prefix of the identity of a URL with credentials; no URL begins with it."""

_EMPTY = blake2b(digest_size=SIZE)
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def display_url(url: str) -> str:
    """Return a URL of the input as shown in its row, without secrets and invisible characters."""
    if "@" not in url and url.isprintable():
        return url  # nearly always
    return escape_invisible(redact(url))


def from_record_url(url: str) -> bytes:
    """Return the fingerprint of a URL as shown in a row."""
    # With credentials, a fragment or an escape the identity is not the URL itself.
    if url.startswith(PLAIN) and "@" not in url and "#" not in url and "\\" not in url and is_normalised(url):
        return _digest(url)  # most URLs, and half the work
    return _digest(_identity(url))


def from_request(request: FetchRequest) -> bytes:
    """Return the fingerprint of a request, in most cases without parsing its URL again."""
    url = request.url
    if "@" not in url and "\\" not in url and url.isprintable():  # the row then shows the URL itself
        return _digest(request.href or url)
    return _digest(_identity(display_url(url)))


def from_href(href: bytes) -> bytes:
    """Return the fingerprint of a normalised URL without credentials, as ASCII."""
    digest = _EMPTY.copy()
    digest.update(href)
    return digest.digest()


def from_hrefs(hrefs: list[bytes]) -> list[bytes]:
    """Return the fingerprints of normalised URLs without credentials, as ASCII."""
    found: list[bytes] = []
    for href in hrefs:
        digest = _EMPTY.copy()
        digest.update(href)
        found.append(digest.digest())
    return found


def original_url(shown: str) -> str:
    """Return a URL of the input from the text in its row, as far as the text contains it."""
    return _ESCAPED.sub(_unescape, shown) if "\\" in shown else shown


def _identity(text: str) -> str:
    text = original_url(text)
    url = parse_line(text)
    if isinstance(url, InvalidUrl):
        return text
    return CREDENTIALS + url.href if url.credentials else url.href


def _unescape(match: re.Match[str]) -> str:
    """Undo `escape_invisible()`. A URL that itself contains such an escape counts as the same URL, since its
    row looks the same."""
    code = int(match[0][2:], 16)
    if code > 0x10FFFF or category(chr(code)) not in INVISIBLE:
        return match[0]
    return chr(code)


def _digest(identity: str) -> bytes:
    digest = _EMPTY.copy()  # cheaper than a new one
    digest.update(identity.encode("utf-8", "surrogatepass"))
    return digest.digest()
