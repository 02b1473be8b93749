"""The demo server, seen from its clients' side: plain sockets and the standard library's client."""

from __future__ import annotations

import gzip
import json
import socket
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection, HTTPResponse
from itertools import pairwise
from selectors import EVENT_READ, DefaultSelector

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.cli.demo_server.http1 import MAX_BODY, MAX_HEAD, BadRequestError, Request, RequestReader
from fetchpool.cli.demo_server.pages import content, page, text
from fetchpool.cli.demo_server.server import DemoServer
from fetchpool.cli.demo_server.urls import demo_urls, expected_error
from tests.at_once import AtOnce

HELLO = b"GET /bytes/5 HTTP/1.1\r\nHost: h\r\n\r\n"


@contextmanager
def own_client() -> Iterator[HTTPConnection]:
    with DemoServer() as server, closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
        yield connection


at_once = AtOnce(demo_server=DemoServer, client=own_client)


@pytest.fixture
def client(demo_server: DemoServer) -> Iterator[HTTPConnection]:
    with closing(HTTPConnection("127.0.0.1", demo_server.port, timeout=10)) as connection:
        yield connection


def connect(server: DemoServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def get(client: HTTPConnection, path: str, method: str = "GET") -> tuple[HTTPResponse, bytes]:
    client.request(method, path)
    response = client.getresponse()
    return response, response.read()


def read_answer(sock: socket.socket) -> tuple[int, bytes]:
    with closing(HTTPResponse(sock)) as response:
        response.begin()
        return response.status, response.read()


def say(server: DemoServer, request: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own, and its response."""
    with connect(server) as sock:
        sock.sendall(request)
        return read_answer(sock)


def read_to_end(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


def server_threads() -> int:
    return sum(thread.name.startswith("demo-") for thread in threading.enumerate())


# What the paths say.


@pytest.mark.parametrize("size", [0, 1, 255, 65_536, 1_000_003])
def test_bytes_are_as_many_as_asked_for_and_always_the_same(client: HTTPConnection, size: int) -> None:
    response, body = get(client, f"/bytes/{size}")
    assert (response.status, body) == (200, content(size))
    assert response.headers["content-length"] == str(size) == str(len(body))


def test_a_page_is_html_with_a_title_of_its_own(client: HTTPConnection) -> None:
    response, body = get(client, "/page/7")
    assert b"<title>Demo page 7</title>" in body
    assert response.headers["content-type"] == "text/html; charset=utf-8"


def test_pages_vary_in_size() -> None:
    sizes = {len(page(number)) for number in range(200)}
    assert len(sizes) > 50
    assert min(sizes) < 1000
    assert max(sizes) > 40_000


def test_gzip_is_labelled_and_decodes(client: HTTPConnection) -> None:
    response, body = get(client, "/gzip/50000")
    assert response.headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == text(50_000)
    assert len(text(50_000)) == 50_000
    assert gzip.decompress(get(client, "/gzip")[1]) == page(0)


@pytest.mark.parametrize("status", [200, 204, 304, 404, 418, 500, 599, 999])
def test_any_status_can_be_requested(client: HTTPConnection, status: int) -> None:
    for _ in range(2):  # a body where none belongs would be read as the next response
        assert get(client, f"/status/{status}")[0].status == status


def test_a_redirect_takes_its_hops_in_both_forms_and_keeps_the_query(client: HTTPConnection) -> None:
    path, locations = "/redirect/3?a=1", []
    while (response := get(client, path)[0]).status == 302:
        location = response.headers["location"]
        locations.append(location)
        path = location.removeprefix(f"http://127.0.0.1:{client.port}")
    base = f"http://127.0.0.1:{client.port}"
    assert locations == [f"{base}/redirect/2?a=1", "/redirect/1?a=1", f"{base}/bytes/1024?a=1"]
    assert response.status == 200


def test_each_flaky_target_fails_the_number_of_times_in_its_path(client: HTTPConnection) -> None:
    first = [get(client, "/flaky/2?test=one")[0].status for _ in range(4)]
    second = [get(client, "/flaky/1?test=two")[0].status for _ in range(3)]
    assert (first, second) == ([500, 500, 200, 200], [500, 200, 200])


def test_a_delay_is_at_least_as_long_as_requested(client: HTTPConnection) -> None:
    start = time.monotonic()
    assert get(client, "/delay/120")[0].status == 200
    assert 0.12 <= time.monotonic() - start < 5


@pytest.mark.parametrize(
    "path", ["/nothing", "/bytes", "/bytes/", "/bytes/x", "/bytes/-1", "/page/1/2", "//"]
)
def test_an_unknown_path_is_a_404(client: HTTPConnection, path: str) -> None:
    assert get(client, path)[0].status == 404


def test_the_root_lists_the_paths(client: HTTPConnection) -> None:
    assert b"/redirect/N" in get(client, "/")[1]


def test_headers_come_back_as_json(client: HTTPConnection) -> None:
    client.putrequest("GET", "/headers", skip_accept_encoding=True)
    client.putheader("X-One", "a")
    client.putheader("X-One", "b")
    client.endheaders()
    headers = json.loads(client.getresponse().read())
    assert headers == {"Host": f"127.0.0.1:{client.port}", "X-One": "a, b"}


@pytest.mark.parametrize("method", ["POST", "PUT", "GET", "PATCH"])
def test_a_body_is_echoed_or_put_in_capitals(client: HTTPConnection, method: str) -> None:
    client.request(method, "/echo", b"some \x00 body", {"Content-Type": "text/x"})
    response = client.getresponse()
    assert (response.headers["content-type"], response.read()) == ("text/x", b"some \x00 body")
    client.request(method, "/upper", b"some body")
    assert client.getresponse().read() == b"SOME BODY"


def test_a_chunked_body_of_a_megabyte_is_put_together(client: HTTPConnection) -> None:
    blocks = [content(size) for size in (1, 70_000, 3, 1_000_000)]
    client.request("PUT", "/echo", iter(blocks), encode_chunked=True)
    assert client.getresponse().read() == b"".join(blocks)


@pytest.mark.parametrize("path", ["/bytes/100000", "/page/3", "/gzip", "/headers", "/status/404"])
def test_head_has_the_fields_of_get_and_no_body(client: HTTPConnection, path: str) -> None:
    complete = get(client, path)[0]
    head, body = get(client, path, "HEAD")
    assert (head.status, head.headers["content-length"]) == (
        complete.status,
        complete.headers["content-length"],
    )
    assert body == b""
    assert get(client, "/bytes/3")[1] == content(3)  # nothing was left over on the connection


# The protocol.


def test_a_connection_is_kept_and_every_request_counted(demo_server: DemoServer) -> None:
    before = demo_server.requests
    with connect(demo_server) as sock:
        for _ in range(20):
            sock.sendall(HELLO)
            assert read_answer(sock) == (200, content(5))
    assert demo_server.requests == before + 20


@at_once
def test_requests_sent_ahead_are_answered_in_order(demo_server: DemoServer) -> None:
    paths = [b"/bytes/1", b"/delay/30", b"/bytes/70000", b"/status/404", b"/bytes/2"] * 10
    requests = [b"GET " + path + b" HTTP/1.1\r\nHost: h\r\n\r\n" for path in paths]
    with connect(demo_server) as sock:
        sock.sendall(b"".join(requests[:-1]) + requests[-1][:10])
        sock.sendall(requests[-1][10:-4] + b"\r\nConnection: close\r\n\r\n")
        stream = read_to_end(sock)
    lengths = [line for line in stream.split(b"\r\n") if line.startswith(b"Content-Length")]
    one_round = [b"1", b"12", b"70000", b"11", b"2"]
    assert lengths == [b"Content-Length: " + length for length in one_round * 10]


def test_a_request_may_come_byte_by_byte(demo_server: DemoServer) -> None:
    with connect(demo_server) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        body = b"POST /upper HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        for place in range(len(body)):
            sock.sendall(body[place : place + 1])
        assert read_answer(sock) == (200, b"ABC")


def test_a_client_that_expects_100_continue_gets_it_before_the_body(demo_server: DemoServer) -> None:
    with connect(demo_server) as sock:
        head = b"POST /upper HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
        sock.sendall(head)
        assert sock.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"abc")
        assert read_answer(sock) == (200, b"ABC")
        sock.sendall(head + b"xyz")  # a client that sends the body at once gets no 100
        assert sock.recv(10) == b"HTTP/1.1 2"


def test_http_1_0_is_closed_after_the_answer_unless_it_asks(demo_server: DemoServer) -> None:
    with connect(demo_server) as sock:
        sock.sendall(b"GET /bytes/5 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert read_answer(sock) == (200, content(5))
        sock.sendall(b"GET /bytes/5 HTTP/1.0\r\n\r\n")
        assert read_to_end(sock).endswith(b"\r\n\r\n" + content(5))


def test_the_absolute_form_is_answered_as_a_proxy_would(demo_server: DemoServer) -> None:
    request = b"GET http://somewhere.example/bytes/5 HTTP/1.1\r\nHost: somewhere.example\r\n\r\n"
    assert say(demo_server, request) == (200, content(5))


def test_a_client_that_closes_its_sending_side_gets_a_response(demo_server: DemoServer) -> None:
    with connect(demo_server) as sock:
        sock.sendall(b"GET /delay/20 HTTP/1.1\r\nHost: h\r\n\r\n")
        sock.shutdown(socket.SHUT_WR)
        assert read_to_end(sock).endswith(b"20 ms later\n")


MALFORMED = {
    b"\x16\x03\x01\x02\x00\x01\x00\n": 400,  # TLS
    b"GET /\r\n\r\n": 400,
    b"GET  / HTTP/1.1\r\nHost: h\r\n\r\n": 400,
    b"GET /\xff HTTP/1.1\r\nHost: h\r\n\r\n": 400,
    b"GET / HTTP/2.0\r\n\r\n": 505,
    b"GET / HTTP/1.1\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nno colon\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost : h\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\x00\r\n\r\n": 400,
    b"GET / HTTP/1.1\r\nHost: h\r\nX: " + b"x" * MAX_HEAD + b"\r\n\r\n": 431,
    b"GET /" + b"x" * (MAX_HEAD + 1): 431,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1): 413,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n": 413,
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n": 501,
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n": 400,
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n": 413,
    b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n": 400,
}


@pytest.mark.parametrize("request_bytes", MALFORMED)
def test_a_malformed_request_is_rejected_with_a_message_and_the_connection_closed(
    demo_server: DemoServer, request_bytes: bytes
) -> None:
    with connect(demo_server) as sock:
        sock.sendall(request_bytes + HELLO)  # unread bytes must not turn the refusal into a reset
        response = read_to_end(sock)
    head, _, body = response.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % MALFORMED[request_bytes])
    assert b"Connection: close" in head
    assert body.count(b"\n") == 1


def parse(pieces: Iterable[bytes]) -> list[Request | int]:
    """What a reader makes of them: requests, and at the end perhaps the status of a refusal."""
    reader = RequestReader()
    found: list[Request | int] = []
    for piece in pieces:
        reader.feed(piece)
        try:
            while request := reader.next_request():
                found.append(request)
        except BadRequestError as refusal:
            return [*found, refusal.status]
    return found


@given(st.lists(st.binary(max_size=200) | st.sampled_from([*MALFORMED, HELLO, b"\r\n", b"0\r\n\r\n"])))
def test_any_bytes_are_a_request_or_rejected_and_never_an_exception(pieces: list[bytes]) -> None:
    for found in parse(pieces):
        assert 400 <= found < 600 if isinstance(found, int) else found.target.startswith("/")


@given(st.data())
def test_the_same_bytes_are_the_same_requests_however_they_are_cut(data: st.DataObject) -> None:
    stream = (
        HELLO
        + b"\r\nPOST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody"
        + b"PUT /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"2;x=y\r\nbo\r\n2\r\ndy\r\n0\r\nTrailer: v\r\n\r\n"
        + b"nonsense\r\n"
    )
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1))))
    pieces = [stream[start:end] for start, end in pairwise([0, *cuts, len(stream)])]
    found = parse(pieces)
    assert [one if isinstance(one, int) else (one.method, one.target, one.body) for one in found] == [
        ("GET", "/bytes/5", b""),
        ("POST", "/echo", b"body"),
        ("PUT", "/echo", b"body"),
        400,
    ]


# Many clients, slow clients, and the threads.


def test_a_thousand_clients_at_once_are_answered_from_the_same_few_threads() -> None:
    with DemoServer(threads=4) as server, ExitStack() as stack:
        before = threading.active_count()
        clients = [stack.enter_context(connect(server)) for _ in range(1000)]
        for sock in clients:
            sock.sendall(HELLO)
        most = threading.active_count()
        responses = [read_answer(sock) for sock in clients]
        assert responses == [(200, content(5))] * 1000
        assert (most, threading.active_count()) == (before, before)
        assert server.requests == server.connections == 1000


@at_once
def test_two_thousand_slow_answers_wait_without_a_thread_each() -> None:
    with DemoServer(threads=2) as server, ExitStack() as stack, DefaultSelector() as selector:
        start = time.monotonic()
        for _ in range(2000):
            sock = stack.enter_context(connect(server))
            sock.sendall(b"GET /delay/1000 HTTP/1.1\r\nHost: h\r\n\r\n")
            selector.register(sock, EVENT_READ)
        with connect(server) as quick:  # others are answered in between
            quick.sendall(HELLO)
            assert read_answer(quick) == (200, content(5))
        answered = 0
        while answered < 2000:
            for key, _ in selector.select(10):
                assert read_answer(key.fileobj)[0] == 200  # type: ignore[arg-type]
                selector.unregister(key.fileobj)
                answered += 1
        assert time.monotonic() - start < 10  # in turn, on two threads, it would be 1000 s


def test_half_open_and_slowly_reading_clients_block_no_others() -> None:
    with DemoServer(threads=2) as server, ExitStack() as stack:
        for beginning in (
            b"",
            b"GET /byt",
            b"POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nx",
        ) * 20:
            stack.enter_context(connect(server)).sendall(beginning)
        for _ in range(20):  # asks for a gigabyte and doesn't read it
            stack.enter_context(connect(server)).sendall(b"GET /bytes/1000000000 HTTP/1.1\r\nHost: h\r\n\r\n")
        for _ in range(100):
            assert say(server, HELLO) == (200, content(5))


def test_clients_beyond_the_backlog_wait_their_turn() -> None:
    with DemoServer(threads=2, backlog=5) as server, ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(5)]
        for sock in held:
            sock.sendall(HELLO)
            assert read_answer(sock) == (200, content(5))
        with connect(server) as late:
            late.sendall(HELLO)
            late.settimeout(0.05)
            with pytest.raises(TimeoutError):
                late.recv(1)
            assert server.connections == 5
            held[0].close()
            late.settimeout(10)
            assert read_answer(late) == (200, content(5))


@at_once
def test_an_idle_connection_is_hung_up_on_and_a_busy_one_is_not() -> None:
    with DemoServer(threads=1, idle_timeout=0.2) as server, connect(server) as idle, connect(server) as busy:
        busy.sendall(b"GET /delay/400 HTTP/1.1\r\nHost: h\r\n\r\n")
        assert idle.recv(1) == b""
        assert read_answer(busy) == (200, b"400 ms later\n")


def test_stopping_ends_the_threads_and_hangs_up_on_everyone() -> None:
    before = server_threads()
    with ExitStack() as stack:
        with DemoServer(threads=3) as server:
            idle = stack.enter_context(connect(server))
            delayed = stack.enter_context(connect(server))
            delayed.sendall(b"GET /delay/600000 HTTP/1.1\r\nHost: h\r\n\r\n")
            idle.sendall(HELLO)
            assert read_answer(idle) == (200, content(5))
            assert server_threads() == before + 4
        assert server_threads() == before
        assert idle.recv(1) == b""
        with pytest.raises(ConnectionRefusedError):
            connect(server)
        server.stop()


# The list of the demo.


def test_the_demo_list_is_distinct_the_same_every_time_and_mixed() -> None:
    urls = list(demo_urls("http://h:1", 500))
    assert urls == list(demo_urls("http://h:1", 1000))[:500]
    assert len(set(urls)) == 500
    kinds = {url.split("/")[3] for url in urls}
    assert kinds == {"page", "bytes", "gzip", "delay", "redirect", "missing", "flaky"}


@at_once
def test_the_server_responds_as_the_demo_list_expects(client: HTTPConnection) -> None:
    base = f"http://127.0.0.1:{client.port}"
    for url in demo_urls(base, 100):
        response = get(client, url.removeprefix(base))[0]
        for _ in range(10):
            if response.status not in (302, 500):
                break
            again = response.headers["location"] if response.status == 302 else url
            response = get(client, again.removeprefix(base))[0]
        expected = expected_error(url)
        assert (f"http_{response.status}" if response.status >= 400 else None) == expected
