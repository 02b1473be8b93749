"""Resolves host names within a deadline (fault 6), with a cache.

In: a host name and a timeout. Out: its addresses in the system's order, or a `ResolveError`. `getaddrinfo`
can't be interrupted, so it runs in a few daemon threads, and the caller waits no longer than its timeout. A
name is looked up once for all workers, and its result is cached for a while. A temporary failure is not
cached: the lookup is repeated within its deadline. No policy: which addresses may be connected to is the
caller's concern.
"""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import Any

from fetchpool.config import machine
from fetchpool.model.errors import NoThreadError
from fetchpool.model.failures import FailureKind
from fetchpool.runtime import forks, threads
from fetchpool.transports.lookup import (
    Address,
    PendingLookup,
    ResolveError,
    addresses_of,
    failure_of,
    parse_ip,
)

THREADS = 32
"""Maximum number of concurrent lookups, not counting stuck ones."""
STUCK = 1.0
"""Seconds after which a lookup counts as stuck: a dead name server holds a thread for half a minute,
`getaddrinfo`'s own timeout, while other names get another thread."""
MOST_THREADS = 256
"""Maximum number of threads, including stuck ones. Once all are stuck, names wait without their timeout
running."""
POSITIVE_TTL = 60.0
"""Seconds for which addresses are cached. The system does not report a name's TTL; browsers use a minute,
too."""
NEGATIVE_TTL = 5.0
"""Seconds for which a name that does not exist is cached, so that other workers do not repeat the lookup."""
FAMILIES = {"4": socket.AF_INET, "6": socket.AF_INET6}
RETRY_DELAYS = (0.5, 1.0, 2.0)
"""Seconds before each retry of a lookup that failed temporarily."""
MAX_CACHED = 10_000
"""Maximum number of names in the cache, about 10 MB; the least recently used are dropped."""


class Resolver:
    """A cache in front of a bounded number of threads that call `getaddrinfo`."""

    def __init__(
        self,
        threads: int = THREADS,
        lookup: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
        clock: Callable[[], float] = monotonic,
        most_threads: int = MOST_THREADS,
        ip_version: str = "",
    ) -> None:
        """Start no thread yet. `ip_version`: `"4"` or `"6"` to return only such addresses."""
        self._ip_version = ip_version
        self._threads = threads
        self.most_threads = max(threads, most_threads)
        self._lookup = partial(lookup, family=FAMILIES[ip_version]) if ip_version else lookup
        self._clock = clock
        self._lock = threading.Condition()
        self._names: OrderedDict[str, PendingLookup] = OrderedDict()
        self._waiting: dict[PendingLookup, str] = {}
        """Lookups that no thread has started, oldest first."""
        self._running: dict[PendingLookup, float] = {}
        """Lookups in progress and their start times, oldest first."""
        self._started = 0
        self._idle = 0

    def resolve(
        self,
        host: str,
        port: int,
        timeout: float,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> list[Address]:
        """Return the addresses of `host` (ASCII, without brackets; an IP address resolves to itself). Waits
        for at most `timeout` seconds, by calling `wait`, which may return early to cancel.

        Raises `ResolveError`.
        """
        numeric = parse_ip(host, port)
        if numeric is not None:
            return [numeric]
        ends = monotonic() + timeout
        found = self._wait_for(host, timeout, wait)
        for pause in RETRY_DELAYS:
            left = ends - monotonic() - pause
            if not found.transient or left <= 0:
                break
            never = threading.Event()
            wait(never, pause)
            if never.is_set():  # cancelled
                break
            found = self._wait_for(host, left, wait)
        if not found.done.is_set():
            raise ResolveError(FailureKind.TIMEOUT_DNS, f"no address for {host} after {timeout:.3g} s")
        if found.error:
            raise ResolveError(found.kind, found.error)
        return [
            Address(family, ip, (ip, port) if family == socket.AF_INET else (ip, port, 0, scope))
            for family, ip, scope in found.addresses
        ]

    def _wait_for(
        self, host: str, timeout: float, wait: Callable[[threading.Event, float], object]
    ) -> PendingLookup:
        """Wait for one lookup, and return it finished or not."""
        woken = threading.Event()  # one for each caller: cancelling must not wake the others

        def on_done(_: PendingLookup) -> None:
            woken.set()

        ends = monotonic() + timeout
        found = self.resolve_async(host, on_done)
        while not woken.is_set() and (left := ends - monotonic()) > 0:
            if found.begun is None:
                self.hurry()
                left = min(left, STUCK)
            wait(woken, left)
        self.cancel(host, found, on_done)
        return found

    def cached(self, host: str) -> PendingLookup | None:
        """Return the finished lookup in the cache, if any."""
        with self._lock:
            found = self._names.get(host)
            return (
                found if found is not None and found.done.is_set() and found.expires > self._clock() else None
            )

    def resolve_async(self, host: str, callback: Callable[[PendingLookup], None]) -> PendingLookup:
        """Like `resolve()`, without blocking: `callback` is called with the finished lookup, at once or in a
        resolver thread. The caller enforces the timeout."""
        with self._lock:
            found = self._find(host)
            if not found.done.is_set():
                found.callbacks.append(callback)
                return found
        callback(found)
        return found

    def cancel(self, host: str, found: PendingLookup, callback: Callable[[PendingLookup], None]) -> None:
        """Cancel a pending lookup (no effect if it has completed)."""
        with self._lock:
            if callback in found.callbacks:
                found.callbacks.remove(callback)
            if not found.callbacks and found in self._waiting:
                # Not started, since a dead name server must not leave a queue that grows with the list.
                del self._waiting[found], self._names[host]

    def _find(self, host: str) -> PendingLookup:
        """Return the lookup of a name: cached, in progress, or started now. The lock is held."""
        found = self._names.get(host)
        if found is None or found.expires <= self._clock():
            found = self._names[host] = PendingLookup()
            self._waiting[found] = host
            try:
                self._wake_or_start_thread()
            except NoThreadError:  # no caller may wait for it
                del self._names[host], self._waiting[found]
                raise
            if len(self._names) > MAX_CACHED:
                self._drop_oldest()
        self._names.move_to_end(host)
        return found

    def _wake_or_start_thread(self) -> None:
        """Wake an idle thread, or start one if the limit allows."""
        if self._idle >= len(self._waiting):
            self._lock.notify()
        elif self._started < min(self.most_threads, self._threads + self._stuck()):
            try:
                threads.start(self._run, "fetchpool-resolver")
            except NoThreadError:
                if not self._started:
                    raise
            else:
                self._started += 1

    def _stuck(self) -> int:
        """Return the number of stuck threads."""
        long_ago = self._clock() - STUCK
        stuck = 0
        for since in self._running.values():
            if since > long_ago:
                break
            stuck += 1
        return stuck

    def hurry(self) -> None:
        """Start threads for waiting lookups if others are stuck. A waiting caller must call this from time to
        time."""
        with self._lock:
            for _ in range(len(self._waiting) - self._idle):
                before = self._started
                self._wake_or_start_thread()
                if self._started == before:
                    break

    def _drop_oldest(self) -> None:
        """Drop the least recently used finished lookup. Pending ones stay; there are at most as many as
        workers."""
        for host, found in self._names.items():
            if found.done.is_set():
                del self._names[host]
                return

    def _run(self) -> None:
        while True:
            with self._lock:
                self._idle += 1
                while not self._waiting:
                    self._lock.wait()
                self._idle -= 1
                found = next(iter(self._waiting))
                host = self._waiting.pop(found)
                found.begun = self._running[found] = self._clock()
            self._look_up(host, found)

    def _look_up(self, host: str, found: PendingLookup) -> None:
        ttl = POSITIVE_TTL
        try:
            # As bytes: the IDNA codec would validate a name that the URL parser has validated already.
            found.addresses = addresses_of(self._lookup(host.encode("ascii"), None, type=socket.SOCK_STREAM))
            found.ips = tuple(f"[{ip}]" if ":" in ip else ip for _, ip, _ in found.addresses)
            if not found.addresses:
                found.error = f"{host} has no address"
        except (OSError, UnicodeError) as error:
            found.kind, found.error = failure_of(error, host)
            if self._ip_version and found.kind is FailureKind.DNS:  # the name may have other addresses
                found.error = f"{host} has no IPv{self._ip_version} address"
        if found.error:
            ttl = 0.0 if found.transient else NEGATIVE_TTL
        found.expires = self._clock() + ttl
        with self._lock:
            del self._running[found]
            found.done.set()
            callbacks, found.callbacks = found.callbacks, []
        for callback in callbacks:
            callback(found)


_shared: dict[str, Resolver] = {}
_shared_lock = threading.Lock()


def shared(ip_version: str = "") -> Resolver:
    """Return this process's resolver. A forked child gets its own, since threads don't survive a fork."""
    with _shared_lock:
        if ip_version not in _shared:
            most = machine.lookups(MOST_THREADS)
            _shared[ip_version] = Resolver(min(THREADS, most), most_threads=most, ip_version=ip_version)
        return _shared[ip_version]


@forks.in_child
def _renew() -> None:
    global _shared, _shared_lock
    _shared, _shared_lock = {}, threading.Lock()
