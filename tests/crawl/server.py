"""An HTTP/1.1 server for crawls: it serves a site that is computed for each request, and counts requests.

In: a site, which is a function from `Request` to `Answer`. Out: responses on loopback, the number of requests
for each URL, and the most requests that were in flight at once. One thread with an event loop serves all
clients; `python -m tests.crawl.server` is the same as a process, for a large site.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import ssl
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from time import monotonic
from typing import NamedTuple

REASONS = {200: "OK", 301: "Moved Permanently", 302: "Found", 404: "Not Found", 429: "Too Many Requests"}
COUNTS = "/counts"
"""What the process answers with the number of requests and the most in flight at once."""


class Request(NamedTuple):
    """A request for a page."""

    method: str
    host: str
    """As in the `Host` header, with the port."""
    target: str
    head: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        return self.target.partition("?")[2]

    @property
    def url(self) -> str:
        return f"{self.host}{self.target}"


class Answer(NamedTuple):
    """A response."""

    body: bytes = b""
    status: int = 200
    content_type: str | None = "text/html; charset=utf-8"
    headers: Sequence[str] = ()
    delay: float = 0.0
    """Seconds until it is sent."""


NOT_FOUND = Answer(b"<title>There is no such page</title>", 404)
Site = Callable[[Request], Answer]


def page(*links: str, text: str = "", **options: object) -> Answer:
    """Return a page with these links, in this order."""
    anchors = "".join(f'<a href="{link}">x</a>\n' for link in links)
    return Answer(f"<!doctype html><title>x</title>{text}\n{anchors}".encode(), **options)  # type: ignore[arg-type]


def redirect(target: str, status: int = 302) -> Answer:
    return Answer(status=status, headers=(f"Location: {target}",))


def pages(site: dict[str, Answer]) -> Site:
    """Return the site that has these targets, and no other."""

    def answer(request: Request) -> Answer:
        return site.get(request.target, NOT_FOUND)

    return answer


class Connection(asyncio.Protocol):
    """The server's end of one connection."""

    def __init__(self, server: SiteServer) -> None:
        self._server = server
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while True:
            head, end, rest = self._received.partition(b"\r\n\r\n")
            if not end:
                return
            self._received = rest
            self._request(head)

    def _request(self, head: bytes) -> None:
        method, target, _ = head.partition(b"\r\n")[0].decode("latin-1").split(" ", 2)
        at = head.lower().find(b"\r\nhost:")
        host = head[at + 7 :].partition(b"\r\n")[0].strip().decode("latin-1") if at >= 0 else ""
        request = Request(method, host, target, head)
        self._server.begin(request)
        answer = self._server.site(request)
        if answer.delay:
            self._server.loop.call_later(answer.delay, self._answer, request, answer)
        else:
            self._answer(request, answer)

    def _answer(self, request: Request, answer: Answer) -> None:
        self._server.end(request)
        lines = [f"HTTP/1.1 {answer.status} {REASONS.get(answer.status, 'x')}", *answer.headers]
        if answer.content_type is not None:
            lines.append(f"Content-Type: {answer.content_type}")
        lines.append(f"Content-Length: {len(answer.body)}\r\n\r\n")
        body = b"" if request.method == "HEAD" else answer.body
        if not self._transport.is_closing():
            self._transport.write("\r\n".join(lines).encode("latin-1") + body)


class SiteServer:
    """A site on a free port, the same on each of `addresses`, from `with` to the end of it."""

    def __init__(
        self,
        site: Site,
        addresses: Sequence[str] = ("127.0.0.1",),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.site = site
        self._addresses = addresses
        self._tls = tls
        self.scheme = "http" if tls is None else "https"
        self.port = 0
        self.forget()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._ready = threading.Event()

    def forget(self) -> None:
        """Count from zero again, as a test does that shares the server with others."""
        self.requests: Counter[str] = Counter()
        """The number of requests for each URL, without the scheme."""
        self.order: list[str] = []
        """These URLs, in the order of the requests."""
        self.methods: Counter[str] = Counter()
        self.last_answer = 0.0
        """The time of the last response, on the monotonic clock."""
        self._in_flight: Counter[str] = Counter()
        self.most_in_flight: Counter[str] = Counter()
        """The most requests at once, by host; `""` is all hosts."""

    def begin(self, request: Request) -> None:
        self.requests[request.url] += 1
        self.order.append(request.url)
        self.methods[request.method] += 1
        for key in ("", request.host):
            self._in_flight[key] += 1
            self.most_in_flight[key] = max(self.most_in_flight[key], self._in_flight[key])

    def end(self, request: Request) -> None:
        for key in ("", request.host):
            self._in_flight[key] -= 1
        self.last_answer = monotonic()

    def host(self, address: str = "") -> str:
        return f"{address or self._addresses[0]}:{self.port}"

    def url(self, target: str = "/", address: str = "") -> str:
        return f"{self.scheme}://{self.host(address)}{target}"

    def hits(self, target: str, address: str = "") -> int:
        """Return how often this target was asked for."""
        return self.requests[f"{self.host(address)}{target}"]

    def asked(self, address: str = "") -> set[str]:
        """Return the targets of a host that were asked for, without robots.txt."""
        start = self.host(address)
        found = {url.removeprefix(start) for url in self.requests if url.startswith(f"{start}/")}
        return found - {"/robots.txt"}

    def __enter__(self) -> SiteServer:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def _run(self) -> None:
        self.loop = asyncio.new_event_loop()
        servers = [self.loop.run_until_complete(self._listen(address)) for address in self._addresses]
        self._ready.set()
        self.loop.run_forever()
        for server in servers:
            server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def _listen(self, address: str) -> asyncio.Server:
        listener = socket.create_server((address, self.port), backlog=1024)
        self.port = listener.getsockname()[1]
        return await self.loop.create_server(lambda: Connection(self), sock=listener, ssl=self._tls)


def main() -> None:
    """Serve a synthetic site until standard input ends: the port is the first line of standard output."""
    from tests.crawl.synthetic import SyntheticSite  # the server itself needs none

    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pages", type=int)
    parser.add_argument("--links", type=int, default=20)
    parser.add_argument("--size", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--planted", action="store_true")
    given = parser.parse_args()
    synthetic = SyntheticSite(given.pages, given.links, given.seed, given.size, planted=given.planted)

    def site(request: Request) -> Answer:
        if request.target == COUNTS:
            return Answer(f"{sum(server.requests.values())} {server.most_in_flight['']}".encode())
        return synthetic(request)

    with SiteServer(site) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main()
