"""The only URL parser (WHATWG, through `can_ada`), so that a URL is fetched exactly as it was validated.

In: text from a user or a server. Out: a normalised URL and its parts, or the reason why the text is invalid.
No I/O, no policy.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

import can_ada
from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import SHORT, memory_size

MAX_URL = 65_536
"""Maximum length in characters. A longer URL is `invalid_url`: no server accepts it, and rows must stay small
(fault 34)."""
MAX_HOST = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""
NOT_IN_HOSTS = "!$&'()*+=`{}"
"""Characters that the parser accepts in a host and transports do not: libcurl refuses them in URLs, or takes
them for syntax (`*` is every host; `+` starts another entry)."""
MAX_LABEL = 63
"""Characters between two dots of a host name (same section)."""

IS_A_TABLE = "if the list is a table, --url-column reads one column of it"
OPENING = {'"': '"', "'": "'", "`": "`", "<": ">", "\u201c": "\u201d", "\u2018": "\u2019", "\u00ab": "\u00bb"}
"""Characters that exports and texts put around a URL, with their closing counterparts."""
CLOSING = {'"': '"', ">": "<", "\u201d": "\u201c", "\u2019": "\u2018", "\u00bb": "\u00ab"}
"""Characters after a URL quoted in a text, with their opening counterparts."""
PLAIN = ("https://", "http://")
"""The start of nearly every line, for a fast path."""
SLASHLESS_SCHEMES = frozenset(
    ("javascript", "data", "mailto", "tel", "about", "blob", "urn", "http", "https")
)
"""Schemes that are recognised without `//`, such as `mailto:`; any other name before a colon is a host."""


INVALID_MESSAGE = FailureKind.INVALID_URL.message


class Url(Struct, frozen=True, gc=False):
    """A URL that can be fetched."""

    href: str
    """Normalised, without userinfo and fragment: what is sent."""
    host: str
    """Without the port; an IPv6 address keeps its brackets."""
    credentials: str
    """`user:password`, percent-decoded; empty if there are none."""

    @property
    def origin(self) -> str:
        return origin(self.href)


class InvalidUrl(Struct, frozen=True, gc=False):
    """A URL that can't be fetched, and why."""

    kind: FailureKind
    message: str


def parse(text: str, base: str | None = None) -> Url | InvalidUrl:
    """Parse an absolute URL, or one relative to `base` (a `Location` header). Schemes other than http and
    https are `unsupported_scheme`, anything that the parser rejects is `invalid_url`."""
    if len(text) > MAX_URL:
        return InvalidUrl(FailureKind.INVALID_URL, f"longer than {MAX_URL} characters")
    try:
        href = can_ada.parse(text).href if base is None else (can_ada.parse(base) + text).href
    except (ValueError, TypeError):  # TypeError: lone surrogates, from a line that is not UTF-8
        return InvalidUrl(FailureKind.INVALID_URL, INVALID_MESSAGE)
    return _checked(href)


class Base:
    """A URL that many others are relative to, parsed once."""

    def __init__(self, href: str) -> None:
        self.href = href
        self._url: Any = can_ada.parse(href)

    def resolve(self, text: str) -> Url | InvalidUrl:
        """Return what `parse()` returns for a text and this base."""
        if len(text) > MAX_URL:
            return InvalidUrl(FailureKind.INVALID_URL, f"longer than {MAX_URL} characters")
        try:
            href: str = (self._url + text).href
        except (ValueError, TypeError):
            return InvalidUrl(FailureKind.INVALID_URL, INVALID_MESSAGE)
        return _checked(href)


def _checked(href: str) -> Url | InvalidUrl:
    """Return a URL that the parser accepts, or the reason why it can't be fetched."""
    # A serialised http or https URL is `scheme://[userinfo@]host[:port]/path[?query][#fragment]`
    # and nothing else (URL Standard section 4.5): splitting it takes half the time of asking the parser for
    # each part.
    parts = href.split("/", 3)
    scheme = parts[0]
    if scheme != "https:" and scheme != "http:":
        scheme = href[: href.index(":") + 1]
        return InvalidUrl(
            FailureKind.UNSUPPORTED_SCHEME, f"only http and https are fetched, not {scheme[:20]}"
        )
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
    if problem := _host_problem(host):
        return InvalidUrl(FailureKind.INVALID_URL, problem)
    return Url(href, host, credentials)


def from_header(value: str) -> str:
    """Return a `Location` with its bytes beyond ASCII percent-encoded as they came, in whatever encoding, as
    browsers do. `parse()` would decode them as Latin-1 and encode them as UTF-8."""
    return value if value.isascii() else quote(value.encode("latin-1"), safe=_ASCII)


def is_normalised(text: str) -> bool:
    """Whether the parser leaves the text unchanged. Takes a third of the time of `parse()`."""
    try:
        href: str = can_ada.parse(text).href
    except (ValueError, TypeError):
        return False
    return href == text


def origin(href: str) -> str:
    """Return scheme, host and port (RFC 6454) of a normalised URL."""
    return href[: href.index("/", 8)]


def authority(href: str) -> str:
    """Return `host:port` of a normalised URL, with the default port if there is none."""
    scheme, _, host, _ = href.split("/", 3)
    if ":" in host and host[-1] != "]":
        return host
    return f"{host}:443" if scheme == "https:" else f"{host}:80"


def is_upgrade(before: str, after: str) -> bool:
    """Whether a redirect leads from http to https of the same host, both at their default ports."""
    host, at, port = authority(before).rpartition(":")
    return (
        before.startswith("http://")
        and after.startswith("https://")
        and f"{at}{port}" == ":80"
        and authority(after) == f"{host}:443"
    )


def is_address(host: str) -> bool:
    """Whether a normalised host is an IP address: in brackets, or with a last label that is a number (URL
    Standard section 3.5, "ends in a number")."""
    return host[-1] == "]" or host[host.rfind(".") + 1 :].isdigit()


@lru_cache(maxsize=1024)  # a list has many URLs of each host
def _host_problem(host: str) -> str:
    """Return why a host that the WHATWG parser accepts can't be a host name; empty if it can."""
    if len(host) <= MAX_LABEL and ".." not in host and host[0] != "." and _PLAIN_HOST.fullmatch(host):
        return ""
    if '"' in host:
        return "a quote in the host"
    if "," in host or ";" in host:
        return f"a {'comma' if ',' in host else 'semicolon'} in the host; {IS_A_TABLE}"
    for sign in NOT_IN_HOSTS:
        if sign in host:
            return f"invalid character {sign} in the host"
    if len(host) > MAX_HOST:
        return f"a host of more than {MAX_HOST} characters"
    if ".." in host or host[0] == ".":
        return "an empty label in the host"
    if any(len(label) > MAX_LABEL for label in host.split(".")):
        return f"a host label of more than {MAX_LABEL} characters"
    return ""


def parse_line(line: str) -> Url | InvalidUrl:
    """Parse a line of a list, with or without a scheme. A line that contains more than a URL is invalid: the
    parser would drop or encode the rest, and a different URL would be fetched."""
    if line.startswith(PLAIN):
        url = parse(line)
        # Nearly always the parser has nothing to drop or encode; otherwise the line is examined.
        if (isinstance(url, Url) and url.href == line and line[-1] != ",") or _PLAIN_LINE.fullmatch(line):
            return url
    if problem := _line_problem(line):
        return InvalidUrl(FailureKind.INVALID_URL, problem)
    return parse(with_scheme(line))


def _line_problem(line: str) -> str:
    """Return why a line is not just a URL; empty if it is."""
    if not line:
        return "empty URL"
    if _NOT_UTF8.search(line):
        return "bytes that are not UTF-8; save the list as UTF-8, or name its --encoding"
    if line[0] == "{":
        return f"JSON object instead of a URL; {IS_A_TABLE}"
    if problem := _wrapping(line):
        return problem
    before, found, _ = line.partition("://")
    unseen = _UNEXPECTED.search(line)
    seen = _UNEXPECTED.sub("", before)
    if found and not _AFTER_HOST.search(before) and not _SCHEME.fullmatch(f"{seen}:"):
        return "text before the scheme; write only the URL"
    if unseen is not None:
        return _describe(unseen[0])
    last = line.rstrip(",;")[-1:]
    if last in CLOSING and len([char for char in line if char in (last, CLOSING[last])]) & 1:
        return f"unmatched {last} at the end; write only the URL"
    if line[-1] == ",":
        return "a trailing comma after the URL; remove it, or write %2C if it belongs to the URL"
    return ""


def _wrapping(line: str) -> str:
    """Return the reason if a line has something around its URL that users or programs put there; empty
    otherwise."""
    bare = line.rstrip(",; \t")
    comma = " and a trailing comma" if line.rstrip(" \t;")[-1:] == "," else ""
    if bare[:1] in OPENING and len(bare) > 1 and bare[-1] == OPENING[bare[0]]:
        name = "angle brackets (<>)" if bare[0] == "<" else f"quotes ({bare[0]})"
        return f"{name} around the URL{comma}; write only the URL"
    if _MARKDOWN.search(line):
        return "a Markdown link; write only the URL in its parentheses"
    if _ITEM.match(line):
        return "a list marker before the URL; write only the URL"
    return ""


def _describe(char: str) -> str:
    if char == "\t":
        return f"tab in the URL; {IS_A_TABLE}"
    if char in "\r\n":
        return "line break in the URL; pass each URL by itself"
    if char.isspace():
        name = "space" if char == " " else f"whitespace (U+{ord(char):04X})"
        return f"{name} in the URL; remove it, or write %20"
    return f"invisible character (U+{ord(char):04X}) in the URL; remove it"


def with_scheme(line: str) -> str:
    """Return a line of a list as a URL: without a scheme it gets `http://`, as in curl.

    `host:8080/path` has no scheme, although parsers see one: only `scheme://` counts, and the well-known
    schemes without slashes.
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
    """Return the request for one URL of the input, valid or not: every URL gets a row."""
    url = parse_line(text)
    size = len(text)
    if size >= SHORT:
        size = memory_size(text)  # after parsing, which adds a UTF-8 copy to the text
    if isinstance(url, Url):
        return FetchRequest(
            urlnum, text, url.href, url.host, url.credentials, position=urlnum, weight=size + len(url.href)
        )
    return FetchRequest(
        urlnum, text, "", "", error=url.kind, error_message=url.message, position=urlnum, weight=size
    )


OPAQUE_SCHEMES = SLASHLESS_SCHEMES - {"http", "https"}
"""Schemes without an authority: the @ in `mailto:name@host` does not follow a secret."""
_ASCII = "".join(map(chr, range(0x80)))
_BLANKS = "".join(map(chr, range(0x21)))
"""The parser drops these around a URL, and tabs and line ends within it."""
_SLASHES = "/\\\t\n\r"
_PLAIN_LINE = re.compile(r"https?://[!#-~]*(?<![>,])")
"""ASCII without whitespace and double quotes: needs no further check."""
_NOT_UTF8 = re.compile(r"[\udc80-\udcff]")
"""A byte of a list that could not be decoded (PEP 383)."""
_MARKDOWN = re.compile(r"\]\(\s*<?[A-Za-z][A-Za-z0-9+.-]*://")
"""The middle of a link in Markdown: `[text](https://…)`."""
_ITEM = re.compile(r"(?:[-*+\u2022]|\d+[.)])\s+(?=[<\[\"'(]*[A-Za-z][A-Za-z0-9+.-]*://)")
"""The marker of an item in a list."""
_PLAIN_HOST = re.compile(r"[0-9A-Za-z.-]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY_END = re.compile(r"[/?#]")  # not at a backslash, which parsers treat differently
_UNEXPECTED = re.compile(
    # Whitespace, and characters without width or meaning in a URL: soft hyphen, zero-width space, marks and
    # controls of direction, word joiner, byte order mark. Persian and Indic words need the joiners U+200C and
    # U+200D, but not at an end, where the parser would drop other controls, too.
    r"[\s\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    r"|\A[\0-\x1f\u200c\u200d]|[\0-\x1f\u200c\u200d]\Z"
)
_AFTER_HOST = re.compile(r"[/?#\\]")
_NESTED = re.compile(r"://[^/?#\s]*@")


def redact(text: str) -> str:
    """Replace userinfo by `***@` in any text that contains URLs, valid or not.

    Works on characters, without parsing, because invalid URLs are shown, too, and the password that made a
    URL invalid (an unescaped `/`, `#` or `?` in it) must not be. In doubt it hides too much.
    `user:secret@host` without a scheme counts as a URL.
    """
    if "@" not in text:
        return text
    scheme, start = _authority_start(text)
    if scheme not in OPAQUE_SCHEMES:
        stop = _AUTHORITY_END.search(text, start)
        end = stop.start() if stop else len(text)
        at = text.rfind("@", start, end)
        if at < 0 and not _is_host(text[start:end]):  # then the text after the colon is a password
            at = text.rfind("@", end)
        if at > start:
            text = f"{text[:start]}***{text[at:]}"
    return _NESTED.sub("://***@", text)


def _authority_start(text: str) -> tuple[str, int]:
    """Return the scheme of `text` in lower case, or an empty string, and the position of its authority: after
    any number of slashes and backslashes, as browsers read it."""
    blanks = len(text) - len(text.lstrip(_BLANKS))
    match = _SCHEME.match(text, blanks)
    scheme, start = (match[1].lower(), match.end()) if match else ("", blanks)
    rest = text[start:].lstrip(_SLASHES)
    slashes = text[start : len(text) - len(rest)]
    if scheme and not slashes.strip(_BLANKS) and scheme not in SLASHLESS_SCHEMES:
        return "", blanks  # `user:secret@host`: no scheme
    return scheme, start + len(slashes)


def _is_host(authority: str) -> bool:
    """Whether the text after the colon is a port."""
    port = authority.rpartition("]")[2].partition(":")[2]
    return not port or port.isdigit()
