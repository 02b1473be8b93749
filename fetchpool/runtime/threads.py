"""Threads, as every part of the program starts its own.

In: what is to run. Out: a daemon thread, or a refusal in words: a user's or a container's number of threads
may be limited, and used up.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

from fetchpool.model.errors import NoThreadError

NO_THREAD = (
    "no thread can be started: the limit of processes and threads is reached "
    "(ulimit -u, or the container's pids limit); raise it, or take fewer workers: -w 2"
)


def start(run: Callable[..., object], name: str, *arguments: object) -> Thread:
    """Starts a thread that nobody has to wait for. Raises `NoThreadError`."""
    thread = Thread(target=run, args=arguments, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError as failure:
        raise NoThreadError(NO_THREAD) from failure
    return thread


def rehearse(number: int) -> None:
    """Shows that so many can be started at once, before others than we do it. Raises `NoThreadError`."""
    over = Event()
    started: list[Thread] = []
    try:
        for _ in range(number):
            started.append(start(over.wait, "fetchpool-rehearsal"))
    finally:
        over.set()
        for thread in started:
            thread.join()
