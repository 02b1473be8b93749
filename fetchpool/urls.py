"""The one URL parser (WHATWG, by way of `can_ada`): what checks a URL is what fetches it.

In: text as a person or a server wrote it. Out: a normalised URL and its parts, or the reason why
there is none. No I/O, no policy.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

import can_ada
from msgspec import Struct

from fetchpool.model import FailureKind, FetchRequest

MAX_URL = 65_536
"""Characters. Longer is `invalid_url`: no server takes it, and a row must stay a row (fault 34)."""
MAX_HOST = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""
MAX_LABEL = 63
"""Characters between two dots of it (likewise)."""

QUOTES = "\"'"
"""That exports leave around a URL."""
PLAIN = ("https://", "http://")
"""How nearly every line begins; those go the short way."""
SLASHLESS_SCHEMES = frozenset(
    ("javascript", "data", "mailto", "tel", "about", "blob", "urn", "http", "https")
)
"""Schemes that are meant as such without `//`, as `mailto:` is; any other name before a colon is a host."""


class Url(Struct, frozen=True, gc=False):
    """A URL that can be fetched."""

    href: str
    """Normalised, without userinfo and fragment: what goes on the wire."""
    host: str
    """Without the port; an IPv6 address keeps its brackets."""
    credentials: str
    """`user:password`, percent-decoded; empty when there were none."""

    @property
    def origin(self) -> str:
        return origin(self.href)


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
        href = can_ada.parse(text).href if base is None else (can_ada.parse(base) + text).href
    except (ValueError, TypeError):  # TypeError: lone surrogates, from a line that is not UTF-8
        return BadUrl(FailureKind.INVALID_URL, "not a valid http or https URL")
    # A serialised http or https URL is `scheme://[userinfo@]host[:port]/path[?query][#fragment]`
    # and nothing else (URL Standard section 4.5): cut up here it costs half of what asking the
    # parser for each part does, and a list has a hundred million of them.
    parts = href.split("/", 3)
    scheme = parts[0]
    if scheme != "https:" and scheme != "http:":
        scheme = href[: href.index(":") + 1]
        return BadUrl(FailureKind.UNSUPPORTED_SCHEME, f"only http and https are fetched, not {scheme[:20]}")
    host = parts[2]
    credentials = ""
    if "@" in host:
        userinfo, _, host = host.partition("@")  # any other @ in it is percent-encoded
        user, _, password = userinfo.partition(":")
        credentials = f"{unquote(user)}:{unquote(password)}"
        href = f"{scheme}//{host}/{parts[3]}"
    if "#" in href:
        href = href[: href.index("#")]
    if ":" in host and host[-1] != "]":  # a port; within brackets it is an IPv6 address
        host = host[: host.rindex(":")]
    if (len(host) > MAX_LABEL or ".." in host or host[0] == "." or '"' in host) and (
        problem := _host_problem(host)
    ):
        return BadUrl(FailureKind.INVALID_URL, problem)
    return Url(href, host, credentials)


def is_normalised(text: str) -> bool:
    """Whether the parser leaves the text as it is: a third of what `parse()` costs."""
    try:
        href: str = can_ada.parse(text).href
    except (ValueError, TypeError):
        return False
    return href == text


def origin(href: str) -> str:
    """Scheme, host and port (RFC 6454) of a normalised URL: credentials stay within it."""
    return href[: href.index("/", 8)]


def authority(href: str) -> str:
    """`host:port` of a normalised URL, the port always there."""
    scheme, _, rest = href.partition("://")
    host = rest[: rest.index("/")]
    if ":" in host and host[-1] != "]":
        return host
    return f"{host}:443" if scheme == "https" else f"{host}:80"


def is_address(host: str) -> bool:
    """Whether a normalised host is an IP address and no name: in brackets, or with a last label that
    is a number (URL Standard section 3.5, "ends in a number")."""
    return host[-1] == "]" or host[host.rfind(".") + 1 :].isdigit()


def _host_problem(host: str) -> str:
    """What the WHATWG parser lets pass and the DNS can't carry, or no name has; empty when fine."""
    if '"' in host:
        return "a quote in the host"
    if len(host) > MAX_HOST:
        return f"a host of more than {MAX_HOST} characters"
    if ".." in host or host[0] == ".":
        return "an empty label in the host"
    if any(len(label) > MAX_LABEL for label in host.split(".")):
        return f"a host label of more than {MAX_LABEL} characters"
    return ""


def parse_line(line: str) -> Url | BadUrl:
    """A line of a list, with a scheme or without; one in quotes is refused."""
    if not line:
        return BadUrl(FailureKind.INVALID_URL, "there is no URL")
    if line[0] in QUOTES and line[-1] == line[0]:
        return BadUrl(FailureKind.INVALID_URL, f"there are quotes ({line[0]}) around it")
    return parse(with_scheme(line))


def with_scheme(line: str) -> str:
    """A line of a list as a URL: without a scheme it gets `http://`, as curl does.

    `host:8080/path` has no scheme though a parser may see one: only `scheme://` counts, beside the
    well-known ones that go without slashes.
    """
    if line.startswith(PLAIN):
        return line
    scheme, colon, rest = line.partition(":")
    scheme = scheme.lstrip(_BLANKS)
    if not colon or not scheme.replace("+", "").replace("-", "").replace(".", "").isalnum():
        return f"http://{line}"
    if rest.startswith("//") or scheme.lower() in SLASHLESS_SCHEMES:
        return line
    return f"http://{line}"


def request(urlnum: int, text: str) -> FetchRequest:
    """The request for one URL of the input, refused or not: every URL gets its row."""
    url = parse(text) if text.startswith(PLAIN) else parse_line(text)
    if isinstance(url, BadUrl):
        return FetchRequest(urlnum, text, "", "", refused=url.kind, problem=url.message)
    return FetchRequest(urlnum, text, url.href, url.host, url.credentials)


OPAQUE_SCHEMES = SLASHLESS_SCHEMES - {"http", "https"}
"""They have no authority: the @ in `mailto:name@host` hides nothing."""
_BLANKS = "".join(map(chr, range(0x21)))
"""The parser drops these around a URL, and tabs and line ends within it."""
_SLASHES = "/\\\t\n\r"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY_END = re.compile(r"[/?#]")  # and not at a backslash: parsers differ about that one
_NESTED = re.compile(r"://[^/?#\s]*@")


def redact(text: str) -> str:
    """Userinfo written `***@`, in any text that holds URLs, valid or not.

    Works on the characters, not on a parse: what no parser takes must be shown too, and the
    password that made it invalid (an unescaped `/`, `#` or `?` in it) must not. In doubt it hides
    too much. A list's `user:secret@host`, without a scheme, counts as a URL.
    """
    if "@" not in text:
        return text
    scheme, start = _authority_start(text)
    if scheme not in OPAQUE_SCHEMES:
        stop = _AUTHORITY_END.search(text, start)
        end = stop.start() if stop else len(text)
        at = text.rfind("@", start, end)
        if at < 0 and not _is_host(text[start:end]):  # then what follows its colon is a password
            at = text.rfind("@", end)
        if at > start:
            text = f"{text[:start]}***{text[at:]}"
    return _NESTED.sub("://***@", text)


def _authority_start(text: str) -> tuple[str, int]:
    """The scheme of `text` in small letters, empty when it has none, and where its authority
    starts: behind any number of slashes and backslashes, as browsers read it."""
    blanks = len(text) - len(text.lstrip(_BLANKS))
    match = _SCHEME.match(text, blanks)
    scheme, start = (match[1].lower(), match.end()) if match else ("", blanks)
    rest = text[start:].lstrip(_SLASHES)
    slashes = text[start : len(text) - len(rest)]
    if scheme and not slashes.strip(_BLANKS) and scheme not in SLASHLESS_SCHEMES:
        return "", blanks  # `user:secret@host`: that colon ends no scheme
    return scheme, start + len(slashes)


def _is_host(authority: str) -> bool:
    """False when what follows the colon is no port."""
    port = authority.rpartition("]")[2].partition(":")[2]
    return not port or port.isdigit()
