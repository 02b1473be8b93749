"""Starts the threads of all parts of the program. In: a function. Out: a daemon thread, or an error message,
since the number of threads of a user or container may be limited.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread

from fetchpool.model.errors import NoThreadError

NO_THREAD = (
    "no thread can be started: the limit of processes and threads is reached "
    "(ulimit -u, or the container's pids limit); raise it, or use fewer workers: -w 2"
)


def start(run: Callable[..., object], name: str, *arguments: object) -> Thread:
    """Start a daemon thread. Raises `NoThreadError`."""
    thread = Thread(target=run, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as failure:
        raise NoThreadError(NO_THREAD) from failure
    return thread
