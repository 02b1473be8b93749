"""A process that has the command loaded and forks once per command, so that a test pays for no start.

Most of the CPU time of a short command are the interpreter's start and its imports. The forked command is a
process of its own, with its own signals, exit code, directory, environment and file descriptors.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import gc
import importlib
import json
import os
import resource
import runpy
import select
import signal
import socket
import subprocess
import sys
import termios
import threading
import types
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.cli.environment import ROOT, environment

PRELOADED = (
    "fetchpool.cli.main",
    "fetchpool.cli.session",
    "fetchpool.history.refresh",
    "fetchpool.pools.async_.pool",
    "fetchpool.pools.process.pool",
    "fetchpool.pools.thread",
    "fetchpool.progress.log_file",
    "fetchpool.progress.display",
    "fetchpool.progress.keyboard",
    "fetchpool.progress.keys",
    "fetchpool.report.page",
    "fetchpool.report.write",
    "fetchpool.sinks.bodies",
    "fetchpool.sinks.csv",
    "fetchpool.sinks.jsonl",
    "fetchpool.sinks.sqlite",
    "fetchpool.sinks.text",
    "fetchpool.transports.curl.transport",
    "pydantic.types",
    "pydantic.type_adapter",
)
"""What most commands load. No module that starts a thread: threads don't survive a fork."""
LARGE = (
    *PRELOADED,
    *("fetchpool.transports.requests", "requests"),
    *("fetchpool.http.warc_recorder", "fetchpool.sinks.warc"),
    *("pyarrow.parquet", "pandas"),
)
"""What some commands load as well, in 60, 40 and 280 ms. Threads of pyarrow and numpy allow for a fork."""

_REQUEST_SIZE = 1 << 20
_MAX_DESCRIPTORS = 8
_starting = threading.RLock()
"""Held while a process is started, which may start that of most commands: the tests of a group run in
threads."""


class ForkedProcess(subprocess.Popen[Any]):
    """`Popen` for `python -m fetchpool ...` and `python -c ...`, forked from the process that has it loaded.

    `terminal`: stderr becomes the controlling terminal. `limits`: as of `resource.setrlimit`. `preloaded`:
    the modules that the process which forks has loaded.
    """

    def __init__(
        self,
        args: Sequence[str],
        *,
        terminal: bool = False,
        limits: Mapping[int, tuple[int, int]] | None = None,
        preloaded: tuple[str, ...] = PRELOADED,
        **options: Any,
    ) -> None:
        self._status = -1
        self._preloaded = preloaded
        self._request = {"terminal": terminal, "limits": list((limits or {}).items())}
        super().__init__(args, **options)

    def _execute_child(self, args: Sequence[str], *others: Any) -> None:
        """Called by `Popen` once the pipes are made."""
        (_, preexec_fn, _, pass_fds, cwd, env, *_), pipes, others = others[:9], others[9:15], others[15:]
        assert args[0] == sys.executable
        assert preexec_fn is None
        session: bool = others[5]
        request = self._request | {
            "arguments": args[1:],
            "cwd": str(cwd or Path.cwd()),
            "variables": dict(os.environ if env is None else env),
            "session": session,
            "passed": sorted(pass_fds),
        }
        p2cread, _, _, c2pwrite, _, errwrite = pipes
        self._status, status = os.pipe()
        streams = [
            own if theirs == -1 else theirs for own, theirs in enumerate((p2cread, c2pwrite, errwrite))
        ]
        try:
            with _starting:
                server = _server(self._preloaded)
            socket.send_fds(server, [json.dumps(request).encode()], [status, *streams, *sorted(pass_fds)])
        finally:
            os.close(status)
            self._close_pipe_fds(*pipes)
        self.pid = int.from_bytes(os.read(self._status, 4))
        assert self.pid, "the process that forks has ended"
        self._child_created = True

    def _try_wait(self, wait_flags: int) -> tuple[int, int]:
        """Like `os.waitpid`, which is for children only: the process that forks has waited."""
        if wait_flags & os.WNOHANG and not select.select([self._status], [], [], 0)[0]:
            return 0, 0
        status = int.from_bytes(os.read(self._status, 4))
        os.close(self._status)
        return self.pid, status

    def _internal_poll(self, *_: Any, **__: Any) -> int | None:
        if self.returncode is None and self._waitpid_lock.acquire(False):
            try:
                if self.returncode is None and self._status != -1:
                    pid, status = self._try_wait(os.WNOHANG)
                    if pid:
                        self._handle_exitstatus(status)
            finally:
                self._waitpid_lock.release()
        return self.returncode


@cache
def _server(preloaded: tuple[str, ...]) -> socket.socket:
    """Starts the process. It ends with this one. One that loads more is itself forked from that of most
    commands."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, "-m", __name__]
    options: dict[str, Any] = {"cwd": ROOT, "env": environment(), "stdout": subprocess.DEVNULL}
    with theirs:
        if preloaded == PRELOADED:
            options |= {"stdin": subprocess.DEVNULL, "pass_fds": [theirs.fileno()]}
            process = subprocess.Popen([*command, str(theirs.fileno()), *preloaded], **options)
        else:
            more = [name for name in preloaded if name not in PRELOADED]
            process = ForkedProcess([*command, "0", *more], stdin=theirs, **options)

    @atexit.register
    def end() -> None:
        ours.close()
        process.wait()

    return ours


def warm_up() -> None:
    """Does what each command does first: builds the command line and compiles patterns. It fails before it
    would start a thread."""
    from fetchpool.cli.main import main

    with open(os.devnull, "w") as null, contextlib.redirect_stderr(null):  # noqa: PTH123
        main(["nothing:::"])


def serve(requests: socket.socket, preloaded: Sequence[str]) -> list[str]:
    """Forks for each request until there are none. Returns in the forked process, with its arguments."""
    for name in preloaded:
        with contextlib.suppress(ModuleNotFoundError):  # an older typer has no pydantic
            importlib.import_module(name)
    if "fetchpool.cli.main" in preloaded:
        warm_up()
    gc.collect()
    gc.freeze()
    commands: dict[int, int] = {}
    """By process id, the descriptor to which its status is written."""
    ended, notify = os.pipe()
    os.set_blocking(ended, False)
    os.set_blocking(notify, False)
    signal.set_wakeup_fd(notify)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    while True:
        ready, _, _ = select.select([requests, ended], [], [])
        if ended in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(ended, 4096)
            _report_ended(commands)
        if requests not in ready:
            continue
        request, descriptors, _, _ = socket.recv_fds(requests, _REQUEST_SIZE, _MAX_DESCRIPTORS)
        if not request:
            os._exit(0)
        status, *descriptors = descriptors
        with warnings.catch_warnings():  # about threads (`LARGE`)
            warnings.simplefilter("ignore", DeprecationWarning)
            command = os.fork()
        if command == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (requests.detach(), ended, notify, status, *commands.values()):
                os.close(descriptor)
            return _become(descriptors, **json.loads(request))
        for descriptor in descriptors:
            os.close(descriptor)
        commands[command] = status
        with contextlib.suppress(BrokenPipeError):
            os.write(status, command.to_bytes(4))


def _report_ended(commands: dict[int, int]) -> None:
    """Writes the status of the commands that have ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            descriptor = commands.pop(pid)
            with contextlib.suppress(BrokenPipeError):
                os.write(descriptor, status.to_bytes(4))
            os.close(descriptor)


def _become(
    descriptors: Sequence[int],
    *,
    passed: list[int],
    arguments: list[str],
    cwd: str,
    variables: Mapping[str, str],
    session: bool,
    terminal: bool,
    limits: Sequence[tuple[int, tuple[int, int]]],
) -> list[str]:
    """Makes this process what a shell would have started."""
    if session:
        os.setsid()
    numbers = [0, 1, 2, *passed]
    # Beyond all of these first: one may have the number that another is to get.
    moved = [fcntl.fcntl(each, fcntl.F_DUPFD, max(numbers) + 1) for each in descriptors]
    for descriptor in descriptors:
        os.close(descriptor)
    for number, descriptor in zip(numbers, moved, strict=True):
        os.dup2(descriptor, number)
        os.close(descriptor)
    if terminal:
        fcntl.ioctl(2, termios.TIOCSCTTY, 0)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    sys.dont_write_bytecode = bool(variables.get("PYTHONDONTWRITEBYTECODE"))
    if "multiprocessing.process" in sys.modules:
        sys.modules["multiprocessing.process"].ORIGINAL_DIR = cwd
    for kind, values in limits:
        resource.setrlimit(kind, values)
    return arguments


def run(arguments: list[str]) -> None:
    """Runs `-m MODULE` or `-c SCRIPT`, and ends the process as the interpreter does, up to the point where it
    frees all modules. To free those that are shared with the server copies each of their pages, which takes
    longer than a short command."""
    kind, text, *arguments = arguments
    sys.path[0] = str(Path.cwd()) if kind == "-m" else ""
    sys.argv[:] = [kind, *arguments]
    code: object = 0
    try:
        if kind == "-m":
            runpy.run_module(text, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(text, "<string>", "exec"), main.__dict__)
    except SystemExit as end:
        code = end.code
        if not isinstance(code, int):
            raise
    threading._shutdown()
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError):  # which the interpreter reports, in its own words
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        os._exit(code & 0xFF)
    sys.exit(code)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as ours:
        given = serve(ours, sys.argv[2:])
    run(given)
