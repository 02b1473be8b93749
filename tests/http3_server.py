"""An HTTP/3 server on loopback (aioquic), for tests; without it they are skipped.

In: requests over QUIC. Out: what the path asks for: `/silent` (nothing), `/reset` (part of a body, and a
reset of the stream), `/size/1000`; any other path is a page. `requests` has the method, path and body of
each.
"""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("aioquic", reason="HTTP/3 needs a server (pip install aioquic)")

from aioquic.asyncio import QuicConnectionProtocol, serve
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ProtocolNegotiated


class Http3Server:
    """Listens on a free port of 127.0.0.1, from `with` to the end of it."""

    def __init__(self, certificate: Path, key: Path) -> None:
        self._configuration = QuicConfiguration(is_client=False, alpn_protocols=H3_ALPN)
        self._configuration.load_cert_chain(certificate, key)
        self.requests: list[tuple[str, str, bytes]] = []
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def url(self, path: str = "") -> str:
        return f"https://127.0.0.1:{self.port}/{path}"

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            serve("127.0.0.1", 0, configuration=self._configuration, create_protocol=self._protocol)
        )
        self.port = server._transport.get_extra_info("sockname")[1]
        self._started.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    def _protocol(self, *arguments: Any, **options: Any) -> Connection:
        return Connection(*arguments, requests=self.requests, **options)

    def __enter__(self) -> Http3Server:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()


class Connection(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, requests: list[tuple[str, str, bytes]], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._requests = requests
        self._http: H3Connection | None = None
        self._streams: dict[int, tuple[str, str, bytes]] = {}

    def quic_event_received(self, event: Any) -> None:
        if isinstance(event, ProtocolNegotiated):
            self._http = H3Connection(self._quic)
        if self._http is None:
            return
        for received in self._http.handle_event(event):
            if isinstance(received, HeadersReceived):
                fields = dict(received.headers)
                self._streams[received.stream_id] = (
                    fields[b":method"].decode(),
                    fields[b":path"].decode(),
                    b"",
                )
            elif isinstance(received, DataReceived):
                method, path, body = self._streams[received.stream_id]
                self._streams[received.stream_id] = (method, path, body + received.data)
            if received.stream_ended:
                self._answer(received.stream_id)

    def _answer(self, stream: int) -> None:
        request = self._streams.pop(stream)
        self._requests.append(request)
        method, path, _ = request
        if path == "/silent":
            return
        body = b"<title>page</title>"
        if path.startswith("/size/"):
            body = b"x" * int(path.removeprefix("/size/"))
        length = len(body) + (1000 if path == "/reset" else 0)
        headers = [(b":status", b"200"), (b"content-length", str(length).encode())]
        assert self._http is not None
        self._http.send_headers(stream, headers, end_stream=method == "HEAD")
        if method != "HEAD":
            self._http.send_data(stream, body, end_stream=path != "/reset")
        if path == "/reset":
            self._quic.reset_stream(stream, 0x102)
        self.transmit()
