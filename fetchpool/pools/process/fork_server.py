"""How worker processes are started: by `multiprocessing`'s fork server, never as a fork of ours, which may
have threads; where there is no fork server, anew.

In: what the workers will need. Out: a context that starts them, or a refusal in words.
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
    "--executor process: no process came up; each imports the main module anew, which has to be a file, and "
    'what the file runs has to be under: if __name__ == "__main__":'
)
NO_FOLDER = "--executor process: the working directory was removed; cd to one that exists"
FEWER = "try fewer (-w), or another --executor"
SHORTAGE = (OSError, EOFError, RuntimeError, ImportError, NotImplementedError)
"""What is raised when there is no descriptor, process, thread, semaphore or memory for one to be had, or the
server has died over it."""
HAS_SERVER = "forkserver" in multiprocessing.get_all_start_methods()
DESCRIPTORS = 16
"""Open in the parent while processes are started: the executor's pipes, ours, and what one start takes."""
PER_WORKER = 6
TO_US = (signal.SIGINT, signal.SIGTERM)
"""A terminal's Ctrl-C, or `timeout`, speaks to the whole group; what it means is the parent's to say."""


def process_context(options: FetchOptions, *, deaf: bool = False) -> BaseContext:
    """The context; its server is running. `deaf`: neither the server nor a process that it starts hears
    SIGINT and SIGTERM, until the latter says what to do then; for a program that has no other use for the
    server. Raises `UsageError`."""
    with words_for_shortage():
        return _context(options, deaf=deaf)


def _context(options: FetchOptions, *, deaf: bool) -> BaseContext:
    folder = mp_process.ORIGINAL_DIR  # type: ignore[attr-defined]  # where a process that is started goes
    if folder is None or not Path(folder).is_dir():
        raise UsageError(NO_FOLDER)
    if not HAS_SERVER:
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([preload.__name__])
    with for_the_server(process_worker.__name__, f"fetchpool.transports.{options.transport}.transport"):
        resource_tracker.ensure_running()  # which hears both signals again in this thread
        before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_US if deaf else ())
        try:
            forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context


@contextmanager
def words_for_shortage() -> Iterator[None]:
    """Raises `UsageError` for what the system doesn't have."""
    try:
        yield
    except SHORTAGE as shortage:
        why = getattr(shortage, "strerror", None) or str(shortage) or "the system has no more of them"
        message = f"--executor process: no processes can be started ({why}); {FEWER}"
        raise UsageError(message) from shortage


def server_pid() -> int | None:
    """The server's process, as far as it can be told."""
    if not HAS_SERVER:
        return None
    from multiprocessing import forkserver

    return getattr(forkserver._forkserver, "_forkserver_pid", None)


def check_descriptors(workers: int) -> None:
    """Raise `OSError` unless there are descriptors enough to start that many processes. When the library runs
    out of them half-way it leaves some open, and its server ends."""
    opened: list[int] = []
    try:
        for _ in range(DESCRIPTORS + PER_WORKER * workers):
            opened.append(os.open(os.devnull, os.O_RDONLY))
    finally:
        for descriptor in opened:
            os.close(descriptor)


def wait_for_server_exit() -> None:
    """Wait, a second at most, for a server that accepts no more connections to be gone: the library starts
    another one only then."""
    pid = server_pid()
    deadline = monotonic() + 1.0
    with suppress(ChildProcessError):  # it was started by another process, or is gone
        while pid and not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if monotonic() >= deadline:
                return
            Event().wait(0.01)


@contextmanager
def for_the_server(*needed: str) -> Iterator[None]:
    """Sets the environment for the server, which is started with `python -c`: it loads the modules that are
    needed, and none from the working directory, where a user's `queue.py` would hide the library's."""
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
    """For a process that is importing the main module because somebody has started it: it is to have no
    processes of its own. Ends it without a traceback: its parent tells the person, once."""
    # What `multiprocessing.spawn` itself goes by when it refuses, at length.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"fetchpool: {MAIN_GUARD_HELP}")
