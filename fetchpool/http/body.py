"""Receives one hop's body: counts it, checks the limits, decodes it, and stores it for parsers.

In: the header block and the body's bytes as received, from a transport. Out: two sizes, at most one failure,
and the decoded content for parsers (`decoding.py` decodes). No I/O; nothing that a server sends makes it
raise, and it stores no more content than needed.

This module decides when a response is too large or broken, where a redirect points (not whether to follow
it), and that a body is complete only when its compressed stream has ended.
"""

from __future__ import annotations

import io

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.decoders import CODINGS
from fetchpool.http.decoding import Decoding
from fetchpool.http.partial import unexpected_part
from fetchpool.model.failures import FailureKind
from fetchpool.model.text import one_line
from fetchpool.transports.base import Failure, Headers, ResponseHead
from fetchpool.transports.header_index import (
    CONTENT_LENGTH,
    CONTENT_TYPE,
    ETAG,
    LAST_MODIFIED,
    SPACED_CODING,
    SPACED_LENGTH,
    TRANSFER_ENCODING,
)

REDIRECTS = frozenset((301, 302, 303, 307, 308))
"""Statuses that redirect when they have a `Location` (RFC 9110 section 15.4)."""
BODILESS = frozenset((204, 304))
"""Statuses whose headers may describe a body that is not sent (RFC 9112 section 6.3)."""
PLAIN = frozenset((CONTENT_TYPE, CONTENT_LENGTH, TRANSFER_ENCODING, ETAG, LAST_MODIFIED))
"""The indexed header fields that need no further examination of the head."""
NO_LIMIT = 1 << 62
UNUSED_BODY = 64 * 1024
"""Maximum bytes read of a body that is not needed, such as a redirect's, so that its connection can be
reused. Reading a larger body would cost more than a new connection."""
MAX_CODINGS = 5
"""Maximum number of content codings of one body, as in curl (fault 12)."""
LENGTH_DIGITS = 19
"""Maximum number of digits of a `Content-Length`, without leading zeros: a longer one is beyond 2^63, and
over every limit."""
ENCODING_SHOWN = 100
"""Maximum number of characters of an unknown `Content-Encoding` in the row."""


class ResponseBody:
    """The `ResponseHandler` of one hop. When the transport is done, `finish()` checks whether the body is
    complete.

    Sizes are in bytes, and count what was received before the hop ended, complete or not.
    """

    __slots__ = (
        "_declared",
        "_decoding",
        "_end",
        "_is_unused",
        "_keep",
        "_kept",
        "_limit",
        "_max_bytes",
        "_method",
        "_options",
        "_page_bytes",
        "_page_types",
        "_part",
        "_wants",
        "content_encoding",
        "content_type",
        "failure",
        "head",
        "location",
        "size_download",
    )

    def __init__(self, options: FetchOptions, method: str, max_bytes: int = 0, wants: int = 0) -> None:
        """`wants`: the number of content bytes that are stored for parsers. `max_bytes`: stop reading after
        about this many bytes without failing; until then the usual limits apply."""
        limit = options.max_filesize
        if limit is None:
            limit = NO_LIMIT
        self._limit = limit if limit > max_bytes else max_bytes
        self._max_bytes = max_bytes
        self._wants = max_bytes or wants
        self._keep = self._wants > 0
        self._page_bytes = 0
        self._page_types: tuple[str, ...] = ()
        self._is_unused = False
        self._method = method
        self._options = options
        self._part = ""
        """A description of the part that was received although the complete body was requested; empty if the
        body is complete."""
        self._end = 0
        """The number of bytes after which the body is complete, if the transport doesn't check that; 0 if it
        does."""
        self._kept: io.BytesIO | None = None
        self._decoding: Decoding | None = None
        self._declared = 0
        """The `Content-Length`, even if it does not apply to this body."""
        self.head: ResponseHead | None = None
        self.failure: Failure | None = None
        self.content_encoding: str | None = None
        """The content encoding if it can't be decoded; both sizes are then those on the wire (fault 14)."""
        self.content_type: str | None = None
        """The `Content-Type` as the server wrote it; the first, if there are several."""
        self.location: str | None = None
        """The redirect target, as the server wrote it (bytes beyond ASCII as Latin-1); None when the
        response is not a redirect."""
        self.size_download = 0
        """Size on the wire: transfer coding removed, content coding not."""

    def want_page(self, num_bytes: int, types: tuple[str, ...] = ()) -> None:
        """Store at least this many bytes of the content, if its `Content-Type` contains one of these texts,
        or in any case without `types`. Called before the response."""
        self._page_bytes = num_bytes
        self._page_types = types

    def skip_body(self) -> None:
        """Read no more of the body than of a redirect's, and store nothing, because only the head is needed.
        Called before the response."""
        self._is_unused = True
        self._limit = UNUSED_BODY
        self._keep = False

    def _check_page(self) -> None:
        """Store more of the content if it is a page that is wanted."""
        kind = (self.content_type or "").lower()
        if not kind or not self._page_types or any(each in kind for each in self._page_types):
            self._wants = max(self._wants, self._page_bytes)
            self._keep = True

    @property
    def size_delivered(self) -> int:
        """Size after decoding. The body of a redirect is never decoded (fault 11), nor is any other that is
        not needed."""
        return self.size_download if self._decoding is None else self._decoding.size

    @property
    def is_kept(self) -> bool:
        """Whether the content is stored for parsers: only if the response is not a redirect to follow, and
        its status is not a failure."""
        return self._kept is not None

    @property
    def content(self) -> bytes:
        """The decoded body, at most `wants` bytes, if `is_kept`; otherwise empty."""
        return b"" if self._kept is None else self._kept.getvalue()  # without a copy

    def take(self) -> bytes:
        """Remove and return the content stored so far."""
        if self._kept is None or not self._kept.tell():
            return b""
        content = self._kept.getvalue()
        self._kept.seek(0)
        self._kept.truncate()
        self._wants -= len(content)
        return content

    def on_head(self, head: ResponseHead) -> bool:
        self.head = head
        index = head.headers.index
        content_type = index.get(CONTENT_TYPE)
        if content_type is not None:
            self.content_type = content_type[13:].decode("latin-1").strip()
        if self._page_bytes:
            self._check_page()
        # Most responses are plain: status 200, at most one valid length, no coding. `_validate_head` takes
        # 5 µs.
        if head.status != 200 or self._options.accept or not PLAIN.issuperset(index):
            return self._validate_head(head)
        line = index.get(CONTENT_LENGTH)
        if line is not None:
            length = line[15:].strip()
            if TRANSFER_ENCODING in index or len(length) > LENGTH_DIGITS or not length.isdigit():
                return self._validate_head(head)
            self._declared = declared = int(length)
            if declared > self._limit or self._max_bytes:
                return self._validate_head(head)
        if self._keep:
            self._kept = io.BytesIO()
        return True

    def feed(self, chunk: bytes) -> bool:
        self.size_download = size = self.size_download + len(chunk)
        if size > self._limit or self.failure is not None:
            return self._exceeds_limit(chunk)
        if self._decoding is not None:
            more = self._decoding.feed(chunk, None if self._kept is None else self._keep_piece)
            return more or self._decoded()
        if self._kept is not None:
            self._keep_piece(chunk)
            return not self._has_enough
        return True

    @property
    def pending(self) -> bool:
        return self._decoding is not None and self._decoding.pending

    @property
    def ready_at(self) -> float:
        return 0.0

    def resume(self) -> bool:
        assert self._decoding is not None
        more = self._decoding.resume(None if self._kept is None else self._keep_piece)
        return (more and not self.is_at_end) or self._decoded()

    def _decoded(self) -> bool:
        """Return False. If decoding has failed, store the failure."""
        assert self._decoding is not None
        if self._decoding.failure is not None and self.failure is None:
            self.failure = self._decoding.failure
            self._kept = None
        return False

    def _keep_piece(self, piece: bytes) -> None:
        """Store the content for parsers."""
        assert self._kept is not None
        missing = self._wants - self._kept.tell()
        if missing > 0:
            self._kept.write(piece if len(piece) <= missing else piece[:missing])

    @property
    def _has_enough(self) -> bool:
        return 0 < self._max_bytes <= self.size_delivered

    def finish(self) -> Failure | None:
        """Return why the body is incomplete, although the transport saw its end; None if it is complete.

        An empty body is complete in any content coding: some servers send such bodies.
        """
        if self.failure is None and self._decoding is not None and not self._has_enough:
            name = self._decoding.unfinished
            if name:
                self._fail(FailureKind.TRUNCATED, f"the {name} data ends too early")
        if self.size_download < self._declared and self.failure is None and self._is_truncated:
            message = f"the body ended after {self.size_download} of {self._declared} bytes"
            self._fail(FailureKind.TRUNCATED, message)
        if self._part and self.failure is None:
            self._fail(FailureKind.TRUNCATED, self._part)
        return self.failure

    @property
    def _is_truncated(self) -> bool:
        """Whether fewer bytes than the `Content-Length` are an error."""
        head = self.head
        return not (
            head is None
            or self._has_enough
            or self._is_unused
            or self._is_bodiless(head.status)
            or transfer_coding(head.headers)
        )

    def _is_bodiless(self, status: int) -> bool:
        return self._method == "HEAD" or status in BODILESS

    def _validate_head(self, head: ResponseHead) -> bool:
        """Handle a head that the fast path of `on_head()` does not cover."""
        status, headers = head.status, head.headers
        if SPACED_LENGTH in headers.index:
            return self._fail(FailureKind.PROTOCOL, "space before colon in Content-Length header")
        if SPACED_CODING in headers.index:
            return self._fail(FailureKind.PROTOCOL, "space before colon in Transfer-Encoding header")
        if not 100 <= status <= 999:  # statuses from 600 on are treated like 5xx (RFC 9110 section 15)
            return self._fail(FailureKind.PROTOCOL, f"the server answered with status {status}")
        length = 0
        codings = headers.get("transfer-encoding")
        if not transfer_coding(headers):  # it overrides the length (RFC 9112 section 6.3)
            values = {value.strip() for value in headers.get("content-length", "0").split(",")}
            if len(values) > 1:
                return self._fail(FailureKind.PROTOCOL, "conflicting Content-Length headers")
            digits = values.pop()
            if not (digits.isascii() and digits.isdigit()):
                return self._fail(FailureKind.PROTOCOL, "invalid Content-Length")
            self._declared = length = int(digits.lstrip("0")[: LENGTH_DIGITS + 1] or "0")
        bodiless = self._is_bodiless(status)
        if bodiless:
            length = 0
        elif codings is not None and length:
            self._end = length  # libcurl waits for the end of the connection, whatever the coding
            self._limit = length - 1
        if 200 <= status < 300:
            given = () if self._max_bytes else self._options.headers  # they may request a part
            self._part = unexpected_part(status, headers.get("content-range", ""), given)
        if status in REDIRECTS and not self._read_location(headers):
            return False
        if self._options.no_follow and not self._max_bytes:
            self.location = None
        if self.location is not None:
            self._is_unused = True
        if self._is_unused:
            self._limit = min(self._limit, UNUSED_BODY) if self._end else UNUSED_BODY
            return length <= UNUSED_BODY
        limit = self._options.max_filesize
        if limit is not None and length > limit and not self._max_bytes:
            message = f"Content-Length exceeds {limit} bytes"
            return self._fail(FailureKind.TOO_LARGE, message)
        if self._keep and self._options.accepts(status):
            self._kept = io.BytesIO()
        return bodiless or self._read_codings(headers)

    def _read_location(self, headers: Headers) -> bool:
        """Set the redirect target. An empty `Location` is ignored, as in curl; several different ones
        suggest header injection, and browsers reject them, too."""
        values = set(headers.get_all("location"))
        if len(values) > 1:
            return self._fail(FailureKind.PROTOCOL, "conflicting Location headers")
        for value in values:
            if value:
                self.location = value
        return True

    def _read_codings(self, headers: Headers) -> bool:
        """Set up the decoders: the coding applied last is decoded first (RFC 9110 section 8.4)."""
        value = headers.get("content-encoding", "")
        names = [name for token in value.split(",") if (name := token.strip().lower())]
        if len(names) > MAX_CODINGS:
            return self._fail(FailureKind.DECODE, f"more than {MAX_CODINGS} content encodings")
        names = [name for name in names if name != "identity"]
        if not names:
            return True
        if any(name not in CODINGS for name in names):
            self.content_encoding = one_line(", ".join(names), ENCODING_SHOWN)
        else:
            codings = [CODINGS[name] for name in reversed(names)]
            self._decoding = Decoding(codings, self._limit, self._max_bytes)
        return True

    @property
    def is_at_end(self) -> bool:
        """Whether the body is complete by its length, if the transport does not check that."""
        return 0 < self._end == self.size_download

    def _exceeds_limit(self, chunk: bytes) -> bool:
        """Stop reading at a limit. This is a failure unless the body is complete or not needed."""
        if self._end and self.failure is None:
            missing = len(chunk) - (self.size_download - self._end)  # bytes after the body don't belong to it
            self.size_download = self._end
            if self._decoding is not None:
                self._decoding.feed(chunk[:missing], None if self._kept is None else self._keep_piece)
                return self._decoded()
            if self._kept is not None:
                self._keep_piece(chunk[:missing])
        elif not self._is_unused and self.failure is None:
            self._fail(FailureKind.TOO_LARGE, f"the body is larger than {self._limit} bytes")
        return False

    def _fail(self, kind: FailureKind, message: str) -> bool:
        """Return False, which makes the transport stop."""
        self.failure = Failure(kind, message)
        self._kept = None
        return False


def transfer_coding(headers: Headers) -> str:
    """Return the header that determines the body's end instead of a length; empty if there is none.
    `identity` never determined it (RFC 2616 section 3.6)."""
    names = [name.strip() for name in headers.get("transfer-encoding", "").lower().split(",")]
    return ", ".join(name for name in names if name and name != "identity")
