"""What drives libcurl's multi interface: two ways to find out which of its transfers can go on.

In: handles, added to the multi by the pool. Out: nothing; libcurl calls back, and says what has ended.
`PerformPoller` has libcurl look at all transfers in each turn, and only needs to know when to: when something
happens on a connection. With many that wait, as they do far away, that look is too long (0.4 µs for each),
and libcurl's own lookups of names end unheard. `SocketPoller` is told by libcurl which sockets it wants to
hear of and tells it which of them are ready, so that those that wait cost nothing, and every fetch 3 µs more.
All of it runs in the thread that drives.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import warnings
from collections.abc import Iterable
from typing import Protocol

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.async_.wakeup import Wakeup
from fetchpool.transports.curl.resolve_cache import may_resolve

MANY = 128
"""Transfers at once, from which on libcurl does not look at each in every turn."""
TRIED = 0x081500
"""The oldest libcurl that was tried with `perform()`, 8.21; with 7.88 one in two thousand HTTP/2 fetches
failed."""
READ, WRITE = 1, 4
"""EPOLLIN and EPOLLOUT."""
HEARD = tuple(
    (pycurl.CSELECT_IN if events & ~WRITE else 0) | (pycurl.CSELECT_OUT if events & ~READ else 0)
    for events in range(32)
)
"""What libcurl is told of events, up to EPOLLHUP: an error is ready for both."""


class Poller(Protocol):
    """Lets libcurl act."""

    def act(self, seconds: float, flights: int) -> None:
        """On what is ready, or will be in so many seconds. It does not wait when some of so many `flights`
        have ended."""

    def opened(self, descriptor: int) -> None:
        """There is a new connection."""

    def close(self) -> None:
        """The multi is closed already, or another driver has taken over."""


def first_driver(multi: pycurl.CurlMulti, bell: Wakeup, options: FetchOptions) -> Poller:
    """For a pool that begins. The `bell` ends the waiting."""
    heard = hasattr(select, "epoll") and pycurl.version_info()[2] >= TRIED and not may_resolve(options)
    return PerformPoller(multi, bell) if heard else SocketPoller(multi, bell)


class PerformPoller:
    """`curl_multi_perform()`. What was noticed of a socket once is enough to have it looked at: whatever is
    left to read then is libcurl's to remember (its timeout is 0)."""

    def __init__(self, multi: pycurl.CurlMulti, bell: Wakeup) -> None:
        self._multi = multi
        self._bell = bell
        self._epoll = select.epoll()
        self._epoll.register(bell.descriptor, select.EPOLLIN)

    def act(self, seconds: float, flights: int) -> None:
        _, running = self._multi.perform()
        if running < flights or seconds <= 0.0:
            return
        for descriptor, _ in self._epoll.poll(sooner(seconds, self._multi.timeout())):
            if descriptor == self._bell.descriptor:
                self._bell.answer()
        self._multi.perform()

    def opened(self, descriptor: int) -> None:
        # Never taken out: the kernel does that when libcurl closes it.
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def close(self) -> None:
        self._epoll.close()


class SocketPoller:
    """`curl_multi_socket_action()`."""

    def __init__(self, multi: pycurl.CurlMulti, bell: Wakeup) -> None:
        """`multi` may have transfers under way. Raises `OSError`, and leaves it as it is, when there are no
        descriptors left."""
        self._multi = multi
        self._bell = bell
        self._readiness: EpollLike = select.epoll() if hasattr(select, "epoll") else SelectorEpoll()
        self._readiness.register(bell.descriptor, READ)
        self._registered: dict[int, int] = {}
        """What is listened for, by descriptor."""
        self._idle: set[int] = set()
        """Registered, but of no interest to libcurl now: connections that are kept."""
        multi.setopt(pycurl.M_SOCKETFUNCTION, self._wanted)
        with warnings.catch_warnings():  # not for every turn; once, so that it tells of the sockets it has
            warnings.filterwarnings("ignore", "socket_all")
            multi.socket_all()

    def act(self, seconds: float, flights: int) -> None:
        multi = self._multi
        if not multi.timeout():  # a handle was added, most of the time
            _, running = multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            if running < flights:
                seconds = 0.0
        timer = multi.timeout()
        for descriptor, events in self._readiness.poll(sooner(seconds, timer)):
            if descriptor in self._registered and descriptor not in self._idle:
                multi.socket_action(descriptor, HEARD[events & 31])
            elif descriptor == self._bell.descriptor:
                self._bell.answer()
            elif descriptor in self._idle:  # nobody waits for it: the server has closed it
                self._forget(descriptor)
        if timer >= 0 and not multi.timeout():
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def opened(self, descriptor: int) -> None:
        # The kernel dropped the old one of that number when it was closed.
        if descriptor in self._registered:
            self._forget(descriptor)

    def close(self) -> None:
        self._readiness.close()

    def _wanted(self, what: int, descriptor: int, _multi: pycurl.CurlMulti, _known: object) -> None:
        """libcurl wants to hear of a socket, or no more. A kept connection changes between the two
        with every fetch, so one that only waited for bytes stays registered: when the server closes
        it meanwhile, `act()` finds it among the idle ones."""
        registered = self._registered.get(descriptor)
        if what == pycurl.POLL_REMOVE:
            if registered == READ:
                self._idle.add(descriptor)
            elif registered is not None:
                self._forget(descriptor)
            return
        self._idle.discard(descriptor)
        events = (READ if what & pycurl.POLL_IN else 0) | (WRITE if what & pycurl.POLL_OUT else 0)
        if registered is None:
            self._readiness.register(descriptor, events)
        elif registered != events:
            self._readiness.modify(descriptor, events)
        self._registered[descriptor] = events

    def _forget(self, descriptor: int) -> None:
        del self._registered[descriptor]
        self._idle.discard(descriptor)
        with contextlib.suppress(OSError):  # it was closed
            self._readiness.unregister(descriptor)


class EpollLike(Protocol):
    """`select.epoll`, as far as it is needed."""

    def register(self, descriptor: int, events: int) -> None: ...

    def modify(self, descriptor: int, events: int) -> None: ...

    def unregister(self, descriptor: int) -> None: ...

    def poll(self, seconds: float) -> Iterable[tuple[int, int]]: ...

    def close(self) -> None: ...


class SelectorEpoll:
    """The same by the standard library's selector, where there is no epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, events: int) -> None:
        self._selector.register(descriptor, wanted(events))

    def modify(self, descriptor: int, events: int) -> None:
        self._selector.modify(descriptor, wanted(events))

    def unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def poll(self, seconds: float) -> Iterable[tuple[int, int]]:
        for key, mask in self._selector.select(seconds):
            read, write = mask & selectors.EVENT_READ, mask & selectors.EVENT_WRITE
            yield key.fd, (READ if read else 0) | (WRITE if write else 0)

    def close(self) -> None:
        self._selector.close()


def wanted(events: int) -> int:
    """In the selector's terms."""
    return (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)


def sooner(seconds: float, milliseconds: int) -> float:
    """Seconds to wait: no longer than libcurl's timer, which is -1 when there is none."""
    return max(0.0, seconds if milliseconds < 0 else min(seconds, milliseconds / 1000))
