"""Pollers: two ways to determine which transfers of libcurl's multi interface can proceed.

In: handles, added to the multi by the pool. Out: nothing; libcurl calls back, and reports finished transfers.
`PerformPoller` lets libcurl check all transfers in each iteration, and only has to know when: whenever
anything happens on a connection. With many transfers that wait, as for distant servers, the check is too
slow (0.4 µs for each), and the end of libcurl's own DNS lookups goes unnoticed. `SocketPoller` learns from
libcurl which sockets to watch, and reports which of them are ready, so that waiting transfers cost nothing,
and every fetch 3 µs more. Everything runs in the pool's thread.
"""

from __future__ import annotations

import contextlib
import select
import selectors
import warnings
from collections.abc import Callable, Iterable
from typing import Protocol

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.wakeup import Wakeup
from fetchpool.transports.curl.resolve_cache import may_resolve

MANY = 128
"""Number of transfers above which libcurl does not check each of them in every iteration."""
OLDEST_TESTED = 0x081500
"""The oldest libcurl that was tested with `perform()`, 8.21; with 7.88 one in two thousand HTTP/2 fetches
failed."""
READ, WRITE = 1, 4
"""EPOLLIN and EPOLLOUT."""
CURL_EVENTS = tuple(
    (pycurl.CSELECT_IN if events & ~WRITE else 0) | (pycurl.CSELECT_OUT if events & ~READ else 0)
    for events in range(32)
)
"""libcurl's flags for epoll events, up to EPOLLHUP: after an error a socket is ready for both."""


class Poller(Protocol):
    """Waits for sockets, and lets libcurl process those that are ready."""

    def poll(self, timeout: float, transfers: int) -> None:
        """Process ready sockets, waiting up to `timeout` seconds. Does not wait if some of the `transfers`
        have finished."""

    def opened(self, descriptor: int) -> None:
        """Register a new connection."""

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Call a function while a descriptor, which doesn't belong to libcurl, is readable."""

    def close(self) -> None:
        """Close the descriptors. The multi must be closed already."""


def choose_poller(multi: pycurl.CurlMulti, wakeup: Wakeup, options: FetchOptions, max_workers: int) -> Poller:
    """Return the fastest poller for a pool of that size. `wakeup` ends the wait."""
    if not hasattr(select, "epoll") or pycurl.version_info()[2] < OLDEST_TESTED or may_resolve(options):
        poller = SocketPoller(multi, wakeup)
        poller.attach()
        return poller
    return PerformPoller(multi, wakeup) if max_workers <= MANY else GrowingPoller(multi, wakeup)


class PerformPoller:
    """Polls with `curl_multi_perform()`. One event per socket is enough, because libcurl remembers that more
    is left to read (its timeout is then 0)."""

    def __init__(self, multi: pycurl.CurlMulti, wakeup: Wakeup) -> None:
        self._multi = multi
        self._epoll = select.epoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self.watch(wakeup.descriptor, wakeup.drain)

    def poll(self, timeout: float, transfers: int) -> None:
        _, running = self._multi.perform()
        if running < transfers or timeout <= 0.0:
            return
        for descriptor, _ in self._epoll.poll(wait_seconds(timeout, self._multi.timeout())):
            if descriptor in self._watched:
                self._watched[descriptor]()
        self._multi.perform()

    def opened(self, descriptor: int) -> None:
        # Never unregistered: the kernel does that when libcurl closes the socket.
        self._epoll.register(descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        self._watched[descriptor] = on_readable
        self._epoll.register(descriptor, select.EPOLLIN)

    def close(self) -> None:
        self._epoll.close()


class SocketPoller:
    """Polls with `curl_multi_socket_action()`."""

    def __init__(self, multi: pycurl.CurlMulti, wakeup: Wakeup) -> None:
        self._multi = multi
        self._readiness: EpollLike = select.epoll() if hasattr(select, "epoll") else SelectorEpoll()
        self._watched: dict[int, Callable[[], None]] = {}
        self.watch(wakeup.descriptor, wakeup.drain)
        self._registered: dict[int, int] = {}
        """The events that are watched, by descriptor."""
        self._idle: set[int] = set()
        """Sockets that are registered but not currently watched by libcurl: idle connections."""

    def attach(self) -> None:
        """Let libcurl report its sockets."""
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._on_socket)

    def poll(self, timeout: float, transfers: int) -> None:
        multi = self._multi
        if not multi.timeout():  # a handle was added, most of the time
            _, running = multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)
            if running < transfers:
                timeout = 0.0
        timer = multi.timeout()
        for descriptor, events in self._readiness.poll(wait_seconds(timeout, timer)):
            if descriptor in self._registered and descriptor not in self._idle:
                multi.socket_action(descriptor, CURL_EVENTS[events & 31])
            elif descriptor in self._watched:
                self._watched[descriptor]()
            elif descriptor in self._idle:  # no transfer uses it: the server has closed it
                self._forget(descriptor)
        if timer >= 0 and not multi.timeout():
            multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def opened(self, descriptor: int) -> None:
        # The kernel dropped the old one of that number when it was closed.
        if descriptor in self._registered:
            self._forget(descriptor)

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        self._watched[descriptor] = on_readable
        self._readiness.register(descriptor, READ)

    def close(self) -> None:
        self._readiness.close()

    def _on_socket(self, what: int, descriptor: int, _multi: pycurl.CurlMulti, _known: object) -> None:
        """Handle libcurl's M_SOCKETFUNCTION callback: watch a socket, or stop watching it. A reused
        connection alternates between the two with every fetch, so a socket that only waited for bytes stays
        registered; if the server closes it, `poll()` finds it among the idle ones."""
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
        with contextlib.suppress(OSError):  # libcurl has closed it
            self._readiness.unregister(descriptor)


class GrowingPoller:
    """A `PerformPoller` until more than `MANY` transfers are in flight, then a `SocketPoller`: a pool of many
    workers may have few transfers, if hosts allow no more. Both open their descriptors at the start, so the
    change can't fail for lack of one."""

    def __init__(self, multi: pycurl.CurlMulti, wakeup: Wakeup) -> None:
        self._multi = multi
        self._few = PerformPoller(multi, wakeup)
        self._many = SocketPoller(multi, wakeup)
        self.has_grown = False

    def poll(self, timeout: float, transfers: int) -> None:
        if self.has_grown:
            self._many.poll(timeout, transfers)
        elif transfers > MANY:
            self._grow()
            self._many.poll(timeout, transfers)
        else:
            self._few.poll(timeout, transfers)

    def opened(self, descriptor: int) -> None:
        if self.has_grown:
            self._many.opened(descriptor)
        else:
            self._few.opened(descriptor)

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        self._few.watch(descriptor, on_readable)
        self._many.watch(descriptor, on_readable)

    def close(self) -> None:
        self._few.close()
        self._many.close()

    def _grow(self) -> None:
        self.has_grown = True
        self._few.close()
        self._many.attach()
        with warnings.catch_warnings():  # libcurl advises against calling it in every iteration
            warnings.filterwarnings("ignore", "socket_all")
            self._multi.socket_all()  # reports the sockets that libcurl has


class EpollLike(Protocol):
    """The methods of `select.epoll` that a poller uses."""

    def register(self, descriptor: int, events: int) -> None: ...

    def modify(self, descriptor: int, events: int) -> None: ...

    def unregister(self, descriptor: int) -> None: ...

    def poll(self, timeout: float) -> Iterable[tuple[int, int]]: ...

    def close(self) -> None: ...


class SelectorEpoll:
    """Replaces epoll by the standard library's selector, where there is no epoll."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()

    def register(self, descriptor: int, events: int) -> None:
        self._selector.register(descriptor, selector_events(events))

    def modify(self, descriptor: int, events: int) -> None:
        self._selector.modify(descriptor, selector_events(events))

    def unregister(self, descriptor: int) -> None:
        self._selector.unregister(descriptor)

    def poll(self, timeout: float) -> Iterable[tuple[int, int]]:
        for key, mask in self._selector.select(timeout):
            read, write = mask & selectors.EVENT_READ, mask & selectors.EVENT_WRITE
            yield key.fd, (READ if read else 0) | (WRITE if write else 0)

    def close(self) -> None:
        self._selector.close()


def selector_events(events: int) -> int:
    """Convert epoll events to the selector's."""
    return (selectors.EVENT_READ if events & READ else 0) | (selectors.EVENT_WRITE if events & WRITE else 0)


def wait_seconds(seconds: float, milliseconds: int) -> float:
    """Return the seconds to wait: at most libcurl's timer, which is -1 if there is none."""
    return max(0.0, seconds if milliseconds < 0 else min(seconds, milliseconds / 1000))
