"""Reads one HTTP/1.1 response from a connection (RFC 9112), strictly and in bounded memory.

In: a connected socket, plain or TLS. Out: the final header block, then the body as received, transfer coding
removed. The module decodes no content, opens and closes nothing, and has no deadline: the owner of the socket
shuts it down, which ends the response.

`http.client`'s own reader is not used: it takes 103 for a final response, silently ends a header block at the
first line that it can't parse, allows only a hundred headers, accepts a chunk size of -5, ignores conflicting
lengths, and discards the raw lines (faults 15 to 19). Its exceptions are used where they fit.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Callable
from typing import Protocol

from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Headers
from fetchpool.transports.requests.framing import (
    TransportError,
    check_headers,
    content_length,
    end_of_block,
    is_chunked,
)

MAX_HEAD = 300 * 1024
"""Maximum size of all header blocks of a response, and of its trailers, in bytes; libcurl's limit
(MAX_HTTP_RESP_HEADER_SIZE). A server that sends more would keep a core busy until the deadline."""
MAX_CHUNK_LINE = 16 * 1024
"""Maximum length in bytes of a chunk's size with its extensions, and of one trailer."""
READ_HEAD = 16 * 1024
"""Number of bytes that are read from the socket at once: a small response needs one read, and two thousand
waiting workers hold little memory."""
READ_BODY = 64 * 1024

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: |$)")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;|$)")


class Readable(Protocol):
    """The part of a socket's interface that is used here."""

    def recv(self, amount: int, /) -> bytes: ...


class ResponseReader:
    """Reads one response: `read_head()` once, then `read1()` until it returns nothing."""

    __slots__ = (
        "_buffer",
        "_chunked",
        "_in_chunk",
        "_left",
        "_length",
        "_method",
        "_on_received",
        "_ragged",
        "_socket",
        "complete",
        "headers",
        "status",
        "status_line",
        "version",
        "will_close",
    )

    def __init__(self, connection: Readable, method: str, on_received: Callable[[], None]) -> None:
        """`on_received` is called whenever bytes are received."""
        self._socket = connection
        self._method = method
        self._on_received = on_received
        self._buffer = bytearray()
        """Bytes received but not parsed yet: never more than one read."""
        self._chunked = False
        self._in_chunk = False
        """Whether a chunk's line end has not been read yet."""
        self._length: int | None = None
        """The body's length, if the head has it."""
        self._left = 0
        """Bytes left of the body or of the chunk."""
        self._ragged = False
        """Whether TLS ended without a close_notify."""
        self.status = 0
        self.status_line = b""
        self.version = 11
        """10 or 11, as in `http.client`."""
        self.headers = Headers([])
        self.complete = False
        """Whether the complete response was read."""
        self.will_close = True
        """Whether the server will close this connection."""

    @property
    def reusable(self) -> bool:
        """Whether the connection can be reused."""
        return self.complete and not self.will_close and not self._buffer

    @property
    def has_surplus(self) -> bool:
        """Whether bytes followed the response on a connection that may carry another."""
        return self.complete and not self.will_close and bool(self._buffer)

    # The head

    def read_head(self) -> None:
        """Read until the final header block is complete, skipping those of 1xx.

        Raises `TransportError` (`empty_reply`, `truncated`, `protocol`) and the socket's exceptions.
        """
        octets = 0
        while True:
            block = self._block()
            octets += len(block)
            if octets > MAX_HEAD:
                raise TransportError(FailureKind.PROTOCOL, f"more than {MAX_HEAD // 1024} KiB of headers")
            text = block.replace(b"\r\n", b"\n")
            if b"\r" in text or b"\0" in text:  # as in libcurl
                raise TransportError(FailureKind.PROTOCOL, "a carriage return or a NUL within a header")
            lines = text.split(b"\n")
            matched = STATUS_LINE.match(lines[0])
            if matched is None:
                raise TransportError(FailureKind.PROTOCOL, "invalid status line")
            status = int(matched[2])
            if status >= 200:
                break
            if status == 101:
                raise TransportError(FailureKind.PROTOCOL, "unexpected 101 Switching Protocols")
        self.status = status
        self.status_line = lines[0]
        self.version = 10 if matched[1] == b"0" else 11
        del lines[0]
        framing = check_headers(lines)
        self.headers = Headers(lines)
        self._frame(framing)

    def _block(self) -> bytes:
        """Return the next header block, without the empty line that ends it."""
        buffer = self._buffer
        scanned = 0
        while True:
            if not buffer.startswith(b"HTTP/"[: len(buffer)]):
                raise TransportError(FailureKind.PROTOCOL, "malformed HTTP response")
            end = end_of_block(buffer, scanned)
            if end >= 0:
                break
            if len(buffer) > MAX_HEAD:
                raise TransportError(FailureKind.PROTOCOL, f"more than {MAX_HEAD // 1024} KiB of headers")
            scanned = max(0, len(buffer) - 3)
            received = self._receive(READ_HEAD)
            if not received:
                if not buffer:
                    raise TransportError(FailureKind.EMPTY_REPLY, FailureKind.EMPTY_REPLY.message)
                raise TransportError(FailureKind.TRUNCATED, "the connection ended inside the headers")
            buffer += received
        block = bytes(buffer[:end]).removesuffix(b"\r")
        del buffer[: end + (3 if buffer[end + 1 : end + 2] == b"\r" else 2)]
        return block

    def _frame(self, framing: dict[bytes, list[bytes]]) -> None:
        """Determine where the body ends (RFC 9112 section 6.3)."""
        options = [option.strip() for value in framing.get(b"connection", []) for option in value.split(b",")]
        if self.version == 11:
            self.will_close = any(option.lower() == b"close" for option in options)
        else:
            self.will_close = not any(option.lower() == b"keep-alive" for option in options)
        if self._method == "HEAD" or self.status in (204, 304):
            self.complete = True
        elif is_chunked(framing.get(b"transfer-encoding", [])):
            self._chunked = True  # any length in addition to it is ignored
        elif (length := content_length(framing.get(b"content-length", []))) is not None:
            self._length = self._left = length
            self.complete = length == 0
        else:
            self.will_close = True

    # The body

    def read1(self, amount: int = READ_BODY, decode_content: bool = False) -> bytes:  # noqa: ARG002
        """Return at most `amount` bytes of the body as soon as some are available; empty at its end.
        `decode_content` is urllib3's, and has no effect.

        Raises `TransportError` (`truncated`, `protocol`) and the socket's exceptions.
        """
        if self.complete:
            return b""
        if self._chunked:
            if not self._left:
                self._next_chunk()
                if self.complete:
                    return b""
            amount = min(amount, self._left)
        elif self._length is not None:
            amount = min(amount, self._left)
        received = self._read_buffered(amount)
        if received:
            self._left -= len(received)
            self.complete = self._left == 0 and self._length is not None
        elif self._chunked:
            raise TransportError(FailureKind.TRUNCATED, "the connection ended inside the chunked body")
        elif self._length is not None:
            came = self._length - self._left
            raise TransportError(
                FailureKind.TRUNCATED, f"the body ended after {came} of {self._length} bytes"
            )
        elif self._ragged:  # without it anyone may have truncated the body (RFC 8446 section 6.1)
            raise TransportError(FailureKind.TRUNCATED, "the TLS connection was cut inside the body")
        else:
            self.complete = True
        return received

    def _next_chunk(self) -> None:
        """Read up to the first byte of the next chunk, or to the end of the response."""
        if self._in_chunk and self._line():
            raise TransportError(FailureKind.PROTOCOL, "invalid chunk: data exceeds chunk size")
        size = CHUNK_SIZE.match(self._line())
        if size is None:
            raise TransportError(FailureKind.PROTOCOL, "invalid chunk size")
        self._left = int(size[1], 16)
        self._in_chunk = True
        if not self._left:
            octets = 0
            while trailer := self._line():  # trailers are discarded
                octets += len(trailer)
                if octets > MAX_HEAD:
                    raise TransportError(
                        FailureKind.PROTOCOL, f"more than {MAX_HEAD // 1024} KiB of trailers"
                    )
            self.complete = True

    def _line(self) -> bytes:
        """Return the next line of the chunked coding, without its line end."""
        buffer = self._buffer
        scanned = 0
        while (end := buffer.find(b"\n", scanned)) < 0:
            scanned = len(buffer)
            if scanned > MAX_CHUNK_LINE:
                raise TransportError(FailureKind.PROTOCOL, "line too long in the chunked body")
            received = self._receive(READ_BODY)
            if not received:
                raise TransportError(FailureKind.TRUNCATED, "the connection ended inside the chunked body")
            buffer += received
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _read_buffered(self, amount: int) -> bytes:
        """Return the bytes that are buffered, or else those of the next read."""
        buffer = self._buffer
        if not buffer:
            return self._receive(amount)
        taken = bytes(buffer[:amount])
        del buffer[:amount]
        return taken

    def _receive(self, amount: int) -> bytes:
        try:
            received = self._socket.recv(amount)
        except ssl.SSLError as error:
            # Before Python 3.11.4 this is not an SSLEOFError.
            if not isinstance(error, ssl.SSLEOFError) and error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            self._ragged = True
            return b""
        if received:
            self._on_received()
        return received
