"""The response that is passed to a user-defined parser, with attribute names as in requests. In: the results
of the exchange and the body when a fetch is done. Out: a `Response`, whose text is decoded on first use.
Nothing here raises because of what a server sent, except `json()`.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from msgspec import Struct, field

from fetchpool.http.body import ResponseBody
from fetchpool.model import urls
from fetchpool.model.encodings import decode, find_encoding
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.transports.base import Headers, HopRequest, HopResult


class Response(Struct, frozen=True, kw_only=True, eq=False, dict=True):
    """The response for one URL, completely received and decoded, with a status under 400. Sizes are bytes;
    times are seconds, cumulative from the start of the last hop, and None if unknown. They are the same
    values as in the row. To try a parser by hand, `url` and `content` are enough:
    `Response(url="https://example.org/", content=b"<title>Hi</title>")`.
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
        """The name of the text's encoding, found as browsers do (WHATWG Encoding Standard): a byte order
        mark, the `charset` of `Content-Type`, for HTML and XML the declaration in the page's first bytes;
        otherwise, or if that is not an encoding, `utf-8`."""
        return find_encoding(self.content, self.content_type)

    @cached_property
    def text(self) -> str:
        """The content as text, without a byte order mark; bytes that are not in the encoding become U+FFFD.
        Decoded once, on first use."""
        return decode(self.content, self.encoding)

    def json(self) -> Any:
        """Return the content decoded from JSON. Raises `ValueError` if it is not JSON."""
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
