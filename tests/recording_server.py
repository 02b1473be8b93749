"""An HTTP/1.1 server that records requests with their bodies, for tests of what a request has.

In: requests on loopback. Out: what the path asks for: `/status/403`, `/redirect/307/URL` (quoted),
`/cookie/a=1` (sets a cookie, and redirects to `/`), `/login/a=1` (sets a cookie), `/size/1000`; any other
path is a page. A thread for each connection.
"""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    """By lower-case name; repeated ones joined by a comma."""
    body: bytes
    peer: str
    """The address of the client."""


class Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: RecordingServer

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        names = {name.lower() for name in self.headers}
        headers = {name: ", ".join(self.headers.get_all(name) or ()) for name in names}
        self.server.requests.append(Request(self.command, self.path, headers, body, self.client_address[0]))
        first, _, rest = self.path.removeprefix("/").partition("/")
        status, content, more = 200, b"<title>page</title>", []
        if first == "status":
            status = int(rest)
        elif first == "redirect":
            number, _, target = rest.partition("/")
            status, more = int(number), [("Location", unquote(target))]
        elif first == "cookie":
            status, more = 302, [("Set-Cookie", unquote(rest)), ("Location", "/")]
        elif first == "login":
            more = [("Set-Cookie", unquote(rest))]
        elif first == "size":
            rest = rest.partition("?")[0]
            content = b"x" * int(rest)
        if status in (204, 304):
            content = b""
        self.send_response(status)
        for name, value in more:
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


class RecordingServer(ThreadingHTTPServer):
    """Listens on a free port, from `with` to the end of it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        if ":" in host:
            self.address_family = 10  # AF_INET6
        super().__init__((host, 0), Handler)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.scheme = "http" if tls is None else "https"
        self.host = f"[{host}]" if ":" in host else host
        self.requests: list[Request] = []
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02})

    def url(self, path: str = "", host: str | None = None) -> str:
        return f"{self.scheme}://{host or self.host}:{self.server_port}/{path}"

    def handle_error(self, *_: Any) -> None:
        """A client that closes the connection is no error."""

    def __enter__(self) -> RecordingServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
