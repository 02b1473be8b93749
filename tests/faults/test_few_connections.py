"""Servers that accept few connections at once: the number of connections is reduced, and every URL is
fetched."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections import Counter
from pathlib import Path

import pytest
import trustme

from fetchpool.engine.events import Event, Notice
from fetchpool.engine.observers import Observer
from fetchpool.sources.iterable import IterableSource
from tests.faults.matrix import (
    ASYNC,
    Rows,
    Way,
    at_once,
    engine_for,
    fetch_urls,
    in_every_way,
    over_each_transport,
)

waiting = at_once()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage"


class FewConnections:
    """Serves at most so many connections at once; the others are closed, reset, or not even accepted."""

    def __init__(self, most: int, others: str, tls: ssl.SSLContext | None = None) -> None:
        self._most = most
        self._others = others
        self._tls = tls
        self._lock = threading.Lock()
        self._open = 0
        self.turned_away = 0
        self.resets: set[str] = set()
        """Targets whose connection is reset, always."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                if self._others == "wait":
                    self._serve(connection)
                else:
                    threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._open += 1
            one_too_many = self._open > self._most
            self.turned_away += one_too_many
        try:
            if one_too_many:
                if self._others == "reset":
                    reset(connection)
                return
            connection.settimeout(20)
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._converse(connection)
        except OSError:
            pass
        finally:
            connection.close()
            with self._lock:
                self._open -= 1

    def _converse(self, connection: socket.socket) -> None:
        head = b""
        while received := connection.recv(65536):
            head += received
            if b"\r\n\r\n" in head:
                if head.split(b" ")[1].decode() in self.resets:
                    reset(connection)
                    return
                if self._others != "wait":
                    threading.Event().wait(0.005)
                connection.sendall(ANSWER)
                head = b""


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@in_every_way
@pytest.mark.parametrize(("most", "others"), [(1, "reset"), (2, "close"), (7, "reset")])
@waiting
def test_66_a_host_that_accepts_few_connections_gets_fewer(most: int, others: str, way: Way) -> None:
    """If a host resets or closes all other connections, every URL is fetched with the default retries.
    Failures caused by too many connections don't count as attempts."""
    with contextlib.closing(FewConnections(most, others)) as few:
        urls = [f"http://127.0.0.1:{few.port}/{number}" for number in range(100)]
        records = fetch_urls(way, urls, workers=10, retry=2, retry_delay=0.1)
    assert Counter(record.error for record in records) == {None: 100}
    assert few.turned_away < 150


@in_every_way
@waiting
def test_66_a_host_that_serves_one_connection_at_a_time_is_accommodated(way: Way) -> None:
    """Such a host accepts a connection when the previous one is closed: idle connections would block new
    ones, and are closed."""
    server = FewConnections(1, "wait")
    try:
        urls = [f"http://127.0.0.1:{server.port}/{number}" for number in range(40)]
        records = fetch_urls(way, urls, workers=4, retry=2, retry_delay=0.1, read_timeout=0.5)
    finally:
        server.close()
    assert Counter(record.error for record in records) == {None: 40}


@over_each_transport
@waiting
def test_66_the_same_holds_with_tls(way: Way, tmp_path: Path) -> None:
    """The connection breaks within the handshake."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = FewConnections(2, "reset", context)
    try:
        urls = [f"https://127.0.0.1:{server.port}/{number}" for number in range(60)]
        records = fetch_urls(
            way,
            urls,
            workers=10,
            retry=2,
            retry_delay=0.1,
            cacert=str(tmp_path / "ca.pem"),
            http_version="1.1",
        )
    finally:
        server.close()
    assert Counter(record.error for record in records) == {None: 60}


class NoticeRecorder(Observer):
    """Collects the texts of notices."""

    def __init__(self) -> None:
        self.notices: list[str] = []

    def on_event(self, event: Event) -> None:
        if isinstance(event, Notice):
            self.notices.append(event.text)


@pytest.mark.parametrize("resets", [0, 3])
@waiting
def test_66_occasional_resets_slow_no_host(resets: int) -> None:
    """A page that is always reset has its retries, with no other effect. If the number of connections is
    reduced, a message says so."""
    for most, expected in ((100, 0), (2, 1)):
        server = FewConnections(most, "reset")
        server.resets = {f"/{number}" for number in range(100, 100 + 100 * resets, 100)}
        rows, recorder = Rows(), NoticeRecorder()
        urls = [f"http://127.0.0.1:{server.port}/{number}" for number in range(400)]
        engine = engine_for(
            ASYNC, IterableSource(urls), rows, workers=10, retry=2, retry_delay=0.1, observers=[recorder]
        )
        engine.run()
        server.close()
        found = Counter(record.error for record in rows.records)
        assert found == Counter({None: 400 - resets, **({"reset": resets} if resets else {})})
        assert len(recorder.notices) == expected, recorder.notices
