"""The one URL parser (WHATWG, by way of `can_ada`): what checks a URL is what fetches it.

In: text as a person or a server wrote it. Out: a normalised URL and its parts, or the reason why
there is none. No I/O, no policy.
"""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote, unquote

import can_ada
from msgspec import Struct

from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import SHORT, memory_size

MAX_URL = 65_536
"""Characters. Longer is `invalid_url`: no server takes it, and a row must stay a row (fault 34)."""
MAX_HOST = 253
"""Characters of a host name (RFC 1035 section 2.3.4)."""
NO_NAME = "!$&'()*+=`{}"
"""Signs that the parser lets a host have and no transport is given: libcurl refuses them in URLs, and takes
some for syntax (`*` is every host; with `+` before it an entry for another begins)."""
MAX_LABEL = 63
"""Characters between two dots of it (likewise)."""

IS_A_TABLE = "if the list is a table, --url-column reads one column of it"
QUOTES = "\"'"
"""That exports leave around a URL."""
CLOSING = {'"': '"', ">": "<", "\u201d": "\u201c", "\u2019": "\u2018", "\u00bb": "\u00ab"}
"""What stands behind a URL that is quoted in a text, and what should stand before it."""
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


class InvalidUrl(Struct, frozen=True, gc=False):
    """A URL that can't be fetched, and why."""

    kind: FailureKind
    message: str


def parse(text: str, base: str | None = None) -> Url | InvalidUrl:
    """`text` as an absolute URL, or relative to `base` (a `Location` header).

    http and https only; everything else is `unsupported_scheme`, what the parser refuses is
    `invalid_url`.
    """
    if len(text) > MAX_URL:
        return InvalidUrl(FailureKind.INVALID_URL, f"longer than {MAX_URL} characters")
    try:
        href = can_ada.parse(text).href if base is None else (can_ada.parse(base) + text).href
    except (ValueError, TypeError):  # TypeError: lone surrogates, from a line that is not UTF-8
        return InvalidUrl(FailureKind.INVALID_URL, "not a valid http or https URL")
    # A serialised http or https URL is `scheme://[userinfo@]host[:port]/path[?query][#fragment]`
    # and nothing else (URL Standard section 4.5): cut up here it costs half of what asking the
    # parser for each part does, and a list has a hundred million of them.
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
    """A `Location`, its bytes beyond ASCII percent-encoded as they came, whatever encoding they are meant in:
    what browsers ask for. `parse()` would take them for Latin-1, and write that as UTF-8."""
    return value if value.isascii() else quote(value.encode("latin-1"), safe=_ASCII)


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
    scheme, _, host, _ = href.split("/", 3)
    if ":" in host and host[-1] != "]":
        return host
    return f"{host}:443" if scheme == "https:" else f"{host}:80"


def is_upgrade(before: str, after: str) -> bool:
    """Whether a redirect leads from http to https of the same host, both at their default ports: to the same
    site, and to nobody who wasn't told before."""
    host, at, port = authority(before).rpartition(":")
    return (
        before.startswith("http://")
        and after.startswith("https://")
        and f"{at}{port}" == ":80"
        and authority(after) == f"{host}:443"
    )


def is_address(host: str) -> bool:
    """Whether a normalised host is an IP address and no name: in brackets, or with a last label that
    is a number (URL Standard section 3.5, "ends in a number")."""
    return host[-1] == "]" or host[host.rfind(".") + 1 :].isdigit()


@lru_cache(maxsize=1024)  # a list has many URLs of each host
def _host_problem(host: str) -> str:
    """What the WHATWG parser lets pass and the DNS can't carry, or no name has; empty when fine."""
    if len(host) <= MAX_LABEL and ".." not in host and host[0] != "." and _PLAIN_HOST.fullmatch(host):
        return ""
    if '"' in host:
        return "a quote in the host"
    if "," in host or ";" in host:
        return f"a {'comma' if ',' in host else 'semicolon'} in the host; {IS_A_TABLE}"
    for sign in NO_NAME:
        if sign in host:
            return f"{sign} in the host, which no host's name has"
    if len(host) > MAX_HOST:
        return f"a host of more than {MAX_HOST} characters"
    if ".." in host or host[0] == ".":
        return "an empty label in the host"
    if any(len(label) > MAX_LABEL for label in host.split(".")):
        return f"a host label of more than {MAX_LABEL} characters"
    return ""


def parse_line(line: str) -> Url | InvalidUrl:
    """A line of a list, with a scheme or without. One that holds more than a URL is refused: the parser
    would drop or encode the rest, and another URL would be fetched."""
    if line.startswith(PLAIN):
        url = parse(line)
        # Nearly always the parser has nothing to drop or to encode; otherwise the line is looked at.
        if (isinstance(url, Url) and url.href == line) or _PLAIN_LINE.fullmatch(line):
            return url
    if problem := _line_problem(line):
        return InvalidUrl(FailureKind.INVALID_URL, problem)
    return parse(with_scheme(line))


def _line_problem(line: str) -> str:
    """What a line of a list holds beside a URL; empty when that is all."""
    if not line:
        return "there is no URL"
    if line[0] in QUOTES and line[-1] == line[0]:
        return f"there are quotes ({line[0]}) around it"
    if line[0] == "{":
        return f"it is a JSON object; {IS_A_TABLE}"
    before, found, _ = line.partition("://")
    unseen = _UNMEANT.search(line)
    seen = _UNMEANT.sub("", before)
    if found and not _BEHIND_A_HOST.search(before) and not _SCHEME.fullmatch(f"{seen}:"):
        return "there is something before its scheme; leave nothing but the URL"
    if unseen is not None:
        return _unmeant(unseen[0])
    last = line.rstrip(",;")[-1:]
    if last in CLOSING and len([char for char in line if char in (last, CLOSING[last])]) & 1:
        return f"it ends in {last}, which nothing opens; leave nothing but the URL"
    return ""


def _unmeant(char: str) -> str:
    if char == "\t":
        return f"there is a tab in it; {IS_A_TABLE}"
    if char in "\r\n":
        return "there is a line end in it; give each URL by itself"
    if char.isspace():
        name = "space" if char == " " else f"blank (U+{ord(char):04X})"
        return f"there is a {name} in it; cut off what isn't the URL, or write %20"
    return f"there is a character in it that can't be seen (U+{ord(char):04X}); remove it"


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
    url = parse_line(text)
    size = len(text)
    if size >= SHORT:
        size = memory_size(text)  # after parsing, which has the text keep its UTF-8
    if isinstance(url, Url):
        return FetchRequest(urlnum, text, url.href, url.host, url.credentials, weight=size + len(url.href))
    return FetchRequest(urlnum, text, "", "", refused=url.kind, problem=url.message, weight=size)


OPAQUE_SCHEMES = SLASHLESS_SCHEMES - {"http", "https"}
"""They have no authority: the @ in `mailto:name@host` hides nothing."""
_ASCII = "".join(map(chr, range(0x80)))
_BLANKS = "".join(map(chr, range(0x21)))
"""The parser drops these around a URL, and tabs and line ends within it."""
_SLASHES = "/\\\t\n\r"
_PLAIN_LINE = re.compile(r"https?://[!#-~]*(?<!>)")
"""ASCII without blanks and double quotes: nothing in it needs a closer look."""
_PLAIN_HOST = re.compile(r"[0-9A-Za-z.-]+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_AUTHORITY_END = re.compile(r"[/?#]")  # and not at a backslash: parsers differ about that one
_UNMEANT = re.compile(
    # Blanks, and what has no width and no meaning in a URL: soft hyphen, zero-width space, marks and controls
    # of direction, word joiner, byte order mark. Persian and Indic words are spelled with the joiners U+200C
    # and U+200D: at an end they join nothing. There the parser would drop other controls, too.
    r"[\s\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
    r"|\A[\0-\x1f\u200c\u200d]|[\0-\x1f\u200c\u200d]\Z"
)
_BEHIND_A_HOST = re.compile(r"[/?#\\]")
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
