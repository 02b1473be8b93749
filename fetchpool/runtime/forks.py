"""What a program's forks leave to the child: locks that a thread holds which the child doesn't have, and
copies of sockets and pipes that the parent goes on using.

In: what must not be left so, told when it is made. Out: in each child, before it does anything else, locks
are new, pools are closed, and the copies are gone. Only forks that Python knows of (`os.fork()`,
`multiprocessing`) are heard of; one that another program follows (`exec`) leaves nothing anyhow.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Forked(Protocol):
    """What has to be told."""

    def forked(self) -> None:
        """We are the child, with no thread but this one. It may take no lock that was there before."""


generation = 0
"""How many forks lie between the process that has imported this and us: who remembers another number was made
in a parent."""
_renewals: list[Callable[[], None]] = []
_objects: weakref.WeakSet[Forked] = weakref.WeakSet()
_sockets: dict[int, int] = {}
"""By descriptor: the inode, which tells whether the number means another socket by now."""


_loading = threading.RLock()


@contextmanager
def none_meanwhile() -> Iterator[None]:
    """Other threads' forks wait: modules are loaded, and a child in which half of one is there would wait for
    the other half for ever."""
    with _loading:
        yield


def in_child(renew: Callable[[], None]) -> Callable[[], None]:
    """Has a module's own function called in each child. A decorator."""
    _renewals.append(renew)
    return renew


def tell(each: Forked) -> None:
    """Has an object told in each child, as long as it lives."""
    _objects.add(each)


def not_for_children(descriptor: int) -> None:
    """A socket has been opened: children get no copy. With one the peer would never see it closed, and the
    kernel would go on telling of it."""
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
    """Their numbers stay taken: who has been copied with them may still close them, or write a last word."""
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
