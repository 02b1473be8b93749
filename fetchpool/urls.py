"""The one URL parser (WHATWG, by way of `can_ada`): what checks a URL is what fetches it.

In: text as a person or a server wrote it. Out: a normalised URL and its parts, or the reason why
there is none. No I/O, no policy.
"""

from __future__ import annotations

from urllib.parse import unquote

import can_ada
from msgspec import Struct

from fetchpool.model import FailureKind, FetchRequest

MAX_URL = 65_536
"""Characters. Longer is `invalid_url`: no server takes it, and a row must stay a row (fault 34)."""
MAX_HOST = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""

DEFAULT_PORTS = {"http:": "80", "https:": "443"}


class Url(Struct, frozen=True, gc=False):
    """A URL that can be fetched."""

    href: str
    """Normalised, without userinfo and fragment: what goes on the wire."""
    host: str
    """Without the port; an IPv6 address keeps its brackets."""
    origin: str
    """Scheme, host and port (RFC 6454): credentials stay within it."""
    credentials: str
    """`user:password`, percent-decoded; empty when there were none."""


class BadUrl(Struct, frozen=True, gc=False):
    """A URL that can't be fetched, and why."""

    kind: FailureKind
    message: str


def parse(text: str, base: str | None = None) -> Url | BadUrl:
    """`text` as an absolute URL, or relative to `base` (a `Location` header).

    http and https only; everything else is `unsupported_scheme`, what the parser refuses is
    `invalid_url`.
    """
    if len(text) > MAX_URL:
        return BadUrl(FailureKind.INVALID_URL, f"longer than {MAX_URL} characters")
    try:
        parsed = can_ada.parse(text, base) if base is not None else can_ada.parse(text)
    except (ValueError, TypeError):  # TypeError: lone surrogates, from a line that is not UTF-8
        return BadUrl(FailureKind.INVALID_URL, "not a valid URL")
    scheme: str = parsed.protocol
    if scheme not in DEFAULT_PORTS:
        return BadUrl(FailureKind.UNSUPPORTED_SCHEME, f"only http and https are fetched, not {scheme[:20]}")
    host: str = parsed.hostname
    if problem := _host_problem(host):
        return BadUrl(FailureKind.INVALID_URL, problem)
    credentials = ""
    if parsed.has_credentials():
        credentials = f"{unquote(parsed.username)}:{unquote(parsed.password)}"
        parsed.username = parsed.password = ""
    if parsed.has_hash():
        parsed.hash = ""
    return Url(parsed.href, host, f"{scheme}//{parsed.host}", credentials)


def _host_problem(host: str) -> str:
    """What the WHATWG parser lets pass and the DNS can't carry; empty when fine."""
    if not host:
        return "no host"
    if len(host) > MAX_HOST:
        return f"a host of more than {MAX_HOST} characters"
    if ".." in host or host[0] == ".":
        return "an empty label in the host"
    if len(host) > 63 and any(len(label) > 63 for label in host.split(".")):
        return "a host label of more than 63 characters"  # RFC 1035 section 2.3.4
    return ""


def with_scheme(line: str) -> str:
    """A line of a list as a URL: without a scheme it gets `http://`, as curl does.

    `host:8080/path` has no scheme though a parser may see one: only `scheme://` counts, beside the
    well-known ones that go without slashes.
    """
    if line.startswith(("http://", "https://")):
        return line
    scheme, colon, rest = line.partition(":")
    if not colon or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return f"http://{line}"
    if rest.startswith("//") or scheme.lower() in SLASHLESS_SCHEMES:
        return line
    return f"http://{line}"


SLASHLESS_SCHEMES = frozenset(("javascript", "data", "mailto", "tel", "about", "blob", "urn", "http", "https"))


def request(urlnum: int, text: str) -> FetchRequest:
    """The request for one URL of the input, refused or not: every URL gets its row."""
    url = parse(with_scheme(text))
    if isinstance(url, BadUrl):
        return FetchRequest(urlnum, text, "", "", refused=url.kind)
    return FetchRequest(urlnum, text, url.href, url.host, url.credentials)


def redact(text: str) -> str:
    """Userinfo written `***@`, in any text that holds URLs, valid or not.

    Works on the characters, not on a parse: what no parser takes must be shown too.
    """
    if "@" not in text:
        return text
    start = text.find("//")
    start = start + 2 if start >= 0 else 0
    end = len(text)
    for mark in "/?#\\":  # a browser ends the authority at a backslash too
        found = text.find(mark, start)
        if 0 <= found < end:
            end = found
    at = text.rfind("@", start, end)
    return text if at < 0 else f"{text[:start]}***{text[at:]}"
