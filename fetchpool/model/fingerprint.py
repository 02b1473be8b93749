"""A URL's identity: when two lines of a list, or a line and a row, are the same URL.

In: a URL as it was given, or as a row shows it. Out: 16 bytes. Pure.

Identity is a function of what the row shows, so that a list and the output of an earlier run can't
disagree about it. From there it is the normalised URL: without the fragment, which no server sees,
and with the mere fact that there were credentials, which is all that a row keeps of them. Hence
two URLs that differ in nothing but user and password are one. What can't be fetched is its own text.

The bytes are a BLAKE2b digest (RFC 7693). `seen.py` keeps 96 bits of it: the chance that any two of
n URLs are confused is n² / 2^97, which is 6e-16 for ten million and 6e-12 for a thousand million.
"""

from __future__ import annotations

import re
from hashlib import blake2b
from unicodedata import category

from fetchpool.model.request import FetchRequest
from fetchpool.model.text import INVISIBLE, escape_invisible
from fetchpool.model.urls import PLAIN, InvalidUrl, is_normalised, parse_line, redact

SIZE = 16
"""Bytes of a fingerprint."""
CREDENTIALS = "@"
"""Before the identity of a URL that had some; no URL begins with it."""

_EMPTY = blake2b(digest_size=SIZE)
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")


def shown(url: str) -> str:
    """A URL of the input as its row has it: no secret in it, and nothing that can't be seen."""
    if "@" not in url and url.isprintable():
        return url  # nearly always
    return escape_invisible(redact(url))


def from_record_url(url: str) -> bytes:
    """The fingerprint of a URL that a row shows."""
    # Credentials, a fragment or an escape of ours would make more of it than its normalised form.
    if url.startswith(PLAIN) and "@" not in url and "#" not in url and "\\" not in url and is_normalised(url):
        return _digest(url)  # its own identity: most are, and this is half the work
    return _digest(_identity(url))


def from_request(request: FetchRequest) -> bytes:
    """The same of a request, and mostly without parsing its URL again."""
    url = request.url
    if "@" not in url and "\\" not in url and url.isprintable():  # then the row shows just that
        return _digest(request.href or url)
    return _digest(_identity(shown(url)))


def _identity(text: str) -> str:
    if "\\" in text:
        text = _ESCAPED.sub(_meant, text)
    url = parse_line(text)
    if isinstance(url, InvalidUrl):
        return text
    return CREDENTIALS + url.href if url.credentials else url.href


def _meant(match: re.Match[str]) -> str:
    """What `escape_invisible()` made this of. A list that has such letters by itself is taken for the same:
    its row looks the same."""
    code = int(match[0][2:], 16)
    if code > 0x10FFFF or category(chr(code)) not in INVISIBLE:
        return match[0]
    return chr(code)


def _digest(identity: str) -> bytes:
    digest = _EMPTY.copy()  # cheaper than a new one
    digest.update(identity.encode("utf-8", "surrogatepass"))
    return digest.digest()
