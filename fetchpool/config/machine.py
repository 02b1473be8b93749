"""Limits of the machine: cores, and open files, of which every connection is one (fault 47).

In: the wanted number of workers. Out: the number that the limit of open files allows, after raising the soft
limit as far as necessary and possible. No descriptor stays open.
"""

from __future__ import annotations

import contextlib
import os
import sys
from dataclasses import dataclass


def usable_cores() -> int:
    """Return the number of cores that this process may use: its CPU affinity if the system has one, else
    all."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


if sys.platform != "win32":
    import fcntl
    import resource

RESERVE = 160
"""Open files for everything but workers: inputs and outputs, 32 lookups with two each, those of a host
program."""
LEAST_RESERVE = 30
"""The same under a low limit: a dozen that the process has open anyway, outputs, and five lookups."""
FILES = {"thread": 9, "async": 4}
"""Open files per worker, by executor: five idle connections with libcurl or eight with requests, the one in
use, and the descriptors that they wait with. Measured, plus one."""
LEAST_FILES = {"thread": 4, "async": 1}
"""The same under a low limit: a thread has the connection in use, the previous one, and the two descriptors
that libcurl waits with: every multi handle opens these two, and `perform()` creates a multi handle for each
easy handle. The async pool has a single multi handle, and keeps no idle connections."""
LEAST_FILES_REQUESTS = 1
"""Open files per thread with requests, which closes a connection before it opens the next."""
MOST_ON_MACOS = 10_240
"""OPEN_MAX: macOS rejects a higher limit even if the hard limit is unlimited (setrlimit(2),
"Compatibility")."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The number of workers that the limit of open files allows."""

    workers: int
    is_short: bool
    """Whether connections must be closed early to stay within the limit."""
    notice: str
    """Message if there are fewer workers than wanted; else empty."""


def workers_within_limit(workers: int, executor: str, transport: str, processes: int = 1) -> Capacity:
    """Return the number of workers that is possible, at most `workers` and at least one. Each process has the
    same limit as this one, and an equal share of the workers."""
    key = _files_key(executor, transport)
    wanted = RESERVE + FILES[key] * -(-workers // processes)
    limit = raise_limit(wanted)
    preallocate_fd_table(wanted if limit is None else min(wanted, limit))
    if limit is None or limit >= wanted:
        return Capacity(workers, False, "")
    each = LEAST_FILES_REQUESTS if transport == "requests" else LEAST_FILES[key]
    fewer = max(1, (limit - LEAST_RESERVE) // each) * processes
    if fewer >= workers:
        return Capacity(workers, True, "")
    notice = f"reduced workers from {workers} to {fewer}: open-file limit is {limit} (raise with ulimit -Hn)"
    if (key, transport) == ("thread", "curl"):
        notice += f"; with --executor async it is enough for {min(workers, limit - LEAST_RESERVE)}"
    return Capacity(fewer, True, notice)


def workers_with_kept_connections(workers: int, executor: str, transport: str, processes: int = 1) -> int:
    """Return the number of workers that is possible without closing connections early; 0 if there can't be
    even one."""
    key = _files_key(executor, transport)
    wanted = RESERVE + FILES[key] * -(-workers // processes)
    limit = raise_limit(wanted)
    preallocate_fd_table(wanted if limit is None else min(wanted, limit))
    return workers if limit is None else max(0, min(workers, (limit - RESERVE) // FILES[key] * processes))


def _files_key(executor: str, transport: str) -> str:
    """Return the key in `FILES` for an executor."""
    return "async" if transport == "curl" and executor in ("async", "process") else "thread"


def raise_limit(wanted: int) -> int | None:
    """Raise the limit of open files to `wanted` if it is lower, as far as allowed. Return it; None if
    unlimited."""
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
    """Have the kernel allocate its table of file descriptors for `number` at once. Linux doubles a full
    table, and each time waits some 10 ms if the process has threads (expand_fdtable() in fs/file.c), which is
    a fifth of the time to open a thousand connections. With a single thread it does not wait."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # nothing depends on it
            descriptor = os.open(os.devnull, os.O_RDONLY)
            try:
                os.close(fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, number - 1))
            finally:
                os.close(descriptor)


def lookups(most: int) -> int:
    """Return the maximum number of concurrent DNS lookups, `most` or fewer. Each takes two descriptors, and
    lookups get a quarter of those that are not otherwise in use."""
    if sys.platform == "win32":
        return most
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return most if soft == resource.RLIM_INFINITY else max(4, min(most, (soft - 40) // 8))


def idle_seconds() -> float | None:
    """Return the core seconds for which the machine has been idle since its start; None if unknown."""
    try:
        with open("/proc/stat", "rb") as stat:  # noqa: PTH123 - several times a second, and Path costs more
            fields = stat.readline().split()
        return (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None
