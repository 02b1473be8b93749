"""Starts the server that worker processes are forked from: `multiprocessing`'s fork server, since this
process may have threads. On systems without a fork server, each process is started from scratch. In: the
requirements of the workers. Out: a context that starts them, or a `UsageError` with the reason.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import process as mp_process
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Event, Lock
from time import monotonic

import fetchpool
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.pools.process import preload
from fetchpool.pools.process import worker as process_worker
from fetchpool.runtime import forks

NEEDS_MAIN_GUARD = (
    "--executor process: no process started; each imports the main module anew, which has to be a file, and "
    'what the file runs has to be under: if __name__ == "__main__":'
)
LONG_PATH = (
    "--executor process: the path of the directory for temporary files is too long for a socket; set TMPDIR "
    "to a shorter one"
)
NO_DIRECTORY = "--executor process: the working directory was removed; cd to one that exists"
FEWER = "try fewer (-w), or another --executor"
SHORTAGE = (OSError, EOFError, RuntimeError, ImportError, NotImplementedError)
"""Exceptions raised if no descriptors, processes, threads or memory are left, or if the server has died
because of that."""
HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
DESCRIPTORS = 16
"""Number of descriptors open in the parent while processes are started: the selector, the wake-up, and those
for one start."""
PER_WORKER = 6
"""Number of descriptors open in the parent for each process: its socket, parent pipe and sentinel, and both
ends while it starts."""
GROUP_SIGNALS = (signal.SIGINT, signal.SIGTERM)
"""Signals that a terminal (Ctrl-C) and `timeout` send to the entire process group; the parent handles
them."""
_starting = Lock()
"""Held while the server is started: all threads share the environment variables."""


@forks.in_child
def _renew_lock() -> None:
    global _starting
    _starting = Lock()


def process_context(options: FetchOptions, *, is_command: bool = False) -> BaseContext:
    """Return the context, with its server running. `is_command`: this process is the command line, which uses
    the server for nothing else. In that case, the server and its processes block SIGINT and SIGTERM until a
    worker handles them, and the processes don't import the main module: they don't need it, and would load
    the complete command line. Raises `UsageError`."""
    with explained_shortage():
        return _context(options, is_command=is_command)


def _context(options: FetchOptions, *, is_command: bool) -> BaseContext:
    directory = mp_process.ORIGINAL_DIR  # type: ignore[attr-defined]  # where a process starts
    if directory is None or not Path(directory).is_dir():
        raise UsageError(NO_DIRECTORY)
    if not HAS_SERVER:
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload.__name__])
    transport = f"fetchpool.transports.{options.transport}.transport"
    main = main_path() if is_command else ""
    modules = (process_worker.__name__, "fetchpool.pools.station", transport)
    with _starting, server_environment(main, *modules):
        resource_tracker.ensure_running()  # unblocks both signals in this thread
        before = signal.pthread_sigmask(signal.SIG_BLOCK, GROUP_SIGNALS if is_command else ())
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


def main_path() -> str:
    """Return the file of the main module, as `multiprocessing` passes it to processes."""
    path = getattr(sys.modules["__main__"], "__file__", None) or ""
    return os.path.normpath(Path(path).absolute()) if path else ""


@contextmanager
def explained_shortage() -> Iterator[None]:
    """Raise `UsageError` if the system has no more descriptors, processes, threads or memory."""
    try:
        yield
    except SHORTAGE as shortage:
        if shortage.args == ("AF_UNIX path too long",):
            raise UsageError(LONG_PATH) from shortage
        why = getattr(shortage, "strerror", None) or str(shortage) or "the system has no more of them"
        message = f"--executor process: no processes can be started ({why}); {FEWER}"
        raise UsageError(message) from shortage


def server_pid() -> int | None:
    """Return the server's process id, if it is known."""
    if not HAS_SERVER:
        return None
    from multiprocessing import forkserver

    return getattr(forkserver._forkserver, "_forkserver_pid", None)


def check_descriptors(workers: int) -> None:
    """Raise `OSError` unless there are enough descriptors to start that many processes. If the library ran
    out of them halfway, it would leave some open, and its server would end."""
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS + PER_WORKER * workers):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def wait_for_server_exit() -> None:
    """Wait up to a second until a server that accepts no more connections has ended: only then does the
    library start another one."""
    pid = server_pid()
    deadline = monotonic() + 1.0
    with suppress(ChildProcessError):  # another process has started it, or it is gone
        while pid and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if monotonic() >= deadline:
                return
            Event().wait(0.01)


@contextmanager
def server_environment(main: str, *modules: str) -> Iterator[None]:
    """Set the environment for the server, which is started with `python -c`: it imports `modules`, and none
    from the working directory, where a user's `queue.py` would hide the library's. It takes `main` for the
    main module, unless that is empty."""
    safe = os.environ.get("PYTHONSAFEPATH")
    os.environ[preload.MARK] = os.pathsep.join((str(fetchpool.__file__), main, *modules))
    os.environ["PYTHONSAFEPATH"] = safe or preload.OURS
    try:
        yield
    finally:
        del os.environ[preload.MARK]
        if safe:
            os.environ["PYTHONSAFEPATH"] = safe
        else:
            del os.environ["PYTHONSAFEPATH"]


def exit_if_spawning() -> None:
    """End a process that is importing the main module of its parent: it must not start processes itself.
    There is no traceback; the parent reports the reason once."""
    # What `multiprocessing.spawn` itself goes by when it refuses, at length.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"fetchpool: {NEEDS_MAIN_GUARD}")
