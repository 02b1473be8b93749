"""Connections of clients that send nothing, half a request, or something else than HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import uvicorn

from fetchpool.web.child import PageServer
from fetchpool.web.connection import Connection

Client = Callable[[int], Awaitable[Any]]
FINE = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Impatient(Connection):
    request_timeout = 0.05
    max_connections = 4


async def app(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"in"})


def serve(client: Client) -> Any:
    """Runs a client against a server."""

    async def run() -> Any:
        server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        listener = server.sockets[0]
        config = uvicorn.Config(app, http=Impatient, ws="none", lifespan="off", log_config=None)
        served = PageServer(config)
        copy = listener.dup()
        port = copy.getsockname()[1]
        server.close()
        task = asyncio.create_task(served.serve(sockets=[copy]))
        try:
            return await asyncio.wait_for(client(port), 5)
        finally:
            served.should_exit = served.force_exit = True
            await task

    return asyncio.run(run())


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab"]
)
def test_a_client_that_does_not_finish_its_request_is_disconnected(sent: bytes) -> None:
    async def client(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    assert serve(client) == b""


def test_the_second_request_of_a_connection_has_a_deadline_as_well() -> None:
    async def client(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(FINE)
        assert (await reader.readuntil(b"in")).startswith(b"HTTP/1.1 200")
        writer.write(FINE[:9])
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()

    assert serve(client) == b""


def test_too_many_connections_are_closed() -> None:
    async def client(port: int) -> tuple[int, bytes]:
        pairs = [await asyncio.open_connection("127.0.0.1", port) for _ in range(40)]
        for _, writer in pairs:
            writer.write(FINE[:9])
        dropped = 0
        for reader, writer in pairs:
            try:
                dropped += await reader.read() == b""
            except ConnectionResetError:
                dropped += 1
            writer.close()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(FINE)
        answer = await reader.readuntil(b"in")
        writer.close()
        return dropped, answer

    dropped, answer = serve(client)
    assert dropped == 40
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"]
)
def test_what_is_no_request_gets_an_error_with_all_headers(sent: bytes) -> None:
    async def client(port: int) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        try:
            return await reader.read()
        finally:
            writer.close()

    answer = serve(client).lower()
    assert answer.startswith(b"http/1.1 400")
    assert b"content-security-policy" in answer
    assert answer.endswith(b'{"error":"this is not a valid http request"}')
