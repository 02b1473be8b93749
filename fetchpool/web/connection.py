"""A browser's connection to the web page: uvicorn's, with additional limits.

Otherwise clients that send nothing, or half a request, would stay forever, and a client that opens thousands
of connections would take all descriptors.
"""

from __future__ import annotations

import asyncio
from typing import Any, ClassVar

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from fetchpool.web.errors import error_response
from fetchpool.web.guard import HEADERS, NO_STORE


class Connection(H11Protocol):
    """A browser's connection to the page."""

    max_connections: ClassVar[int] = 256
    request_timeout: ClassVar[float] = 10.0
    """Seconds for a request to arrive completely, counted from its first byte or from the opening of its
    connection."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
            return
        self._expect_request()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._is_waiting():
            if self._deadline is None:
                self._expect_request()
        elif self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        super().connection_lost(exc)

    def send_400_response(self, _msg: str) -> None:
        response = error_response(400, "this is not a valid HTTP request")
        headers: list[Any] = [*response.headers, *HEADERS, NO_STORE, (b"connection", b"close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=response.body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _is_waiting(self) -> bool:
        """Whether the client's request is incomplete."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _expect_request(self) -> None:
        self._deadline = self.loop.call_later(self.request_timeout, self._expire)

    def _expire(self) -> None:
        self._deadline = None
        if self._is_waiting():
            self.transport.abort()
