"""Resets state in forked child processes: locks held by threads that the child does not have, and copies of
sockets and pipes that the parent continues to use.

In: functions, objects and descriptors, registered when they are created. Out: in each child, before anything
else runs, new locks, closed pools, and no copies. This covers only forks made by Python (`os.fork()`,
`multiprocessing`); a fork followed by `exec` inherits nothing anyway.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Forked(Protocol):
    """An object with state to reset in a child."""

    def forked(self) -> None:
        """Reset the object in the child, which has only this thread. Must not take a lock that was created
        before the fork."""


generation = 0
"""Number of forks between the process that imported this module and this one: an object that stores a
different number was made in a parent."""
_renewals: list[Callable[[], None]] = []
_objects: weakref.WeakSet[Forked] = weakref.WeakSet()
_sockets: dict[int, int] = {}
"""Inodes by descriptor. If the inode has changed, the descriptor now belongs to another socket."""


_loading = threading.RLock()


@contextmanager
def none_meanwhile() -> Iterator[None]:
    """Block forks in other threads while modules are imported: a child with a half-imported module would wait
    for the other half forever."""
    with _loading:
        yield


def in_child(renew: Callable[[], None]) -> Callable[[], None]:
    """Decorate a function that is called in each child."""
    _renewals.append(renew)
    return renew


def notify_child(each: Forked) -> None:
    """Call an object's `forked()` in each child, as long as the object lives."""
    _objects.add(each)


def not_for_children(descriptor: int) -> None:
    """Register a new socket that children must not keep: with their copy open, the peer would never see the
    connection closed, and epoll would continue to report it."""
    _sockets[descriptor] = os.fstat(descriptor).st_ino


def _before_fork() -> None:
    _loading.acquire()


def _in_parent() -> None:
    _loading.release()


def _in_child() -> None:
    global generation, _loading
    generation += 1
    _loading = threading.RLock()
    _drop_sockets()
    for renew in _renewals:
        renew()
    for each in list(_objects):
        each.forked()


def _drop_sockets() -> None:
    """Replace the sockets by the null device: copied objects may still close or write to the descriptors."""
    if not _sockets:
        return
    nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for descriptor, inode in _sockets.items():
        try:
            if os.fstat(descriptor).st_ino == inode:
                os.dup2(nothing, descriptor, inheritable=False)
        except OSError:  # it was closed
            continue
    os.close(nothing)
    _sockets.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_in_parent, after_in_child=_in_child)
