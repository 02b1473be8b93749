"""Starts worker processes by `multiprocessing`'s fork server, as this process may have threads and must not
fork; or as new processes where there is no fork server.

In: what the workers will need. Out: a context that starts them, or a `UsageError`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import process as mp_process
from multiprocessing.context import BaseContext
from pathlib import Path
from threading import Event
from time import monotonic

import fetchpool
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.pools.process import preload
from fetchpool.pools.process import worker as process_worker

MAIN_GUARD_HELP = (
    "--executor process: worker processes failed to start: the main module must be a file, and its entry "
    'point protected by: if __name__ == "__main__":'
)
NO_DIRECTORY = "--executor process: the working directory was removed; cd to one that exists"
FEWER = "try fewer (-w), or another --executor"
SHORTAGE = (OSError, EOFError, RuntimeError, ImportError, NotImplementedError)
"""The exceptions when descriptors, processes, threads, semaphores or memory run out, or when the server died
of such a shortage."""
HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
DESCRIPTORS = 16
"""Open in the parent while processes are started: the executor's pipes, ours, and what one start takes."""
PER_WORKER = 6
TO_US = (signal.SIGINT, signal.SIGTERM)
"""A terminal's Ctrl-C, or `timeout`, speaks to the whole group; what it means is the parent's to say."""


def process_context(options: FetchOptions, *, deaf: bool = False) -> BaseContext:
    """Return the context, with its server running. `deaf`: the server and the processes that it starts block
    SIGINT and SIGTERM, the latter until they set a handler; for a program that does not use the server
    otherwise. Raises `UsageError`."""
    with words_for_shortage():
        return _context(options, deaf=deaf)


def _context(options: FetchOptions, *, deaf: bool) -> BaseContext:
    directory = mp_process.ORIGINAL_DIR  # type: ignore[attr-defined]  # a started process changes to it
    if directory is None or not Path(directory).is_dir():
        raise UsageError(NO_DIRECTORY)
    if not HAS_SERVER:
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload.__name__])
    with for_the_server(process_worker.__name__, f"fetchpool.transports.{options.transport}.transport"):
        resource_tracker.ensure_running()  # which unblocks both signals in this thread
        before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_US if deaf else ())
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


@contextmanager
def words_for_shortage() -> Iterator[None]:
    """Raise `UsageError` for a shortage of the system."""
    try:
        yield
    except SHORTAGE as shortage:
        why = getattr(shortage, "strerror", None) or str(shortage) or "the system has no more of them"
        message = f"--executor process: no processes can be started ({why}); {FEWER}"
        raise UsageError(message) from shortage


def server_pid() -> int | None:
    """Return the server's process id; None if it is unknown."""
    if not HAS_SERVER:
        return None
    from multiprocessing import forkserver

    return getattr(forkserver._forkserver, "_forkserver_pid", None)


def check_descriptors(workers: int) -> None:
    """Raise `OSError` unless there are enough descriptors to start that many processes. If the library runs
    out of them midway, it leaves some open, and its server ends."""
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS + PER_WORKER * workers):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def wait_for_server_exit() -> None:
    """Wait, a second at most, until a server that accepts no more connections has ended: only then the
    library starts another one."""
    pid = server_pid()
    deadline = monotonic() + 1.0
    with suppress(ChildProcessError):  # another process started it, or it has ended
        while pid and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if monotonic() >= deadline:
                return
            Event().wait(0.01)


@contextmanager
def for_the_server(*needed: str) -> Iterator[None]:
    """Set the environment for the server, which is started with `python -c`: it loads the needed modules, and
    none from the working directory, where a user's `queue.py` would hide the standard library's."""
    safe = os.environ.get("PYTHONSAFEPATH")
    os.environ[preload.MARK] = os.pathsep.join((str(fetchpool.__file__), *needed))
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
    """Exit, without a traceback, from a process that imports the main module because a parent has started it:
    it must not start processes itself. The parent reports the error once."""
    # The attribute by which `multiprocessing.spawn` recognizes this, too.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"fetchpool: {MAIN_GUARD_HELP}")
