"""Validates the headers that determine the end of an HTTP/1.1 response's body (RFC 9112 section 6). In:
header lines. Out: the framing, or a `TransportError` for anything that libcurl also rejects.
"""

from __future__ import annotations

import re
from http.client import HTTPException

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure

MAX_HEADER_LINE = 100 * 1024
"""Bytes; libcurl's limit (CURL_MAX_HTTP_HEADER)."""
MAX_HEADERS = 5000
"""Lines; libcurl's limit (MAX_HTTP_RESP_HEADER_COUNT)."""
MAX_FOLDS = 100
"""Lines that a framing header may be folded over (RFC 9112 section 5.2)."""
CONTENT_LENGTH = re.compile(rb"[0-9]+")
LENGTH_DIGITS = 20
"""Digits of a `Content-Length`, without leading zeros; a longer one is over every limit anyway."""
FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection"))
"""The headers that determine the end of the response, and whether another may follow."""


class TransportError(HTTPException):
    """The bytes are not a complete HTTP response. `str()` is one line for the user."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class ProxyError(TransportError):
    """The proxy did not connect; `failure` says why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.kind, failure.message)
        self.failure = failure


def end_of_block(buffer: bytearray, start: int) -> int:
    """Return where the line before the first empty one ends; -1 if there is none yet. Some servers send
    bare line feeds (RFC 9112 section 2.2)."""
    strict = buffer.find(b"\n\r\n", start)
    bare = buffer.find(b"\n\n", start, strict + 1 if strict >= 0 else len(buffer))
    return bare if bare >= 0 else strict


def check_headers(lines: list[bytes]) -> dict[bytes, list[bytes]]:
    """Return the values of the framing headers. Raises `TransportError` for anything that libcurl also
    rejects: too many or too long lines, a line without a colon."""
    if len(lines) > MAX_HEADERS:
        raise TransportError(FailureKind.PROTOCOL, f"more than {MAX_HEADERS} headers")
    framing: dict[bytes, list[bytes]] = {}
    name = b""
    folds = 0
    for number, line in enumerate(lines):
        if len(line) > MAX_HEADER_LINE:
            raise TransportError(FailureKind.PROTOCOL, "header too long")
        if number and line[:1] in b" \t":  # obs-fold: it continues the line before (RFC 9112 section 5.2)
            if name in FRAMING:
                folds += 1
                if folds > MAX_FOLDS:
                    message = f"{name.decode()} is folded over more than {MAX_FOLDS} lines"
                    raise TransportError(FailureKind.PROTOCOL, message)
                framing[name][-1] += b" " + line.strip()
            continue
        name, colon, value = line.partition(b":")
        if not colon:
            raise TransportError(FailureKind.PROTOCOL, "header without a colon")
        name = name.lower()  # a space before the colon makes it another header, as in libcurl
        if name in FRAMING:
            framing.setdefault(name, []).append(value.strip())
    return framing


def is_chunked(values: list[bytes]) -> bool:
    """Whether the `Transfer-Encoding` headers say chunked, once or several times; `identity` before it
    means nothing. Anything else is rejected, as in libcurl."""
    chunked = False
    for value in values:
        ended = False
        for name in filter(None, (token.strip().lower() for token in value.split(b","))):
            if name == b"chunked":
                chunked = ended = True
            elif ended or name != b"identity":
                raise TransportError(FailureKind.PROTOCOL, "unsupported Transfer-Encoding")
    return chunked


def content_length(values: list[bytes]) -> int | None:
    """Return the one length that all `Content-Length` headers agree on (RFC 9110 section 8.6)."""
    lengths = {length.strip() for value in values for length in value.split(b",")}
    if not lengths:
        return None
    if len(lengths) > 1:
        raise TransportError(FailureKind.PROTOCOL, "conflicting Content-Length headers")
    length = lengths.pop()
    if not CONTENT_LENGTH.fullmatch(length):
        raise TransportError(FailureKind.PROTOCOL, "invalid Content-Length")
    return int(length.lstrip(b"0")[:LENGTH_DIGITS] or b"0")
