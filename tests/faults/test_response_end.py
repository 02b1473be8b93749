"""Where a response ends: a truncated response is a failure, and extra bytes after a response are
discarded."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

import fetchpool
from bench.endurance.random_server import WAYS, Tally, run
from bench.endurance.random_server import Way as RandomWay
from tests.faults.matrix import ASYNC, CURL, PROCESS, Way, fetch_urls, in_every_way
from tests.faults.scenarios.ending import (
    CANCEL,
    DATA,
    END_HEADERS,
    ENHANCE_YOUR_CALM,
    HEADERS,
    INTERNAL_ERROR,
    NO_ERROR,
    STATUS_200,
    EndingServer,
    at_once,
    frame,
    goaway,
    http2,
    page,
    part,
    path_of,
    reset,
)

POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nPOISON-BODY"
REAL = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nREAL"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
by_curl = pytest.mark.parametrize("way", [CURL, ASYNC, PROCESS], ids=str)
"""requests speaks HTTP/1.1."""


@by_curl
@pytest.mark.parametrize("version", ["", "2"])
def test_54_a_stream_reset_without_an_error_before_its_end_is_truncated(way: Way, version: str) -> None:
    """An HTTP/2 body without a length, followed by RST_STREAM(NO_ERROR) without END_STREAM, which proxies
    send when the server behind them dies: `truncated` (RFC 9113 section 8.1)."""
    with EndingServer(http2(lambda stream, _: part(stream) + reset(stream, NO_ERROR)), "h2") as server:
        (row,) = fetch_urls(way, [server.url("")], insecure=True, http_version=version)
    assert (row.http_version, row.error, row.size_download) == ("2", "truncated", 2)


@by_curl
def test_54_a_truncated_stream_is_retried(way: Way) -> None:
    """The next attempt has the complete body."""
    responses = http2(lambda stream, nth: page(stream) if nth > 1 else part(stream) + reset(stream, NO_ERROR))
    with EndingServer(responses, "h2") as server:
        (row,) = fetch_urls(way, [server.url("")], insecure=True, retry=1, retry_delay=0.01)
    assert (row.error, row.size_delivered, row.num_retries) == (None, 4, 1)


@by_curl
def test_54_a_stream_that_ends_without_a_length_is_a_success(way: Way) -> None:
    """END_STREAM is the end, with the last bytes or after them, whatever other streams do."""

    def response(stream: int, nth: int) -> bytes:
        if nth % 2:
            return page(stream)
        empty = frame(DATA, 1, stream)
        return part(stream) + empty

    with EndingServer(http2(response), "h2") as server:
        rows = fetch_urls(way, [server.url(str(number)) for number in range(20)], insecure=True, workers=10)
    assert {(row.http_version, row.error, row.num_retries) for row in rows} == {("2", None, 0)}
    assert {row.size_delivered for row in rows} == {2, 4}


@by_curl
def test_54_a_reset_after_the_complete_length_is_ignored(way: Way) -> None:
    """All bytes of the `Content-Length` were received: a success."""
    length = STATUS_200 + b"\x0f\x0d\x014"  # content-length: 4, by the static table's name
    said = lambda stream, _: (  # noqa: E731
        frame(HEADERS, END_HEADERS, stream, length)
        + frame(DATA, 0, stream, b"page")
        + reset(stream, NO_ERROR)
    )
    with EndingServer(http2(said), "h2") as server:
        (row,) = fetch_urls(way, [server.url("")], insecure=True)
    assert (row.error, row.size_delivered) == (None, 4)


def two_writes(connection: socket.socket, first: bytes, second: bytes) -> None:
    """The client reads one before the other comes: on loopback, once it has acknowledged it."""
    connection.sendall(first)
    threading.Event().wait(0.02)
    connection.sendall(second)


BEHIND: dict[str, Callable[[socket.socket], None]] = {
    "in the record of the body": lambda peer: two_writes(peer, HEAD, b"first" + POISON),
    "in a record of its own, read ahead": lambda peer: (
        two_writes(peer, HEAD + b"fi", b""),
        at_once(peer, b"rst", POISON),
    )[0],
    "the beginning of another response": lambda peer: two_writes(peer, HEAD, b"first" + POISON[:9]),
    "22 bytes, as many as a record has beyond its data": lambda peer: two_writes(
        peer, HEAD + b"fi", b"rst" + POISON[:22]
    ),
    "with all of it": lambda peer: peer.sendall(HEAD + b"first" + POISON),
    "later": lambda peer: two_writes(peer, HEAD + b"first", POISON),
    "behind chunks": lambda peer: two_writes(
        peer,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfi",
        b"rst\r\n0\r\n\r\n" + POISON,
    ),
    "behind 204": lambda peer: two_writes(peer, b"HTTP/1.1 204 No\r\n\r\n", POISON),
    "a line end": lambda peer: two_writes(peer, HEAD + b"first", b"\r\n"),
}


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@in_every_way
def test_55_extra_bytes_after_a_response_do_not_belong_to_the_next_one(way: Way, tls: bool) -> None:
    """A second response in the last TLS record, in one that is read ahead, in a packet of its own, after
    chunks or a 204: the next URL is requested on another connection and has its own body, at the first
    attempt."""
    for name, behind in BEHIND.items():
        said = threading.Event()

        def serve(
            connection: socket.socket,
            _: int,
            behind: Callable[[socket.socket], None] = behind,
            said: threading.Event = said,
        ) -> None:
            while True:
                if path_of(connection) == "first":
                    behind(connection)
                    said.set()
                else:
                    connection.sendall(REAL)

        with EndingServer(serve, tls=tls) as server:

            def urls(server: EndingServer = server, said: threading.Event = said) -> Iterator[str]:
                yield server.url("first")
                assert said.wait(10)
                yield server.url("second")

            rows = list(
                fetchpool.fetch(
                    urls(),
                    executor=way.executor,
                    transport=way.transport,
                    workers=1,
                    insecure=True,
                    retry=0,
                    max_time=10,
                )
            )
            second = next(row for row in rows if row.url.endswith("second"))
            assert (second.error, second.size_delivered, second.num_retries) == (None, 4, 0), (name, rows)
            dropped = name == "behind chunks" and way.transport == "curl" and not tls
            assert dropped or server.connections == 2, name  # libcurl reads those, and forgets them


@pytest.mark.parametrize("tls", [True, False], ids=["tls", "plain"])
@in_every_way
def test_55_extra_bytes_during_the_next_request_do_not_count_as_its_attempt(way: Way, tls: bool) -> None:
    """A body after a response that has none, received only then: the URL is requested again at once on a new
    connection, and the host's connections are not reused for a while."""
    asked: list[str] = []

    def serve(connection: socket.socket, _: int) -> None:
        while True:
            asked.append(path_of(connection))
            if len(asked) == 2:
                connection.sendall(b"<p>left over</p>")
            connection.sendall(REAL)

    with EndingServer(serve, tls=tls) as server:
        rows = fetch_urls(way, [server.url(str(n)) for n in range(5)], workers=1, insecure=True)
        assert {(row.error, row.size_delivered, row.num_retries) for row in rows} == {(None, 4, 0)}
        assert len(asked) == 6
        assert server.connections >= 4


@in_every_way
def test_55_a_clean_connection_is_reused(way: Way) -> None:
    """Also with TLS: twenty URLs, one connection."""

    def serve(connection: socket.socket, _: int) -> None:
        body = b"x" * 40_000
        while True:
            if path_of(connection).endswith("0"):
                connection.sendall(REAL)
            else:  # some records
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                connection.sendall(body)

    for tls in (True, False):
        with EndingServer(serve, tls=tls) as server:
            rows = fetch_urls(way, [server.url(str(n)) for n in range(20)], workers=1, insecure=True)
            assert {row.error for row in rows} == {None}
            assert server.connections == 1


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_55_no_successful_row_is_wrong_whatever_a_server_sends(way: RandomWay) -> None:
    """A server that responds at random, with HTTP/1.1 and HTTP/2, truncated at any byte, with extra bytes
    before and after its responses (`bench/endurance/random_server.py`): each row without an error has the
    body that the server sent for that URL."""
    tally = Tally()
    run(way, seed=55, count=120, tally=tally)
    assert tally.false == []
    assert tally.rows == 120
    assert tally.complete > 100


BROKEN: dict[str, Callable[[int], bytes]] = {
    "INTERNAL_ERROR": lambda stream: reset(stream, INTERNAL_ERROR),
    "CANCEL": lambda stream: reset(stream, CANCEL),
    "ENHANCE_YOUR_CALM": lambda stream: reset(stream, ENHANCE_YOUR_CALM),
    "GOAWAY with an error": lambda stream: goaway(max(0, stream - 2), ENHANCE_YOUR_CALM),
    "GOAWAY with PROTOCOL_ERROR": lambda _: goaway(0, 1),
    "a broken frame": lambda _: b"\xff" * 64,
    "a body reset inside": lambda stream: part(stream) + reset(stream, INTERNAL_ERROR),
    "a closed connection": lambda _: b"",
}


@by_curl
@pytest.mark.parametrize("name", BROKEN)
def test_64_errors_of_a_stream_or_its_connection_are_retried(way: Way, name: str) -> None:
    """HTTP/2 INTERNAL_ERROR, CANCEL, ENHANCE_YOUR_CALM, GOAWAY, a malformed frame: retried as a reset
    connection is in HTTP/1.1, for this stream and the others of the connection."""
    said = http2(lambda stream, nth: BROKEN[name](stream) if nth in (3, 5, 9) else page(stream))
    with EndingServer(said, "h2") as server:
        rows = fetch_urls(
            way,
            [server.url(str(number)) for number in range(20)],
            insecure=True,
            workers=6,
            retry=3,
            retry_delay=0.01,
        )
    assert {(row.http_version, row.error, row.size_delivered) for row in rows} == {("2", None, 4)}


@by_curl
@pytest.mark.parametrize("name", BROKEN)
def test_64_without_retries_the_error_is_reset_or_truncated(way: Way, name: str) -> None:
    """`reset` before the response, `truncated` within it, and not `protocol`."""
    with EndingServer(http2(lambda stream, _: BROKEN[name](stream)), "h2") as server:
        (row,) = fetch_urls(way, [server.url("")], insecure=True)
    if name == "a closed connection":  # how TLS tells of it depends on what was being said
        assert row.error in ("reset", "truncated", "empty_reply")
    else:
        assert row.error == ("truncated" if "inside" in name else "reset")
