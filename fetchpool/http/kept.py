"""Makes the fields of `--keep` that come from the response: its headers, redirects and body.

In: a fetch whose last hop is done. Out: fields for the row. A run without `--keep` never loads this module.
"""

from __future__ import annotations

from typing import Any

from fetchpool.config.keep import HEADER
from fetchpool.http.body import BODILESS, ResponseBody
from fetchpool.model.encodings import decode, find_encoding
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import redirects_of
from fetchpool.model.request import FetchRequest
from fetchpool.model.text import escape_invisible
from fetchpool.transports.base import Failure, Headers

ALL = 1 << 62
TEXTUAL = ("text/", "html", "xml", "json", "javascript", "ecmascript", "yaml", "csv", "urlencoded", "graphql")
"""Parts of the media types whose content is text."""
SNIFFED = 1024
"""Number of bytes in which a NUL shows that content without a type is not text."""


class KeptFields:
    """Makes the fields of `--keep` for each row."""

    def __init__(self, keep: tuple[str, ...]) -> None:
        self._headers = frozenset(name[len(HEADER) :] for name in keep if name.startswith(HEADER))
        self._all_headers = "headers" in keep
        self.redirects = "redirects" in keep
        """Whether requests must remember their redirects."""
        self._body = "body" in keep
        self._text = "text" in keep
        self.wants = ALL if self._body or self._text else 0
        """Number of bytes of a body that must be stored."""

    def of(
        self, request: FetchRequest, method: str, body: ResponseBody, failure: Failure | None
    ) -> dict[str, Any]:
        """Return the fields of one row. A body is kept only if it is complete and its status under 400."""
        fields: dict[str, Any] = {}
        head = body.head
        if head is not None and (self._all_headers or self._headers):
            fields["headers"] = self._values(head.headers)
        if self.redirects:
            fields["redirects"] = redirects_of(request)
        is_complete = failure is None or failure.kind is FailureKind.PARSE
        if (
            is_complete
            and body.is_kept
            and head is not None
            and head.status not in BODILESS
            and method != "HEAD"
        ):
            if self._body:
                fields["body"] = body.content
            if self._text and body.content_encoding is None:
                fields["text"] = text_of(body.content, body.content_type)
        return fields

    def _values(self, headers: Headers) -> dict[str, list[str]]:
        values: dict[str, list[str]] = {}
        for name, value in headers.items():
            lower = escape_invisible(name.lower())
            if self._all_headers or lower in self._headers:
                values.setdefault(lower, []).append(escape_invisible(value))
        return values


def text_of(content: bytes, content_type: str | None) -> str | None:
    """Return the content as text, decoded as browsers do; None if it is not text, such as an image."""
    if content_type:
        media_type = content_type.partition(";")[0].lower()
        if not any(part in media_type for part in TEXTUAL):
            return None
    elif b"\0" in content[:SNIFFED] and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return None
    return decode(content, find_encoding(content, content_type))


def merged(kept: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """Return the kept fields and those of parsers; a parser's field of the same name is prefixed with
    `parse_`."""
    return kept | {f"parse_{name}" if name in kept else name: value for name, value in extra.items()}
