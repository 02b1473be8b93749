"""The response reader, byte by byte: what a socket could bring, in any pieces."""

from __future__ import annotations

import contextlib
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.model.failures import FailureKind
from fetchpool.transports.requests.framing import TransportError
from fetchpool.transports.requests.http1 import MAX_HEAD, ResponseReader


class Wire:
    """A socket that brings given pieces, then ends as requested."""

    def __init__(self, *pieces: bytes, end: Exception | None = None) -> None:
        self.decode = list(pieces)
        self.end = end
        self.taken = 0

    def recv(self, amount: int) -> bytes:
        while self.decode and not self.decode[0]:
            del self.decode[0]
        if not self.decode:
            if self.end is not None:
                raise self.end
            return b""
        piece = self.decode[0][:amount]
        self.decode[0] = self.decode[0][amount:]
        self.taken += len(piece)
        return piece


def reader(wire: Wire, method: str = "GET") -> ResponseReader:
    return ResponseReader(wire, method, lambda: None)


def read(wire: Wire, method: str = "GET", amount: int = 65536) -> tuple[ResponseReader, bytes]:
    response = reader(wire, method)
    response.read_head()
    body = b""
    while chunk := response.read1(amount):
        assert len(chunk) <= amount
        body += chunk
    return response, body


def failure(wire: Wire) -> FailureKind:
    with pytest.raises(TransportError) as caught:
        read(wire)
    assert str(caught.value).isprintable()
    return caught.value.kind


COMPLETE = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world", b"hello world"),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"
        b"5;a=b\r\nhello\r\n1\r\n \r\n5 \r\nworld\r\n0\r\nX-Trailer: y\r\n\r\n",
        b"hello world",
    ),
    "interim": (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"ok",
    ),
    "line feeds": (b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", b"ok"),
    "mixed line ends": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok", b"ok"),
    "the same length twice": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\ncontent-length: 2\r\n\r\nok",
        b"ok",
    ),
    "chunked beats a length": (
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nContent-Length: 98\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n",
        b"ok",
    ),
}


@pytest.mark.parametrize("name", COMPLETE)
@given(data=st.data())
def test_a_response_is_the_same_in_pieces_of_any_size(name, data):
    sent, expected = COMPLETE[name]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    response, body = read(Wire(*pieces), amount=data.draw(st.integers(1, 20)))
    assert body == expected
    assert response.status == 200
    assert response.reusable


@pytest.mark.parametrize("name", COMPLETE)
def test_a_response_truncated_anywhere_is_never_complete(name):
    sent, _ = COMPLETE[name]
    for end in range(len(sent)):
        wanted = FailureKind.TRUNCATED if end else FailureKind.EMPTY_REPLY
        assert failure(Wire(sent[:end])) in (wanted, FailureKind.EMPTY_REPLY)  # after an interim one


@given(st.lists(st.binary(max_size=200), max_size=6))
def test_nothing_a_server_sends_raises_anything_else(pieces):
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"):
        with contextlib.suppress(TransportError):
            read(Wire(start, *pieces))


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5_0\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;" + b"x" * 20_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 1000 High\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/3.0 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n and more\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n 6\r\n\r\nhello",
        b"HTTP/0.9 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n folded first\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX" + b"x" * 101 * 1024 + b": y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5001 + b"\r\n",
    ],
    ids=lambda sent: repr(sent[15:60]),
)
def test_malformed_responses_are_protocol(sent):
    assert failure(Wire(sent)) is FailureKind.PROTOCOL


def test_a_header_without_end_fails_in_bounded_memory():
    wire = Wire(b"HTTP/1.1 200 OK\r\nX: ", *[b"x" * 65536] * 200)
    assert failure(wire) is FailureKind.PROTOCOL
    assert wire.taken <= MAX_HEAD + 32 * 1024


def test_garbage_is_known_by_its_first_bytes():
    wire = Wire(b"SSH", b"-2.0", end=AssertionError("nothing more had to be read"))
    assert failure(wire) is FailureKind.PROTOCOL


@pytest.mark.parametrize(
    ("version", "connection", "reusable"),
    [
        (b"1.1", b"", True),
        (b"1.1", b"Connection: Keep-Alive, Close\r\n", False),
        (b"1.1", b"Connection: x\r\nConnection: close\r\n", False),
        (b"1.0", b"", False),
        (b"1.0", b"Connection: Keep-Alive\r\n", True),
    ],
)
def test_whether_a_connection_can_be_used_again(version, connection, reusable):
    response, _ = read(Wire(b"HTTP/%b 200 OK\r\n%bContent-Length: 2\r\n\r\nok" % (version, connection)))
    assert response.reusable is reusable


def test_a_connection_with_more_bytes_than_the_answer_is_not_used_again():
    response, body = read(Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok, and then some"))
    assert body == b"ok"
    assert not response.reusable


def test_an_answer_not_read_to_its_end_keeps_no_connection():
    response = reader(Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"))
    response.read_head()
    assert response.read1(2) == b"bo"
    assert not response.reusable


@pytest.mark.parametrize("status", [b"204", b"304"])
def test_some_responses_have_no_body_despite_their_headers(status):
    response, body = read(Wire(b"HTTP/1.1 %b X\r\nContent-Length: 5\r\n\r\n" % status))
    assert body == b""
    assert response.reusable


def test_an_answer_to_head_has_no_body():
    response, body = read(Wire(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), "HEAD")
    assert body == b""
    assert response.reusable


def test_tls_that_was_cut_is_not_the_end_of_a_body():
    cut = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    assert failure(Wire(b"HTTP/1.1 200 OK\r\n\r\nsome", end=cut)) is FailureKind.TRUNCATED
    assert failure(Wire(end=cut)) is FailureKind.EMPTY_REPLY
    response, body = read(Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsome", end=cut))
    assert body == b"some"
    assert response.complete


def test_a_body_of_known_length_needs_no_further_read():
    wire = Wire(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", end=AssertionError("read too far"))
    assert read(wire)[1] == b"ok"
