"""A server with random responses: no row without an error may be false (promise 4).

    python -m bench.endurance.random_server --urls 100000

In: the number of URLs, and a seed. Out: a table in Markdown, and exit code 1 if a row without an error has
a different body from the one the server had for its URL. Each batch uses another combination: every
executor, both transports, HTTP/1.1 with and without TLS, HTTP/2 (which needs h2).

The body of a URL follows from its path. How it is sent is random for each request: framing, coding, pieces,
and in one of four cases an error of servers and networks: responses truncated at any byte, bytes of another
response or of none after the end (in its last piece, or noise later), streams and connections that are reset
or closed. A complete extra response always begins in the piece that ends the response before it: if it
arrived in a piece of its own as the next request goes out, no client could distinguish it from the response
to that. (`tests/faults/test_response_end.py` has those that arrive before the request.)
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import hashlib
import select
import socket
import ssl
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from random import Random

import trustme
from msgspec import Struct, field

import fetchpool

BATCH = 400
"""URLs of one run."""
ADDRESSES = 8
"""Number of hosts of the URLs."""
FAULTY = 0.25
"""Share of responses that are faulty."""
SIZES = (0, 1, 7, 200, 5_000, 17_000, 70_000)
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nContent-Type: text/plain\r\n\r\nPOISON-BODY"
NOISE = (b"\r\n", b"\n", b"\0", b"<html>leftover</html>", b"HTTP/1.1 2", b"0\r\n\r\n")
"""Bytes that are not a response, or an incomplete one."""
WIRES = ("http", "https", "h2")


class Way(Struct, frozen=True):
    """The executor, transport and HTTP version of a batch."""

    executor: str
    transport: str
    wire: str

    def __str__(self) -> str:
        return f"{self.executor}, {self.transport}, {self.wire}"


WAYS = (
    *(Way(executor, "curl", wire) for executor in ("thread", "process", "async") for wire in WIRES),
    *(Way(executor, "requests", wire) for executor in ("thread", "process") for wire in WIRES[:2]),
)


def body_of(path: str) -> bytes:
    """Return the body of a URL."""
    random = Random(path)
    return b"" if path.startswith("/204") else path.encode() + random.randbytes(random.choice(SIZES))


class RandomServer:
    """Listens on some loopback addresses at one port, with a thread for each connection."""

    def __init__(self, wire: str, seed: int) -> None:
        self._wire = wire
        self._random = Random(seed)
        self._context: ssl.SSLContext | None = None
        if wire != "http":
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(self._context)
            self._context.set_alpn_protocols(["h2"] if wire == "h2" else ["http/1.1"])
        first = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = first.getsockname()[1]
        self._listeners = [first]
        for last in range(2, ADDRESSES + 1):  # where another has that port, there is a host less
            with contextlib.suppress(OSError):
                listener = socket.create_server((f"127.0.0.{last}", self.port), backlog=256)
                self._listeners.append(listener)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def urls(self, count: int, tag: str) -> list[str]:
        """Return that many URLs, of all hosts; one in ten has no body."""
        scheme = "http" if self._wire == "http" else "https"
        hosts = [listener.getsockname()[0] for listener in self._listeners]
        return [
            f"{scheme}://{hosts[number % len(hosts)]}:{self.port}"
            f"/{204 if number % 10 == 9 else 200}/{tag}/{number}"
            for number in range(count)
        ]

    def close(self) -> None:
        """Accept no more connections."""
        for listener in self._listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self) -> None:
        while True:
            try:
                ready, _, _ = select.select(self._listeners, [], [])
                connections = [listener.accept()[0] for listener in ready]
            except (OSError, ValueError):
                return
            for connection in connections:
                random = Random(self._random.random())
                threading.Thread(target=self._serve, args=(connection, random), daemon=True).start()

    def _serve(self, plain: socket.socket, random: Random) -> None:
        plain.settimeout(20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = plain
        with contextlib.suppress(OSError, ValueError):
            if self._context is not None:
                connection = self._context.wrap_socket(plain, server_side=True)
            if self._wire == "h2":
                Http2Connection(connection, random).serve()
            else:
                serve_http1(connection, random)
        with contextlib.suppress(OSError):
            connection.close()


# HTTP/1.1


def serve_http1(connection: socket.socket, random: Random) -> None:
    """Serve the connection until either side closes it."""
    if random.random() < 0.02:
        connection.sendall(random.choice(NOISE))  # unasked
    unread = b""
    while True:
        while b"\r\n\r\n" not in unread:
            received = connection.recv(65536)
            if not received:
                return
            unread += received
        head, _, unread = unread.partition(b"\r\n\r\n")
        if not answer_http1(connection, random, head.split(b" ")[1].decode()):
            return


def answer_http1(connection: socket.socket, random: Random, path: str) -> bool:
    """Send a response; return False if the connection must be closed."""
    response, ends_with_connection = framed(random, path)
    fault = random.choice(FAULTS) if random.random() < FAULTY else ""
    if fault in ("cut", "reset"):
        response = response[: random.randrange(len(response) + 1)]
        if ends_with_connection and response.endswith(b"\r\n\r\n"):
            response = response[:-1]  # a head alone, and then the end: that is an empty body
        send_pieces(connection, random, response)
        if fault == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return False
    end = len(response)
    if fault == "behind":  # in the last piece
        response += random.choice((POISON, POISON[: random.randrange(1, len(POISON))], *NOISE))
    send_pieces(connection, random, response, together=end)
    if fault == "late noise":
        time.sleep(random.random() * 0.003)
        connection.sendall(random.choice(NOISE))
    return not ends_with_connection


FAULTS = ("cut", "reset", "behind", "behind", "late noise")


def framed(random: Random, path: str) -> tuple[bytes, bool]:
    """Return the bytes of a response, and whether it ends with the connection."""
    if path.startswith("/204"):
        return b"HTTP/1.1 204 No Content\r\n\r\n", False
    body, lines = coded(random, path)
    framing = random.choice(("length", "length", "chunked", "close"))
    if framing == "close" and not lines:
        framing = (
            "length"  # without a length a client cannot distinguish a complete body from a truncated one
        )
    if framing == "length":
        lines += f"Content-Length: {len(body)}\r\n"
    elif framing == "chunked":
        lines += "Transfer-Encoding: chunked\r\n"
        cuts = sorted(random.randrange(len(body) + 1) for _ in range(random.randrange(4)))
        pieces = [body[start:end] for start, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
        body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"
    return f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + body, framing == "close"


def coded(random: Random, path: str) -> tuple[bytes, str]:
    """Return the encoded body, and the header that names the encoding."""
    if random.random() < 0.5:
        return body_of(path), ""
    return gzip.compress(body_of(path), 1), "Content-Encoding: gzip\r\n"


TLS_RECORD = 16_384
"""Size of the largest plaintext, at which OpenSSL splits a longer write (RFC 8446 5.1)."""


def send_pieces(connection: socket.socket, random: Random, data: bytes, together: int = -1) -> None:
    """Send data in up to four writes, some a moment apart: each is a TLS record, or several.

    The bytes before and after the offset `together` are never in different records.
    """
    cuts = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(4)))
    cuts = [cut for cut in cuts if cut != together]
    if (
        0 < together < len(data)
        and (together - max((cut for cut in cuts if cut < together), default=0)) % TLS_RECORD == 0
    ):
        cuts = sorted([*cuts, together - 1])
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        connection.sendall(data[start:end])
        if random.random() < 0.1:
            time.sleep(0.001)


# HTTP/2


class Http2Connection:
    """An HTTP/2 connection by h2, which is correct unless a fault is intended."""

    def __init__(self, connection: socket.socket, random: Random) -> None:
        from h2.config import H2Configuration
        from h2.connection import H2Connection

        self._connection = connection
        self._random = random
        self._h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        self._left: dict[int, tuple[bytes, bool]] = {}
        """The unsent bytes of each stream, and whether it ends correctly."""

    def serve(self) -> None:
        """Serve the connection until either side closes it."""
        from h2.events import RequestReceived
        from h2.exceptions import ProtocolError

        self._h2.initiate_connection()
        self._flush()
        while data := self._connection.recv(65536):
            try:
                for event in self._h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        assert event.stream_id is not None
                        headers = dict(event.headers or [])
                        if not self._answer(event.stream_id, str(headers[":path"])):
                            return
                self._send_left()
            except ProtocolError:
                return
            self._flush()

    def _flush(self) -> None:
        self._connection.sendall(self._h2.data_to_send())

    def _answer(self, stream: int, path: str) -> bool:
        """Send a response; return False if the connection must be closed."""
        random = self._random
        body, coding = coded(random, path)
        headers = [(":status", path[1:4])]
        if path.startswith("/204"):
            body = b""
        elif coding:
            headers.append(("content-encoding", "gzip"))
        if random.random() < 0.3 and not path.startswith("/204"):
            headers.append(("content-length", str(len(body))))
        fault = random.choice(HTTP2_FAULTS) if random.random() < FAULTY else ""
        if fault == "goaway":
            self._h2.close_connection(random.choice((0, 2, 11)), last_stream_id=max(0, stream - 2))
        elif fault == "garbage":
            self._flush()
            self._connection.sendall(random.randbytes(40))
        elif fault == "refuse":
            self._h2.reset_stream(stream, random.choice(RESETS))
        else:
            self._h2.send_headers(stream, headers, end_stream=not body and not fault)
            if fault:
                body = body[: random.randrange(len(body) + 1)]
            if body or fault:
                self._left[stream] = body, not fault
        self._flush()
        if fault == "close":
            self._send_left()
            self._flush()
        return fault not in ("goaway", "garbage", "close")

    def _send_left(self) -> None:
        """Send as much as the client's windows allow."""
        for stream, (body, complete) in list(self._left.items()):
            while body and (window := self._h2.local_flow_control_window(stream)):
                size = min(window, self._h2.max_outbound_frame_size, self._random.randrange(1, 20_000))
                piece, body = body[:size], body[size:]
                self._h2.send_data(stream, piece, end_stream=complete and not body and bool(size % 2))
                if complete and not body and not size % 2:
                    self._h2.send_data(stream, b"", end_stream=True)
            if not body and not complete:
                self._h2.reset_stream(stream, self._random.choice(RESETS))
            self._left[stream] = body, complete
            if not body:
                del self._left[stream]


HTTP2_FAULTS = ("cut", "cut", "cut", "refuse", "goaway", "garbage", "close")
RESETS = (0, 0, 2, 7, 8, 11)
"""NO_ERROR, INTERNAL_ERROR, REFUSED_STREAM, CANCEL, ENHANCE_YOUR_CALM."""


# The client


def fetch(way: Way, urls: Sequence[str]) -> Iterator[fetchpool.Record]:
    """Fetch the URLs; return the rows."""
    return iter(
        fetchpool.fetch(
            urls,
            executor=way.executor,
            transport=way.transport,
            http_version="2" if way.wire == "h2" else "",
            workers=12,
            per_host=0,
            retry=4,
            retry_delay=0.01,
            max_time=10,
            insecure=True,
            hash="sha256",
        )
    )


def falsehood(record: fetchpool.Record) -> str:
    """Return what is false in a row; empty if the row is true, or a failure."""
    if record.error is not None:
        return ""
    path = "/" + record.url.split("/", 3)[3]
    body = body_of(path)
    if record.response_code != int(path[1:4]) or record.size_delivered != len(body):
        return f"{record.url}: {record.response_code}, {record.size_delivered} bytes, and not {len(body)}"
    if body and record.extra["sha256"] != hashlib.sha256(body).hexdigest():
        return f"{record.url}: another body of {len(body)} bytes"
    return ""


class Tally(Struct):
    """The results of one combination."""

    rows: int = 0
    complete: int = 0
    retried: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    false: list[str] = field(default_factory=list)


def run(way: Way, seed: int, count: int, tally: Tally) -> None:
    """Run one batch against its own server."""
    server = RandomServer(way.wire, seed)
    try:
        for record in fetch(way, server.urls(count, f"{seed}")):
            tally.rows += 1
            tally.complete += record.error is None
            tally.retried += record.num_retries > 0
            if record.error is not None:
                tally.errors[record.error] += 1
            if problem := falsehood(record):
                tally.false.append(f"{way} (seed {seed}): {problem}")
    finally:
        server.close()


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(description="Checks rows against a server that speaks at random.")
    parser.add_argument("--urls", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--way", action="append", help="only the ways with this in their name")
    options = parser.parse_args()
    ways = [way for way in WAYS if not options.way or any(part in str(way) for part in options.way)]
    tallies = {way: Tally() for way in ways}
    done = batch = 0
    try:
        while done < options.urls:
            way = ways[batch % len(ways)]
            count = min(BATCH, options.urls - done)
            run(way, options.seed * 1_000_000 + batch, count, tallies[way])
            done, batch = done + count, batch + 1
            sys.stderr.write(f"\r{done} of {options.urls}")
    finally:
        sys.stderr.write("\n")
        sys.stdout.write(table(tallies))
    false = [problem for tally in tallies.values() for problem in tally.false]
    missing = done - sum(tally.rows for tally in tallies.values())
    if missing:
        false.append(f"{missing} URLs have no row")
    sys.stdout.writelines(f"{problem}\n" for problem in false)
    return int(bool(false))


def table(tallies: dict[Way, Tally]) -> str:
    """Return the results in Markdown."""
    lines = ["| way | rows | without an error | retried | failed | false |", "|---|---|---|---|---|---|"]
    for way, tally in tallies.items():
        failed = ", ".join(f"{error} {number}" for error, number in tally.errors.most_common())
        lines.append(
            f"| {way} | {tally.rows} | {tally.complete} | {tally.retried} | {failed} | {len(tally.false)} |"
        )
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    sys.exit(main())
