"""The response that a user-defined parser is given, with the names that are known from requests.

In: what the exchange and the body know when a fetch is done. Out: a `Response`, whose text is decoded on
first use. Nothing here raises because of what a server sent, except `json()`.
"""

from __future__ import annotations

import json
import re
from functools import cached_property
from typing import Any

import webencodings  # type: ignore[import-untyped]  # it ships no types
from msgspec import Struct, field

from fetchpool.http.body import ResponseBody
from fetchpool.model import urls
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.transports.base import Headers, HopRequest, HopResult

PRESCAN = 4096
"""Bytes in which a page's own declaration of its encoding is searched. The HTML standard searches 1024
before it parses, and again at each `<meta>` that it finds."""


class Response(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """What came back for one URL: received completely, decoded, with a status under 400.

    Sizes are bytes; times are seconds, cumulative from the start of the last hop, None where the
    transport can't tell: the same values as in the row. To try a parser by hand, `url` and `content`
    are enough: `Response(url="https://example.org/", content=b"<title>Hi</title>")`.
    """

    url: str
    """The URL as given in the input, credentials written `***@`."""
    content: bytes
    """The decoded body; as received when `content_encoding` can't be decoded."""
    url_effective: str = ""
    """The URL after the last redirect."""
    method: str = "GET"
    status_code: int = 200
    http_version: str = "1.1"
    headers: Headers = field(default_factory=lambda: Headers([]))
    """The response headers; case-insensitive; `get_all()` returns repeated ones."""
    content_encoding: str | None = None
    num_redirects: int = 0
    num_retries: int = 0
    remote_ip: str | None = None
    size_download: int = 0
    size_delivered: int = 0
    time_namelookup: float | None = None
    time_connect: float | None = None
    time_appconnect: float | None = None
    time_starttransfer: float | None = None
    time_total: float = 0.0

    @property
    def content_type(self) -> str | None:
        """The `Content-Type` header, parameters and all."""
        return self.headers.get("content-type")

    @cached_property
    def encoding(self) -> str:
        """The name of the text's encoding, found as browsers do (WHATWG Encoding Standard): a byte
        order mark, the `charset` of `Content-Type`, for HTML and XML what the page's first bytes
        declare; otherwise, or when that is no encoding, `utf-8`."""
        return find_encoding(self.content, self.content_type)

    @cached_property
    def text(self) -> str:
        """The content as text, without a byte order mark; bytes that are not in the encoding become
        U+FFFD. Decoded once, when first asked for."""
        return decode(self.content, self.encoding)

    def json(self) -> Any:
        """The content as JSON. Raises `ValueError` when it is not."""
        return json.loads(self.content)

    def __repr__(self) -> str:
        return f"<Response [{self.status_code}] {escape_invisible(self.url)}>"


def response_of(request: FetchRequest, hop: HopRequest, body: ResponseBody, timing: HopResult) -> Response:
    """Return the `Response` of a fetch whose last hop is done; `body` holds the complete content."""
    assert body.head is not None
    return Response(
        url=urls.redact(request.url),
        content=body.content,
        url_effective=hop.url,
        method=hop.method,
        status_code=body.head.status,
        http_version=body.head.http_version,
        headers=body.head.headers,
        content_encoding=body.content_encoding,
        num_redirects=request.num_redirects,
        num_retries=request.num_retries,
        remote_ip=timing.remote_ip,
        size_download=body.size_download,
        size_delivered=body.size_delivered,
        time_namelookup=timing.time_namelookup,
        time_connect=timing.time_connect,
        time_appconnect=timing.time_appconnect,
        time_starttransfer=timing.time_starttransfer,
        time_total=timing.time_total,
    )


def decode(content: bytes, encoding: str) -> str:
    """Return `content` as text; a byte order mark is honoured and removed. `encoding` is from
    `find_encoding()`."""
    text: str = webencodings.decode(content, encoding)[0]
    return text


def find_encoding(content: bytes, content_type: str | None) -> str:
    """Return the WHATWG name of the encoding; see `Response.encoding`."""
    for mark, marked in BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return marked
    if content_type and (label := CHARSET.search(content_type)) and (name := known(label[1])):
        return name
    if not content_type or "html" in content_type.lower() or "xml" in content_type.lower():
        return declared(content[:PRESCAN]) or "utf-8"
    return "utf-8"


def declared(start: bytes) -> str | None:
    """Return the encoding that a page declares, by the HTML standard's prescan: in the first `<meta>` with
    a known encoding, or in the XML declaration."""
    if (xml := XML_DECLARATION.match(start)) and (name := known_inside(xml[1])):
        return name
    start = COMMENT.sub(b"", start)
    position = 0
    while meta := META.search(start, position):
        attributes: dict[bytes, bytes] = {}
        position = meta.end()
        while found := ATTRIBUTE.match(start, position):
            position = found.end()
            attributes.setdefault(found[1].lower(), found[2] or found[3] or found[4] or b"")
        label = attributes.get(b"charset")
        if label is None and attributes.get(b"http-equiv", b"").lower() == b"content-type":
            inside = META_CHARSET.search(attributes.get(b"content", b""))
            label = inside[1] if inside else None
        if label and (name := known_inside(label)):
            return name
    return None


def known(label: str) -> str | None:
    """Return the standard's name for a label of servers or pages: `latin1` is `windows-1252`."""
    encoding = webencodings.lookup(label)
    return None if encoding is None else encoding.name


def known_inside(label: bytes) -> str | None:
    """Return the standard's name for a label within a page. The label was read as ASCII, so it is not
    UTF-16."""
    name = known(label.decode("latin-1"))
    if name in ("utf-16le", "utf-16be"):
        return "utf-8"
    return "windows-1252" if name == "x-user-defined" else name


BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16le"), (b"\xfe\xff", "utf-16be"))
# Possessive (`*+`), where two runs of blanks may meet: a regex that tries each way to share them out takes
# the square of their number.
CHARSET = re.compile(r""";\s*+charset\s*+=\s*+["']?+\s*+([^\s;"',]+)""", re.IGNORECASE)
XML_DECLARATION = re.compile(rb"""<\?xml\s[^>]*?encoding\s*+=\s*+["']([^"'>]*)""")
COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
META_CHARSET = re.compile(rb"""charset\s*+=\s*+["']?+\s*+([^\s;"']+)""", re.IGNORECASE)
META = re.compile(rb"<meta[\s/]", re.IGNORECASE)
ATTRIBUTE = re.compile(rb"""[\s/]*+([^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s>"']*+)))?""")
