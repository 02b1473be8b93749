"""Passes the content of a response to another thread while it is received. In: the steps of a fetch. Out: a
`ContentStream`, from which one other thread reads. The content waits in a temporary file, so that a slow
reader does not delay the transfer, and memory does not grow with the content.
"""

from __future__ import annotations

import os
from tempfile import TemporaryFile
from threading import Condition

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.http.throttle import body_of
from fetchpool.model.addresses import address_is_public
from fetchpool.transports.base import HopRequest, ResponseHandler, ResponseHead, Steps
from fetchpool.transports.lookup import parse_ip
from fetchpool.transports.resolver import shared


class ContentStream:
    """The decoded content of one response. One thread writes, another one reads."""

    def __init__(self) -> None:
        """Raises `OSError` if there is no usable directory for temporary files."""
        self._file = TemporaryFile(buffering=0)  # noqa: SIM115 - `close()` closes it
        self._changed = Condition()
        self._written = self._taken = 0
        self._ended = self._closed = False
        self._failure: OSError | None = None
        self._is_public: bool | None = None

    @property
    def is_public(self) -> bool | None:
        """Whether the server has a public address; None if that is not known during the transfer."""
        return self._is_public

    def write(self, piece: bytes, *, is_public: bool | None) -> bool:
        """Add a piece; return whether more is wanted. Raises nothing."""
        with self._changed:
            if self._closed or self._failure is not None:
                return False
            try:
                self._written += os.pwrite(self._file.fileno(), piece, self._written)
            except OSError as failure:
                self._failure = failure
            self._is_public = is_public
            self._changed.notify_all()
            return self._failure is None

    def end(self) -> None:
        """Record that the response has ended, complete or not."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def read(self, size: int) -> bytes:
        """Wait for content, and return up to `size` bytes of it; empty at the end. If it is not known whether
        the server is public, this waits for the end. Raises `OSError`."""
        with self._changed:
            self._changed.wait_for(self._is_readable)
            if self._failure is not None:
                raise self._failure
            if self._closed:
                return b""
            piece = os.pread(self._file.fileno(), min(size, self._written - self._taken), self._taken)
            self._taken += len(piece)
            return piece

    def close(self) -> None:
        """Drop the content; the transfer ends with its next piece. Idempotent."""
        with self._changed:
            self._closed = True
            self._file.close()
            self._changed.notify_all()

    def _is_readable(self) -> bool:
        if self._ended or self._closed or self._failure is not None:
            return True
        return self._written > self._taken and self._is_public is not None


class StreamedBody:
    """The `ResponseHandler` of a hop that passes everything on, and copies the body's content to a stream."""

    def __init__(self, hop: HopRequest, stream: ContentStream, options: FetchOptions) -> None:
        body = body_of(hop.receiver)
        assert isinstance(body, ResponseBody)
        self._body = body
        self._receiver: ResponseHandler = hop.receiver
        self._hop = hop
        self._stream = stream
        self._options = options
        self._is_public: bool | None = None

    def on_head(self, head: ResponseHead) -> bool:
        self._is_public = served_publicly(self._hop, self._options)
        return self._receiver.on_head(head)

    def feed(self, chunk: bytes) -> bool:
        more = self._receiver.feed(chunk)
        return self._hand_on() and more

    @property
    def pending(self) -> bool:
        return self._receiver.pending

    def resume(self) -> bool:
        more = self._receiver.resume()
        return self._hand_on() and more

    @property
    def ready_at(self) -> float:
        return self._receiver.ready_at

    def _hand_on(self) -> bool:
        piece = self._body.take()
        return not piece or self._stream.write(piece, is_public=self._is_public)


def streamed(steps: Steps, stream: ContentStream, options: FetchOptions) -> Steps:
    """Yield the same hops, whose content goes to the stream."""
    try:
        hop = next(steps)
        while True:
            if isinstance(hop, HopRequest):
                hop.receiver = StreamedBody(hop, stream, options)
            hop = steps.send((yield hop))
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]  # an Outcome
    finally:
        steps.close()


def served_publicly(hop: HopRequest, options: FetchOptions) -> bool | None:
    """Return whether the server of a hop, whose connection is open, has a public address. None if the host
    has addresses of both kinds, or if a proxy or libcurl has resolved it."""
    if options.has_proxy:
        return None
    host, _, port = hop.authority.rpartition(":")
    ips = hop.addresses
    if not ips and parse_ip(host.strip("[]"), int(port)) is not None:
        ips = (host,)
    if not ips and (found := shared(options.ip_version).cached(host)) is not None:
        ips = found.ips
    kinds = {address_is_public(ip.strip("[]")) for ip in ips}
    return kinds.pop() if len(kinds) == 1 else None
