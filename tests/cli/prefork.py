"""A process that has the command loaded and forks once per command, so that a test pays for no start.

Most of the CPU time of a short command are the interpreter's start and its imports. The forked command is a
process of its own, with its own signals, exit code, directory, environment and file descriptors. A command
with environment variables of its own starts in the usual way: the interpreter reads some of them first.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping, Sequence
from io import FileIO
from pathlib import Path
from typing import NoReturn

PRELOADED = (
    "fetchpool.cli.main",
    "fetchpool.cli.session",
    "fetchpool.history.refresh",
    "fetchpool.pools.thread",
    "fetchpool.progress.display",
    "fetchpool.progress.keyboard",
    "fetchpool.progress.keys",
    "fetchpool.sinks.jsonl",
    "fetchpool.transports.curl.transport",
    "pydantic.types",
    "pydantic.type_adapter",
)
"""What most commands load. No module that starts a thread: threads don't survive a fork."""

_REQUEST_SIZE = 1 << 20


class PreforkServer:
    """The tests' end of the process."""

    def __init__(self, environment: Mapping[str, str], root: Path) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                cwd=root,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        atexit.register(self.close)

    def run(
        self,
        arguments: Sequence[str],
        *,
        stdin: bytes,
        cwd: Path | None,
        environment: Mapping[str, str],
        timeout: float,
    ) -> subprocess.CompletedProcess[bytes]:
        """Runs the command to its end, with a pipe on every stream. Kills it after `timeout` seconds."""
        pipes = [os.pipe() for _ in range(4)]
        theirs = [pipes[0][0], *(write for _, write in pipes[1:])]
        ours = [pipes[0][1], *(read for read, _ in pipes[1:])]
        try:
            self._send(arguments, theirs, cwd, environment, has_terminal=False)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        written, printed, refused, status = (
            os.fdopen(descriptor, "wb" if place == 0 else "rb", buffering=0)
            for place, descriptor in enumerate(ours)
        )
        found: dict[str, bytes] = {}
        with printed, refused, status:
            pid = int(status.readline())
            others = [
                threading.Thread(target=_write, args=(written, stdin)),
                threading.Thread(target=lambda: found.update(stdout=printed.read())),
                threading.Thread(target=lambda: found.update(stderr=refused.read())),
            ]
            for thread in others:
                thread.start()
            for thread in others:
                thread.join(timeout)
            is_late = any(thread.is_alive() for thread in others)
            if is_late:
                os.kill(pid, signal.SIGKILL)
                for thread in others:
                    thread.join()
            code = int(status.readline())
        done = subprocess.CompletedProcess(["fetchpool", *arguments], code, found["stdout"], found["stderr"])
        if is_late:
            raise subprocess.TimeoutExpired(done.args, timeout, done.stdout, done.stderr)
        return done

    def start(
        self, arguments: Sequence[str], streams: Sequence[int], *, cwd: Path, environment: Mapping[str, str]
    ) -> PreforkedProcess:
        """Starts the command on a terminal, which is its standard error and its controlling terminal."""
        read, write = os.pipe()
        try:
            self._send(arguments, [*streams, write], cwd, environment, has_terminal=True)
        finally:
            os.close(write)
        return PreforkedProcess(os.fdopen(read, "rb", buffering=0))

    def _send(
        self,
        arguments: Sequence[str],
        descriptors: Sequence[int],
        cwd: Path | None,
        environment: Mapping[str, str],
        *,
        has_terminal: bool,
    ) -> None:
        request = [list(arguments), str(cwd or Path.cwd()), dict(environment), has_terminal]
        socket.send_fds(self._socket, [json.dumps(request).encode()], descriptors)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


class PreforkedProcess:
    """A command that runs, as far as a test needs it of a `Popen`."""

    def __init__(self, status: FileIO) -> None:
        self._status = status
        self.pid = int(status.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit code, once it has ended."""
        if self.returncode is None and select.select([self._status], [], [], 0)[0]:
            return self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its exit code, when it has ended."""
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise TimeoutError(f"process {self.pid} has not ended")
            with self._status:
                self.returncode = int(self._status.readline())
        return self.returncode


def _write(pipe: FileIO, text: bytes) -> None:
    with pipe, contextlib.suppress(BrokenPipeError):  # the command need not read its input
        view = memoryview(text)
        while view:
            view = view[pipe.write(view) :]


def serve(requests: socket.socket) -> None:
    """Forks for each request until there are none. Returns in the forked process, which runs the command."""
    for name in PRELOADED:
        with contextlib.suppress(ModuleNotFoundError):  # an older typer has no pydantic
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    while True:
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_SIZE, 4)
        if not request:
            os._exit(0)
        # One process in between, which waits for the command: two commands can run at the same time.
        if os.fork() == 0:
            requests.close()
            command = os.fork()
            if command == 0:
                _become(descriptors[:3], *json.loads(request))
                os.close(descriptors[3])
                return
            for descriptor in descriptors[:3]:
                os.close(descriptor)
            os.write(descriptors[3], b"%d\n" % command)
            _, status = os.waitpid(command, 0)
            os.write(descriptors[3], b"%d\n" % os.waitstatus_to_exitcode(status))
            os._exit(0)
        for descriptor in descriptors:
            os.close(descriptor)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _become(
    streams: Sequence[int],
    arguments: Sequence[str],
    cwd: str,
    environment: Mapping[str, str],
    has_terminal: bool,
) -> None:
    """Makes this process what a shell would have started."""
    if has_terminal:
        os.setsid()
        fcntl.ioctl(streams[2], termios.TIOCSCTTY, 0)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = cwd
    sys.argv[1:] = arguments


def run_command() -> NoReturn:
    """Runs the command and ends the process as the interpreter does, up to the point where it frees all
    modules. To free those that are shared with the server copies each of their pages, which takes longer
    than a short command."""
    try:
        runpy.run_module("fetchpool", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if not isinstance(end.code, int):
            raise
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()  # if that fails, the interpreter has to report it
        sys.stderr.flush()
        os._exit(end.code & 0xFF)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        serve(ours)
    run_command()
