"""The process of the web page, fed by hand, and a browser in front of it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import msgspec

from fetchpool.config import steering
from fetchpool.config.web_options import WebOptions
from fetchpool.engine.events import SIZE_BOUNDS, TIME_BOUNDS, Snapshot
from fetchpool.model.steering import Command
from fetchpool.progress.snapshot_json import encode
from fetchpool.web import messages
from fetchpool.web.listen import access, link, listen, new_token
from fetchpool.web.messages import End, Link, Notice, RunInfo, Start, Update
from tests.cli.environment import ROOT, environment
from tests.cli.prefork import PRELOADED, ForkedProcess

LOADED = (
    *PRELOADED,
    "fetchpool.web.app",
    "fetchpool.web.connection",
    "fetchpool.web.request_limit",
    "uvicorn.lifespan.off",
    "uvicorn.loops.asyncio",
)
PATIENCE = 30.0
TOKEN = "sesame"
RUN = RunInfo(
    version="1.0",
    command="fetchpool urls.txt -o results.jsonl -w 64",
    inputs=("urls.txt",),
    outputs=("results.jsonl",),
    executor="async",
    transport="curl",
    started=1_800_000_000.0,
    pid=4711,
    ceiling=1000,
    read_only=False,
    time_bounds=TIME_BOUNDS,
    size_bounds=SIZE_BOUNDS,
)


class PageProcess:
    """The child process, without a run. A context manager."""

    def __init__(self, **options: Any) -> None:
        self.options = WebOptions(port=0, token=TOKEN, **options)
        self._listener = listen(self.options)
        self.port: int = self._listener.getsockname()[1]
        self.process: subprocess.Popen[bytes]

    def __enter__(self) -> PageProcess:
        number = self._listener.fileno()
        self.process = ForkedProcess(
            [sys.executable, "-m", "fetchpool.web.child", str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[number],
            env=environment(),
            cwd=ROOT,
            bufsize=0,
            start_new_session=True,
            preloaded=LOADED,
        )
        self._listener.close()
        run = msgspec.structs.replace(RUN, read_only=self.options.read_only)
        self.write(Start(access(self.options, self.port), run))
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            pipe.close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def link(self) -> str:
        """An address that logs in once."""
        token = new_token()
        self.write(Link(token))
        return link(self.options, self.port, token)

    def write(self, *batch: messages.Message) -> None:
        assert self.process.stdin is not None
        left = memoryview(b"".join(map(messages.encode, batch)))
        while left:
            left = left[self.process.stdin.write(left) :]

    def show(self, snapshots: Iterable[Snapshot]) -> None:
        self.write(*(Update(msgspec.Raw(encode(shot))) for shot in snapshots))

    def notice(self, time: float, text: str) -> None:
        self.write(Notice(time, text))

    def end(self, exit_code: int, *lines: str) -> None:
        self.write(End(exit_code, lines))

    def command(self, timeout: float = PATIENCE) -> Command | None:
        """The next command; None after `timeout` seconds without one."""
        pipe = self.process.stdout
        assert pipe is not None
        if not select.select([pipe], [], [], timeout)[0]:
            return None
        line = b""
        while not line.endswith(b"\n"):
            line += os.read(pipe.fileno(), 1)
        return steering.decode(line)

    def ask(self, request: bytes) -> bytes:
        """Sends bytes as they are; returns the response's."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as connection:
            connection.sendall(request)
            parts = []
            while part := connection.recv(65536):
                parts.append(part)
        return b"".join(parts)
