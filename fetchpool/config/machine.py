"""File descriptors: every connection is one, and a process may have only so many (fault 47).

In: how many workers are wanted. Out: how many there can be, after the soft limit was raised as far as
needed and allowed, and the kernel's table of them was made long enough. It leaves nothing open.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass


def usable_cores() -> int:
    """Cores this process may use: its affinity where the system has one, else all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if sys.platform != "win32":
    import fcntl
    import resource

RESERVE = 160
"""For everything but workers: inputs and outputs, 32 lookups with two each, the host program's own."""
LEAST_RESERVE = 30
"""The same where there are few: a dozen that the process has open anyway, outputs, and five lookups."""
EACH = {"thread": 9, "process": 5, "async": 4}
"""What one worker may have open, by executor: five kept connections of libcurl's or eight of requests',
the one that is being made, what they wait with. Measured, and one more."""
SHORT = {"thread": 4, "process": 5, "async": 1}
"""The same where descriptors are short: a thread has the connection in use, the one before, and the two that
libcurl waits with. The async pool keeps no connection except those in use."""
SHORT_REQUESTS = 1
"""What a thread has open with requests, which closes the connection before it makes another one."""
MOST_ON_MACOS = 10_240
"""OPEN_MAX: there an unlimited hard limit is not meant (setrlimit(2), "Compatibility")."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """How many workers the limit of open files allows."""

    workers: int
    is_short: bool
    """Whether connections have to be closed early to stay within the limit."""
    notice: str
    """What to tell the user if there are fewer workers than wanted; else empty."""


def fit(workers: int, executor: str, transport: str) -> Capacity:
    """Return how many of these workers there can be, at least one."""
    wanted = RESERVE + EACH[executor] * workers
    limit = raised(wanted)
    preallocate_fd_table(wanted if limit is None else min(wanted, limit))
    if limit is None or limit >= wanted:
        return Capacity(workers, False, "")
    each = SHORT_REQUESTS if (executor, transport) == ("thread", "requests") else SHORT[executor]
    fewer = max(1, (limit - LEAST_RESERVE) // each)
    if fewer >= workers:
        return Capacity(workers, True, "")
    are = "1 worker" if fewer == 1 else f"{fewer} workers"
    notice = (
        f"{are} instead of {workers}: this system allows {limit} open files; "
        "raise its hard limit (ulimit -Hn) for more"
    )
    return Capacity(fewer, True, notice)


def raised(wanted: int) -> int | None:
    """The limit of open files, raised to `wanted` when it is lower and that may be. None: there is none."""
    if sys.platform == "win32":
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None if soft == resource.RLIM_INFINITY else soft
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    for attempt in (most, min(most, MOST_ON_MACOS)):
        if attempt <= soft:
            break
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (attempt, hard))
        except (ValueError, OSError):
            continue
        return attempt
    return soft


def preallocate_fd_table(number: int) -> None:
    """Has the kernel make its table of descriptors that long at once. Linux doubles it whenever it is full,
    and waits some 10 ms each time when the process has threads (expand_fdtable() in fs/file.c): a fifth of
    what a thousand connections take to be made. As long as there is but one thread it takes none."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # nothing depends on it
            descriptor = os.open(os.devnull, os.O_RDONLY)
            try:
                os.close(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, number - 1))
            finally:
                os.close(descriptor)


def lookups(most: int) -> int:
    """Return how many names may be looked up at once, `most` at most. Each takes two descriptors, and
    lookups get a quarter of those that are not in use anyway."""
    if sys.platform == "win32":
        return most
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(4, min(most, (soft - 40) // 8))
