"""The demo server: HTTP/1.1 on loopback, with a fixed number of threads.

In: connections. Out: the responses of `pages.py`. However many clients connect at once, it has at most
`backlog` connections and `threads` + 1 threads:

    clients ──▶ selector thread ──readable──▶ queue (bounded) ──▶ thread 1 … thread N
                 │  watches idle, partial                                │
                 │  and slow connections,                                │
                 │  a heap of delayed responses                          │
                 └◀─────────── what it waits for next ◀──────────────────┘

A connection occupies a thread only while there is something to do: an idle client, a partial request, a slow
reader and `/delay` need an entry in a table, not a thread.
"""

from __future__ import annotations

import heapq
import selectors
import socket
import threading
import time
from collections import deque
from contextlib import suppress
from itertools import count
from queue import Queue
from typing import Self

from fetchpool.cli.demo_server.connection import Connection, Next
from fetchpool.cli.demo_server.http1 import Request
from fetchpool.cli.demo_server.pages import Response, Site

ACCEPTS_PER_LOOP = 64
"""Maximum number of connections accepted before others are served."""
ACCEPT_PAUSE = 0.1
"""Seconds before the next attempt if the system has no more sockets."""


class DemoServer:
    """A small HTTP server, running while it is open as a context manager.

    `pages.py` lists the paths. A stopped server cannot be started again.
    """

    def __init__(self, threads: int = 8, backlog: int = 4096, *, idle_timeout: float = 60.0) -> None:
        """`threads`: number of threads that respond; `backlog`: maximum number of connections, beyond which
        clients wait in the kernel's queue; `idle_timeout`: seconds without data after which a connection is
        closed."""
        self._site = Site()
        self._backlog = backlog
        self._idle_timeout = idle_timeout
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        """The port of 127.0.0.1 on which it listens."""
        self._waking, self._wakes = socket.socketpair()
        self._waking.setblocking(False)
        self._wakes.setblocking(False)
        self._woken = False
        self._stopping = False

        # Each connection is in one place at a time: watched, delayed, queued, held by a thread, or
        # returned. So `backlog` bounds them all, and putting into the queue never blocks.
        self._connections: set[Connection] = set()
        self._watched: dict[Connection, float] = {}  # -> when it times out; soonest first
        self._delayed: list[tuple[float, int, Connection]] = []  # a heap
        self._ready: Queue[Connection | None] = Queue(backlog)
        self._returned: deque[tuple[Connection, Next]] = deque()
        self._order = count()
        self._accepting = False
        self._accept_after = 0.0

        self._requests = 0
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._selecting = threading.Thread(target=self._select, name="demo-selector", daemon=True)
        self._responders = [
            threading.Thread(target=self._work, name=f"demo-{number}", daemon=True)
            for number in range(threads)
        ]

    @property
    def requests(self) -> int:
        """Number of complete requests so far, each counted before the first byte of its response is sent."""
        with self._lock:
            return self._requests

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return len(self._connections)

    def url(self, path: str = "/") -> str:
        """Return the URL of a path of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the threads. Clients may have connected before."""
        self._selector.register(self._waking, selectors.EVENT_READ)
        self._selecting.start()
        for thread in self._responders:
            thread.start()

    def stop(self) -> None:
        """Close all connections and wait for the threads to end. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        self._wake()
        self._selecting.join()
        for _ in self._responders:
            self._ready.put(None)
        for thread in self._responders:
            thread.join()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        self._selector.close()
        for sock in (self._listener, self._waking, self._wakes):
            sock.close()

    # In the responding threads.

    def _work(self) -> None:
        while (connection := self._ready.get()) is not None:
            self._returned.append((connection, connection.advance()))
            self._wake()

    def _respond(self, request: Request) -> Response:
        with self._lock:
            self._requests += 1
        return self._site.respond(request)

    def _wake(self) -> None:
        if not self._woken:  # the selector thread clears it before it reads `_returned`
            self._woken = True
            with suppress(BlockingIOError):  # there are unread wake-ups
                self._wakes.send(b"\0")

    # In the selector thread, the only one that uses the selector and the tables, and closes sockets.

    def _select(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            self._toggle_accepting(now)
            for key, _ in self._selector.select(self._timeout(now)):
                if isinstance(key.data, Connection):
                    self._unwatch(key.data)
                    self._ready.put_nowait(key.data)
                elif key.fileobj is self._listener:
                    self._accept()
                else:
                    with suppress(BlockingIOError):
                        self._waking.recv(4096)
            self._woken = False
            self._take_back()
            self._release(time.monotonic())

    def _timeout(self, now: float) -> float | None:
        """Return the seconds until the next delay or timeout ends; None if there is none."""
        times = []
        if self._watched:
            times.append(next(iter(self._watched.values())))
        if self._delayed:
            times.append(self._delayed[0][0])
        if self._accept_after > now:
            times.append(self._accept_after)
        return max(0.0, min(times) - now) if times else None

    def _take_back(self) -> None:
        while self._returned:
            connection, wanted = self._returned.popleft()
            match wanted:
                case Next.READ:
                    self._watch(connection, selectors.EVENT_READ)
                case Next.WRITE:
                    self._watch(connection, selectors.EVENT_WRITE)
                case Next.CONTINUE:
                    self._ready.put_nowait(connection)
                case Next.DELAY:
                    due = time.monotonic() + connection.delay
                    heapq.heappush(self._delayed, (due, next(self._order), connection))
                case Next.CLOSE:
                    self._hang_up(connection)

    def _release(self, now: float) -> None:
        """Send delayed responses that are due, and close connections that timed out."""
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.put_nowait(heapq.heappop(self._delayed)[2])
        while self._watched:
            connection, timeout_at = next(iter(self._watched.items()))
            if timeout_at > now:
                break
            self._unwatch(connection)
            self._hang_up(connection)

    def _watch(self, connection: Connection, event: int) -> None:
        self._watched[connection] = time.monotonic() + self._idle_timeout
        self._selector.register(connection.sock, event, connection)

    def _unwatch(self, connection: Connection) -> None:
        del self._watched[connection]
        self._selector.unregister(connection.sock)

    def _hang_up(self, connection: Connection) -> None:
        self._connections.discard(connection)
        connection.sock.close()

    def _toggle_accepting(self, now: float) -> None:
        wanted = len(self._connections) < self._backlog and now >= self._accept_after
        if wanted and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._accepting and not wanted:
            self._selector.unregister(self._listener)
        self._accepting = wanted

    def _accept(self) -> None:
        for _ in range(min(ACCEPTS_PER_LOOP, self._backlog - len(self._connections))):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptors left: clients wait until some connection is closed
                self._accept_after = time.monotonic() + ACCEPT_PAUSE
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self._respond)
            self._connections.add(connection)
            self._watch(connection, selectors.EVENT_READ)
