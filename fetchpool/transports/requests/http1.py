"""Reading one HTTP/1.1 answer off a connection (RFC 9112), strictly and in bounded memory.

In: a connected socket, plain or TLS. Out: the final header block, then the body as it comes, transfer
coding removed. It decodes no content, opens and closes nothing, and knows no deadline: whoever owns
the socket shuts it down, and the answer ends there.

Why not `http.client`'s own reader: it takes 103 for a final answer, ends a header block in silence at
the first line it can't parse, allows a hundred headers in all, takes a chunk size of -5, ignores
conflicting lengths, and forgets the lines as they were sent (faults 15 to 19). Its exceptions are
kept where they say the right thing.
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
"""Bytes of all header blocks of an answer, and of its trailers; libcurl's limit
(MAX_HTTP_RESP_HEADER_SIZE). A server that sends more would keep a core busy until the deadline."""
MAX_CHUNK_LINE = 16 * 1024
"""Bytes of a chunk's size with its extensions, and of one trailer."""
READ_HEAD = 16 * 1024
"""Bytes asked of the socket at once: a small answer comes in one read, and two thousand workers that
wait for theirs don't hold much."""
READ_BODY = 64 * 1024

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: |$)")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;|$)")


class Readable(Protocol):
    """A socket, as far as it is needed here."""

    def recv(self, amount: int, /) -> bytes: ...


class ResponseReader:
    """One answer. `read_head()` once, then `read1()` until it returns nothing."""

    __slots__ = (
        "_buffer",
        "_chunked",
        "_heard",
        "_in_chunk",
        "_left",
        "_length",
        "_method",
        "_ragged",
        "_socket",
        "complete",
        "headers",
        "status",
        "status_line",
        "version",
        "will_close",
    )

    def __init__(self, connection: Readable, method: str, heard: Callable[[], None]) -> None:
        """`heard` is called whenever bytes have come."""
        self._socket = connection
        self._method = method
        self._heard = heard
        self._buffer = bytearray()
        """What came and is not yet taken: never more than one read beyond what is being parsed."""
        self._chunked = False
        self._in_chunk = False
        """A chunk's line end has not been read yet."""
        self._length: int | None = None
        """Of the body, when the head told."""
        self._left = 0
        """Bytes still to come, of the body or of the chunk."""
        self._ragged = False
        """TLS ended without saying so."""
        self.status = 0
        self.status_line = b""
        self.version = 11
        """10 or 11, as `http.client` has it."""
        self.headers = Headers([])
        self.complete = False
        """The whole answer was read."""
        self.will_close = True
        """No other answer may come on this connection."""

    @property
    def reusable(self) -> bool:
        """The connection is where the next answer will begin."""
        return self.complete and not self.will_close and not self._buffer

    @property
    def has_surplus(self) -> bool:
        """More came than the answer, by a connection that may carry another."""
        return self.complete and not self.will_close and bool(self._buffer)

    # The head

    def read_head(self) -> None:
        """Reads until the final header block is complete, skipping those of 1xx.

        Raises `TransportError` (`empty_reply`, `truncated`, `protocol`) and what the socket raises.
        """
        octets = 0
        while True:
            block = self._block()
            octets += len(block)
            if octets > MAX_HEAD:
                raise TransportError(FailureKind.PROTOCOL, f"more than {MAX_HEAD // 1024} KiB of headers")
            text = block.replace(b"\r\n", b"\n")
            if b"\r" in text or b"\0" in text:  # as libcurl has it: what follows may be taken for a line
                raise TransportError(FailureKind.PROTOCOL, "a carriage return or a NUL within a header")
            lines = text.split(b"\n")
            matched = STATUS_LINE.match(lines[0])
            if matched is None:
                raise TransportError(
                    FailureKind.PROTOCOL, "the answer does not begin with an HTTP status line"
                )
            status = int(matched[2])
            if status >= 200:
                break
            if status == 101:
                raise TransportError(FailureKind.PROTOCOL, "the server switched protocols unasked")
        self.status = status
        self.status_line = lines[0]
        self.version = 10 if matched[1] == b"0" else 11
        del lines[0]
        framing = check_headers(lines)
        self.headers = Headers(lines)
        self._frame(framing)

    def _block(self) -> bytes:
        """The next header block, without the blank line that ends it."""
        buffer = self._buffer
        scanned = 0
        while True:
            if not buffer.startswith(b"HTTP/"[: len(buffer)]):
                raise TransportError(FailureKind.PROTOCOL, "the answer is not HTTP")
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
        """Where the body ends (RFC 9112 section 6.3)."""
        options = [option.strip() for value in framing.get(b"connection", []) for option in value.split(b",")]
        if self.version == 11:
            self.will_close = any(option.lower() == b"close" for option in options)
        else:
            self.will_close = not any(option.lower() == b"keep-alive" for option in options)
        if self._method == "HEAD" or self.status in (204, 304):
            self.complete = True
        elif is_chunked(framing.get(b"transfer-encoding", [])):
            self._chunked = True  # whatever length there is beside it
        elif (length := content_length(framing.get(b"content-length", []))) is not None:
            self._length = self._left = length
            self.complete = length == 0
        else:
            self.will_close = True

    # The body

    def read1(self, amount: int = READ_BODY, decode_content: bool = False) -> bytes:  # noqa: ARG002
        """At most `amount` bytes of the body, as soon as there are some; nothing at its end.
        `decode_content` is urllib3's: here nothing ever is.

        Raises `TransportError` (`truncated`, `protocol`) and what the socket raises.
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
        received = self._take(amount)
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
        elif self._ragged:  # without its close_notify anybody may have cut it (RFC 8446 section 6.1)
            raise TransportError(FailureKind.TRUNCATED, "the TLS connection was cut inside the body")
        else:
            self.complete = True
        return received

    def _next_chunk(self) -> None:
        """Reads up to the first byte of the next chunk, or to the end of the answer."""
        if self._in_chunk and self._line():
            raise TransportError(FailureKind.PROTOCOL, "a chunk is longer than it says")
        size = CHUNK_SIZE.match(self._line())
        if size is None:
            raise TransportError(FailureKind.PROTOCOL, "a chunk without a size")
        self._left = int(size[1], 16)
        self._in_chunk = True
        if not self._left:
            octets = 0
            while trailer := self._line():  # none is kept
                octets += len(trailer)
                if octets > MAX_HEAD:
                    raise TransportError(
                        FailureKind.PROTOCOL, f"more than {MAX_HEAD // 1024} KiB of trailers"
                    )
            self.complete = True

    def _line(self) -> bytes:
        """The next line of the chunked coding, without its end."""
        buffer = self._buffer
        scanned = 0
        while (end := buffer.find(b"\n", scanned)) < 0:
            scanned = len(buffer)
            if scanned > MAX_CHUNK_LINE:
                raise TransportError(FailureKind.PROTOCOL, "an endless line in the chunked body")
            received = self._receive(READ_BODY)
            if not received:
                raise TransportError(FailureKind.TRUNCATED, "the connection ended inside the chunked body")
            buffer += received
        line = bytes(buffer[:end])
        del buffer[: end + 1]
        return line.removesuffix(b"\r")

    def _take(self, amount: int) -> bytes:
        """Bytes that are here already, or else what the next read brings."""
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
            # Before Python 3.11.4 it is no SSLEOFError.
            if not isinstance(error, ssl.SSLEOFError) and error.reason != "UNEXPECTED_EOF_WHILE_READING":
                raise
            self._ragged = True
            return b""
        if received:
            self._heard()
        return received
