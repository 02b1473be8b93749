"""The demo server's sockets: HTTP/1.1 on loopback, from a fixed number of threads.

In: connections. Out: the answers of `site.py`. However many clients come at once, it holds at most
`backlog` connections and `threads` + 1 threads:

    clients ──▶ selector thread ──readable──▶ queue (bounded) ──▶ thread 1 … thread N
                 │  watches idle, half-sent                              │
                 │  and slow connections,                                │
                 │  a heap of delayed answers                            │
                 └◀─────────── what it waits for next ◀──────────────────┘

A thread holds a connection only while there is something to do for it: an idle client, half a
request, a slow reader and `/delay` cost an entry in a table, not a thread.
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
from fetchpool.cli.demo_server.pages import Answer, Site

ACCEPTS_A_TURN = 64
"""Connections accepted before others get a turn."""
ACCEPT_PAUSE = 0.1
"""Seconds before the next try, when the system gives no more sockets."""


class DemoServer:
    """A small HTTP server for `with`: it answers from `__enter__` to `__exit__`.

    `site.py` lists the paths. Once stopped it is not started again.
    """

    def __init__(
        self, threads: int = 8, backlog: int = 4096, *, idle_timeout: float = 60.0, port: int = 0
    ) -> None:
        """`threads` answer; `backlog` connections are held at once, and further clients wait in the
        kernel's queue. A client from which nothing came or went for `idle_timeout` seconds is hung
        up on. `port` 0 takes a free one. Raises OSError when the port can't be had."""
        self._site = Site()
        self._backlog = backlog
        self._idle_timeout = idle_timeout
        self._listener = socket.create_server(("127.0.0.1", port), backlog=4096)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        """The port it listens on, of 127.0.0.1."""
        self._waking, self._wakes = socket.socketpair()
        self._waking.setblocking(False)
        self._wakes.setblocking(False)
        self._woken = False
        self._stopping = False

        # Each connection is in one place at a time: watched, delayed, queued, held by a thread, or
        # returned. So `backlog` bounds them all, and putting into the queue never blocks.
        self._connections: set[Connection] = set()
        self._watched: dict[Connection, float] = {}  # -> when its patience ends; soonest first
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
        self._answering = [
            threading.Thread(target=self._work, name=f"demo-{number}", daemon=True)
            for number in range(threads)
        ]

    @property
    def requests(self) -> int:
        """Requests received whole so far, each counted before its answer's first byte is sent."""
        with self._lock:
            return self._requests

    @property
    def connections(self) -> int:
        """Connections held now."""
        return len(self._connections)

    def url(self, path: str = "/") -> str:
        """The URL of that path of this server."""
        return f"http://127.0.0.1:{self.port}{path}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Starts the threads. Clients may connect before; they are answered from now on."""
        self._selector.register(self._waking, selectors.EVENT_READ)
        self._selecting.start()
        for thread in self._answering:
            thread.start()

    def stop(self) -> None:
        """Hangs up on everyone and waits for the threads to end. Idempotent."""
        if self._stopping:
            return
        self._stopping = True
        self._wake()
        self._selecting.join()
        for _ in self._answering:
            self._ready.put(None)
        for thread in self._answering:
            thread.join()
        for connection in self._connections:
            connection.sock.close()
        self._connections.clear()
        self._selector.close()
        for sock in (self._listener, self._waking, self._wakes):
            sock.close()

    # In the answering threads.

    def _work(self) -> None:
        while (connection := self._ready.get()) is not None:
            self._returned.append((connection, connection.advance()))
            self._wake()

    def _answer(self, request: Request) -> Answer:
        with self._lock:
            self._requests += 1
        return self._site.answer(request)

    def _wake(self) -> None:
        if not self._woken:  # the selector clears it before it looks at what was returned
            self._woken = True
            with suppress(BlockingIOError):  # full of wake-ups: it will wake
                self._wakes.send(b"\0")

    # In the selector thread; it alone touches the selector, the tables and the life of a socket.

    def _select(self) -> None:
        while not self._stopping:
            now = time.monotonic()
            self._choose_to_accept(now)
            for key, _ in self._selector.select(self._patience(now)):
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

    def _patience(self, now: float) -> float | None:
        """Seconds until something is due by the clock; None when nothing is."""
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
                case Next.TURN:
                    self._ready.put_nowait(connection)
                case Next.DELAY:
                    due = time.monotonic() + connection.delay
                    heapq.heappush(self._delayed, (due, next(self._order), connection))
                case Next.CLOSE:
                    self._hang_up(connection)

    def _release(self, now: float) -> None:
        """Lets go what the clock says: delayed answers, and clients that were silent for too long."""
        while self._delayed and self._delayed[0][0] <= now:
            self._ready.put_nowait(heapq.heappop(self._delayed)[2])
        while self._watched:
            connection, patience_ends = next(iter(self._watched.items()))
            if patience_ends > now:
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

    def _choose_to_accept(self, now: float) -> None:
        wanted = len(self._connections) < self._backlog and now >= self._accept_after
        if wanted and not self._accepting:
            self._selector.register(self._listener, selectors.EVENT_READ)
        elif self._accepting and not wanted:
            self._selector.unregister(self._listener)
        self._accepting = wanted

    def _accept(self) -> None:
        for _ in range(min(ACCEPTS_A_TURN, self._backlog - len(self._connections))):
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no descriptors left: clients wait until some connection is closed
                self._accept_after = time.monotonic() + ACCEPT_PAUSE
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(sock, self._answer)
            self._connections.add(connection)
            self._watch(connection, selectors.EVENT_READ)
