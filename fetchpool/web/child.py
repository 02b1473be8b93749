"""The process of the web page: serves it with uvicorn until the run ends.

In: a listening socket, by its descriptor, and messages on standard input. Out: commands on standard output.
Standard input ends when the run's process does, for whatever reason; then this process ends as well.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import uvicorn

from fetchpool.web import messages
from fetchpool.web.app import build_app
from fetchpool.web.connection import Connection
from fetchpool.web.guard import Guard
from fetchpool.web.messages import End, Link, Notice, Start, Update
from fetchpool.web.page import PageState
from fetchpool.web.request_limit import RequestLimit

NICENESS = 10
"""Niceness of the process: the run takes precedence."""
LAST_WAIT = 1.5
"""Maximum seconds for open tabs to fetch the final state of the run."""
LINGER = 0.05
"""Seconds for the last response to be sent."""
MAX_LINE = 1 << 22
"""Maximum size of a message in bytes."""


class PageServer(uvicorn.Server):
    """uvicorn's server without its signal handlers; the run's process handles signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def main() -> None:
    """Run the process. Its argument is the descriptor of the listening socket."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError):
        os.nice(NICENESS)
    try:
        asyncio.run(serve(socket.socket(fileno=int(sys.argv[1]))))
    finally:
        sys.stdout.flush()
    os._exit(0)  # nothing is left to do, and an interpreter takes its time to end


async def serve(listener: socket.socket) -> None:
    """Serve the page until the end of the run."""
    lines = await _standard_input()
    start = messages.decode(await lines.readline())
    assert isinstance(start, Start)
    state = PageState(start.run)
    os.set_blocking(1, False)
    guard = Guard(build_app(state, _send), start.access)
    config = uvicorn.Config(
        RequestLimit(guard),
        http=Connection,
        loop="asyncio",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    server = PageServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while line := await lines.readline():
        match messages.decode(line):
            case Update(snapshot=snapshot):
                state.update(snapshot)
            case Notice() as notice:
                state.notice(notice)
            case Link(token=token, read_only=read_only):
                guard.add_link(token, read_only=read_only)
            case End() as end:
                state.end(end)
                await _last_requests(state)
                if server.server_state.connections:
                    await asyncio.sleep(LINGER)
                break
    serving.cancel()


async def _last_requests(state: PageState) -> None:
    """Wait until each open tab has fetched the final state."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LAST_WAIT
    while state.has_tabs() and loop.time() < until:
        await asyncio.sleep(0.02)


async def _standard_input() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _send(line: bytes) -> bool:
    """Pass commands to the run without waiting for it."""
    try:
        return os.write(1, line) == len(line)  # a pipe accepts so few bytes completely or not at all
    except OSError:
        return False


if __name__ == "__main__":
    main()
