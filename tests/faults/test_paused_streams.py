"""HTTP/2 streams that wait for their decoder: several responses on one connection, one of them a bomb."""

from __future__ import annotations

import random
import socket
import zlib
from functools import cache

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived, StreamReset

import fetchpool
from tests.faults.scenarios.ending import EndingServer

SOON = 60.0
MEBIBYTE = 1 << 20
ZEROS, NOISE = 256 * MEBIBYTE, 12 * MEBIBYTE
"""Bytes of the body of the bomb: next to nothing on the wire, and more than the window of a stream, which
has to be opened again after the pause."""
LARGE = 3 * MEBIBYTE


@cache
def bomb() -> bytes:
    """A body that takes long to decode, compressed."""
    encoder = zlib.compressobj(1, wbits=31)
    zeros = bytes(MEBIBYTE)
    pieces = [encoder.compress(zeros) for _ in range(ZEROS // MEBIBYTE)]
    pieces += [encoder.compress(random.Random(0).randbytes(NOISE)), encoder.flush()]
    return b"".join(pieces)


def body_of(path: str) -> tuple[bytes, list[tuple[str, str]]]:
    """The body for a path, and its headers."""
    if path.startswith("/bomb"):
        return bomb(), [("content-encoding", "gzip")]
    return b"x" * (LARGE if path.startswith("/large") else 4), []


def serve(connection: socket.socket, _: int) -> None:
    """One connection: every stream gets a frame in turn, as far as its window and the connection's allow."""
    http2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    http2.initiate_connection()
    left: dict[int, memoryview] = {}
    while True:
        sent = send(http2, left)
        connection.sendall(http2.data_to_send())
        connection.settimeout(0.0 if sent else SOON)
        try:
            received = connection.recv(65_536)
        except (BlockingIOError, OSError) as error:
            if sent and (isinstance(error, BlockingIOError) or "read" in str(error)):
                connection.settimeout(SOON)
                continue  # nothing has come yet, and there is more to send
            raise
        connection.settimeout(SOON)
        if not received:
            return
        for event in http2.receive_data(received):
            if isinstance(event, RequestReceived):
                body, headers = body_of(dict(event.headers)[":path"])
                http2.send_headers(event.stream_id, [(":status", "200"), *headers])
                left[event.stream_id] = memoryview(body)
            elif isinstance(event, StreamReset):
                left.pop(event.stream_id, None)


def send(http2: H2Connection, left: dict[int, memoryview]) -> bool:
    """Put a frame of every stream into the buffer; return whether there was any."""
    sent = False
    for stream, body in list(left.items()):
        size = min(http2.local_flow_control_window(stream), http2.max_outbound_frame_size, len(body))
        if size:
            sent = True
            left[stream] = body[size:]
            http2.send_data(stream, body[:size].tobytes(), end_stream=size == len(body))
            if size == len(body):
                del left[stream]
    return sent


@pytest.mark.parametrize("most", [None, 64 * MEBIBYTE])
def test_60_a_stream_that_waits_for_its_decoder_holds_up_no_other(most: int | None) -> None:
    """The other streams of the connection are received to their ends while the bomb is decoded, and the bomb
    itself continues afterwards, or is refused for its size. Every row has the size of its own body."""
    ended: list[str] = []
    with (
        EndingServer(serve, "h2") as server,
        fetchpool.Pool(
            workers=16, executor="async", insecure=True, http_version="2", max_filesize=most
        ) as pool,
    ):
        assert pool.submit(server.url("small")).result(SOON).http_version == "2"
        paths = [
            "bomb",
            *(f"large?{number}" for number in range(4)),
            *(f"small?{number}" for number in range(8)),
        ]
        futures = {path: pool.submit(server.url(path)) for path in paths}
        for path, future in futures.items():
            future.add_done_callback(lambda _, path=path: ended.append(path))
        rows = {path: future.result(SOON) for path, future in futures.items()}
        assert server.connections == 1
    bombs = rows.pop("bomb")
    if most is None:
        assert (bombs.error, bombs.size_delivered) == (None, ZEROS + NOISE)
        assert ended[-1] == "bomb"
    else:
        assert bombs.error == "too_large"
    assert {row.error for row in rows.values()} == {None}
    for path, row in rows.items():
        assert row.size_delivered == (LARGE if path.startswith("large") else 4), path
