"""What can go wrong before a word of HTTP: ports that refuse, never accept, or never speak."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def refused(host: str = "127.0.0.1") -> Iterator[int]:
    """A closed port, which no other program can open meanwhile."""
    with socket.socket() as held:
        held.bind((host, 0))  # bound, not listening: connections are refused
        yield held.getsockname()[1]


@contextlib.contextmanager
def never_accepting(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """A listener with a full backlog: the kernel drops each SYN that comes (fault 5)."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((host, port), backlog=0))
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextlib.contextmanager
def accepting(speech: bytes | None) -> Iterator[int]:
    """A port that accepts all clients, says `speech` and hangs up without reading a request; with
    None it says nothing and holds on."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if speech is None:
                held.append(connection)
                continue
            with contextlib.suppress(OSError):
                connection.sendall(speech)
            connection.close()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
        for connection in held:
            connection.close()
