"""Reads libcurl's debug output for TLS records and HTTP/2 frames, which it does not report otherwise.

In: libcurl's debug callback. Out: two findings, which other modules interpret. An HTTP/2 stream that was
reset with NO_ERROR before its END_STREAM is a complete response to libcurl (RFC 9113 section 8.1: it is not).
And bytes after a response may stay in OpenSSL's buffers unnoticed: libcurl reads no more of a body than its
length, which may end within a record, and OpenSSL reads ahead in complete records.

Only https is traced, which costs 3 µs for each fetch, and 8 for one with HTTP/2; plain HTTP/1.1 has neither
frames nor records.
"""

from __future__ import annotations

import ctypes
import re
from collections import deque
from functools import cache

import pycurl

from fetchpool.transports.curl.connections import Ends
from fetchpool.transports.unread import received

TRACED = 0x081500
"""The oldest libcurl whose debug output was checked, 8.21."""
MAX_ENDED = 100
"""The number of ended connections that are remembered."""
TEXT, HEADER_OUT = pycurl.INFOTYPE_TEXT, pycurl.INFOTYPE_HEADER_OUT
RECORD_IN, RECORD_OUT = pycurl.INFOTYPE_SSL_DATA_IN, pycurl.INFOTYPE_SSL_DATA_OUT
RECORDS = range(0x14, 0x18)
"""The types of TLS records. No handshake message of five bytes begins with one."""
DATA_RECORD = 0x17
"""The type of a TLS record with application data, in its header and, from TLS 1.3 on, within it."""
RECORD_HEADER, INNER_TYPE = 5, 1
"""Lengths that distinguish OpenSSL's messages (SSL_CTX_set_msg_callback)."""
EXACT = frozenset((16, 17, 24))
"""Bytes of each record in addition to its data, for ciphers with a constant number: ChaCha20 and AES-GCM of
TLS 1.2, and all ciphers of TLS 1.3. Block ciphers add padding."""
OPENED = re.compile(rb"\[HTTP/2\] \[(\d+)\] OPENED stream ")
RECEIVED = re.compile(
    rb"\[HTTP/2\] \[(\d+)\] <- FRAME\[(?:(?:DATA|HEADERS), .*eos=(1)|RST_STREAM, .*error=0\])"
)
GOAWAY = re.compile(rb"received GOAWAY, error=[1-9]")
LEFTOVERS = b"Leftovers after chunking"

Stream = tuple[Ends | None, bytes]
"""A connection's ends and a stream's number."""


@cache
def traces_frames() -> bool:
    """Whether libcurl reports HTTP/2 frames; enables that, once per process. pycurl has no function for
    it, and its own copy of libcurl may hide the symbol."""
    if pycurl.version_info()[2] < TRACED:
        return False
    try:
        from pycurl import _pycurl

        trace = ctypes.CDLL(_pycurl.__file__).curl_global_trace
    except (ImportError, OSError, AttributeError):
        return False
    return bool(trace(b"http/2") == 0)


class Streams:
    """The HTTP/2 streams of one connection pool. Frames are reported to whichever transfer happens to
    read."""

    def __init__(self) -> None:
        self.ended: set[Stream] = set()
        """Streams ended by END_STREAM."""
        self.cut: set[Stream] = set()
        """Streams ended by RST_STREAM with NO_ERROR, without END_STREAM before."""
        self.gone: deque[Ends | None] = deque(maxlen=MAX_ENDED)
        """Connections that the server closed because of an error."""

    def record_frame(self, ends: Ends | None, line: bytes) -> None:
        """Record a line of debug output with a frame of that connection."""
        if frame := RECEIVED.match(line):
            number, end = frame.groups()
            if end:
                self.ended.add((ends, number))
            elif (ends, number) not in self.ended:
                self.cut.add((ends, number))

    def forget(self, stream: Stream) -> None:
        """Forget a stream."""
        self.ended.discard(stream)
        self.cut.discard(stream)


class CurlTrace:
    """Records the TLS of one handle. `on_debug` is its debug callback."""

    def __init__(self, streams: Streams, opened: list[int]) -> None:
        """`opened`: connections that the current hop has opened."""
        self._streams = streams
        self._opened = opened
        self.before = 0
        """Bytes that a new connection received before TLS began: a proxy's."""
        self.ends: Ends | None = None
        """The ends of the hop's connection; None until the request is sent."""
        self._stream: Stream | None = None
        self._sent = self._overhead = 0
        self._came = self._last = 0
        self.records = 0
        """Bytes of TLS records that were received in this hop and processed."""
        self._leftovers = False

    def begin(self) -> None:
        """Begin a hop."""
        self.ends = self._stream = None
        self._sent = self._overhead = 0
        self._came = self._last = self.records = 0
        self._leftovers = False

    @property
    def multiplexed(self) -> bool:
        """Whether the hop uses an HTTP/2 stream."""
        return self._stream is not None

    def on_debug(self, kind: int, data: bytes) -> None:
        """Handle libcurl's debug callback."""
        if kind == TEXT:
            if b"FRAME[" in data:
                self._streams.record_frame(self.ends, data)
            elif b"OPENED" in data:
                if opened := OPENED.match(data):
                    self._stream = self.ends, opened[1]
            elif b"GOAWAY" in data:
                if GOAWAY.match(data):
                    self._streams.gone.append(self.ends)
            elif data.find(LEFTOVERS) >= 0:
                self._leftovers = True
        elif kind == RECORD_IN:
            if len(data) == RECORD_HEADER and data[0] in RECORDS:
                size = int.from_bytes(data[3:], "big")
                self.records += RECORD_HEADER + size
                if data[0] == DATA_RECORD:
                    self._last = size - self._overhead
                    self._came += self._last
            elif len(data) == INNER_TYPE and data[0] != DATA_RECORD:
                self._came -= self._last  # a session ticket, or an alert
                self._last = 0
        elif kind == RECORD_OUT:
            if not self._sent:
                self.before = sum(received(descriptor) or 0 for descriptor in self._opened)
            if len(data) == RECORD_HEADER:
                self._sent = int.from_bytes(data[3:], "big")
        elif kind == HEADER_OUT:  # the request, in one record: its overhead is the response's, too
            self._overhead = self._sent - len(data)
            self._came = self._last = 0

    def has_surplus(self, size: int | None) -> bool:
        """Whether more than a response of this size, including its head, may have been received; None if it
        was chunked, since libcurl reads chunked responses to the end of the available data."""
        if size is None:
            return self._leftovers
        return self._overhead not in EXACT or self._came != size

    def end(self) -> tuple[bool, bool]:
        """End the hop. Return whether its stream was truncated, and whether its connection was closed by
        an error."""
        stream = self._stream
        if stream is None:
            return False, False
        cut, gone = stream in self._streams.cut, stream[0] in self._streams.gone
        self._streams.forget(stream)
        return cut, gone
