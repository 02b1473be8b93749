"""Names to addresses, within a deadline (fault 6).

In: a host name and how long to wait. Out: its addresses in the order the system gives them, or a
`ResolveError`. `getaddrinfo` can't be interrupted, so it runs in a few daemon threads and the caller
waits no longer than it may; one name is looked up once, however many workers ask, and the answer is
kept for a while. A lookup that failed for the moment is not kept, and within its deadline the name server is
asked again. No policy: which addresses may be connected to is the caller's concern.
"""

from __future__ import annotations

import socket
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from itertools import zip_longest
from time import monotonic
from typing import Any

from msgspec import Struct

from fetchpool.config import machine
from fetchpool.model.errors import NoThreadError
from fetchpool.model.failures import FailureKind
from fetchpool.runtime import forks, threads

THREADS = 32
"""Lookups at once that are answered in time."""
STUCK = 1.0
"""Seconds after which a lookup no longer counts among those: a dead name server holds its thread for
`getaddrinfo`'s own half minute, and healthy names get another thread meanwhile."""
MOST_THREADS = 256
"""With those that are stuck. Once all of them are, names wait, and their time does not run."""
POSITIVE_TTL = 60.0
"""Seconds. The system doesn't tell a name's own time to live; browsers take a minute too."""
NEGATIVE_TTL = 5.0
"""Seconds that a name which does not exist is known for, so that the other workers don't ask again."""
AGAIN_AFTER = (0.5, 1.0, 2.0)
"""Seconds until a name server that could not say is asked again, each time: it may be back in a moment."""
MOST_ADDRESSES = 64
"""Of one name. Some answer with thousands, and each request would carry them."""
UNKNOWN = frozenset((socket.EAI_NONAME, socket.EAI_NODATA, socket.EAI_ADDRFAMILY))
"""Errors of `getaddrinfo` by which a name has no address. With any other nobody could say."""
MAX_CACHED = 10_000
"""Names remembered, the least recently used are dropped: about 10 MB."""


class Address(Struct, frozen=True):
    """One place to connect to."""

    family: int
    """`socket.AF_INET` or `AF_INET6`."""
    ip: str
    sockaddr: tuple[Any, ...]
    """What `socket.connect` takes."""


class ResolveError(Exception):
    """There are no addresses. `kind` is `dns` or `timeout_dns`; `str()` is one line for a person."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class PendingLookup:
    """One name being looked up, or what came of it."""

    __slots__ = ("addresses", "begun", "done", "error", "expires", "ips", "kind", "then")

    def __init__(self) -> None:
        self.begun: float | None = None
        """When a thread took it up; None as long as none has."""
        self.done = threading.Event()
        self.addresses: tuple[tuple[int, str, int], ...] = ()
        """Family, address and IPv6 scope."""
        self.ips: tuple[str, ...] = ()
        """The same as a URL has them: IPv6 in brackets."""
        self.error = ""
        """Why there are none, in words; `kind` says it in one."""
        self.kind = FailureKind.DNS
        self.then: list[Callable[[PendingLookup], None]] = []
        """Who wants to be told."""
        self.expires = float("inf")
        """When a finished lookup is forgotten."""

    @property
    def passing(self) -> bool:
        """It failed for the moment: asked again, the name server may know."""
        return bool(self.error) and self.kind is FailureKind.TIMEOUT_DNS


class Resolver:
    """A cache in front of a bounded number of threads that call `getaddrinfo`."""

    def __init__(
        self,
        threads: int = THREADS,
        lookup: Callable[..., Sequence[tuple[Any, ...]]] = socket.getaddrinfo,
        clock: Callable[[], float] = monotonic,
        most_threads: int = MOST_THREADS,
    ) -> None:
        """Starts no thread yet."""
        self._threads = threads
        self.most_threads = max(threads, most_threads)
        self._lookup = lookup
        self._clock = clock
        self._lock = threading.Condition()
        self._names: OrderedDict[str, PendingLookup] = OrderedDict()
        self._waiting: dict[PendingLookup, str] = {}
        """Lookups that no thread has taken up, oldest first."""
        self._asking: dict[PendingLookup, float] = {}
        """Lookups that a thread is at, oldest first, and since when."""
        self._started = 0
        self._idle = 0

    def resolve(
        self,
        host: str,
        port: int,
        timeout: float,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
    ) -> list[Address]:
        """The addresses of `host` (ASCII, without brackets; an address is its own). Waits for at most
        `timeout` seconds, by way of `wait`, which may return early to give up.

        Raises `ResolveError`.
        """
        numeric = parse_ip(host, port)
        if numeric is not None:
            return [numeric]
        ends = monotonic() + timeout
        found = self._wait_for(host, timeout, wait)
        for pause in AGAIN_AFTER:
            left = ends - monotonic() - pause
            if not found.passing or left <= 0:
                break
            never = threading.Event()
            wait(never, pause)
            if never.is_set():  # who waits has been told to give up
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
        """One lookup, finished or not by then."""
        woken = threading.Event()  # one's own: who gives up must not wake the others

        def tell(_: PendingLookup) -> None:
            woken.set()

        ends = monotonic() + timeout
        found = self.resolve_async(host, tell)
        while not woken.is_set() and (left := ends - monotonic()) > 0:
            if found.begun is None:
                self.hurry()
                left = min(left, STUCK)
            wait(woken, left)
        self.give_up(host, found, tell)
        return found

    def kept(self, host: str) -> PendingLookup | None:
        """The answer that is there already."""
        with self._lock:
            found = self._names.get(host)
            return (
                found if found is not None and found.done.is_set() and found.expires > self._clock() else None
            )

    def resolve_async(self, host: str, then: Callable[[PendingLookup], None]) -> PendingLookup:
        """Like `resolve()` for who must not wait: `then` is called with the finished lookup, now or in
        a resolver's thread. How long that may take is the caller's to limit."""
        with self._lock:
            found = self._find(host)
            if not found.done.is_set():
                found.then.append(then)
                return found
        then(found)
        return found

    def give_up(self, host: str, found: PendingLookup, then: Callable[[PendingLookup], None]) -> None:
        """Nobody waits for that any more, unless it came in the meantime."""
        with self._lock:
            if then in found.then:
                found.then.remove(then)
            if not found.then and found in self._waiting:
                # Not even begun: a dead name server must not leave a queue that grows with the list.
                del self._waiting[found], self._names[host]

    def _find(self, host: str) -> PendingLookup:
        """The lookup of a name: kept, under way, or begun now. The lock is held."""
        found = self._names.get(host)
        if found is None or found.expires <= self._clock():
            found = self._names[host] = PendingLookup()
            self._waiting[found] = host
            try:
                self._wake_or_start_thread()
            except NoThreadError:  # nobody is to wait for it
                del self._names[host], self._waiting[found]
                raise
            if len(self._names) > MAX_CACHED:
                self._drop_oldest()
        self._names.move_to_end(host)
        return found

    def _wake_or_start_thread(self) -> None:
        """Sees to it that somebody takes up what waits, as far as there may be threads for it."""
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
        """Threads that have been at one name for long."""
        long_ago = self._clock() - STUCK
        stuck = 0
        for since in self._asking.values():
            if since > long_ago:
                break
            stuck += 1
        return stuck

    def hurry(self) -> None:
        """Looks whether what waits can be taken up by now, since others are stuck: to be called now and then
        by whoever waits."""
        with self._lock:
            for _ in range(len(self._waiting) - self._idle):
                before = self._started
                self._wake_or_start_thread()
                if self._started == before:
                    break

    def _drop_oldest(self) -> None:
        """Forgets the finished lookup that was asked for least recently. Those under way stay: there
        are no more of them than workers."""
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
                found.begun = self._asking[found] = self._clock()
            self._ask(host, found)

    def _ask(self, host: str, found: PendingLookup) -> None:
        keep = POSITIVE_TTL
        try:
            # As bytes: the IDNA codec would judge a name that the URL parser has judged already.
            found.addresses = addresses_of(self._lookup(host.encode("ascii"), None, type=socket.SOCK_STREAM))
            found.ips = tuple(f"[{ip}]" if ":" in ip else ip for _, ip, _ in found.addresses)
            if not found.addresses:
                found.error = f"{host} has no address"
        except (OSError, UnicodeError) as error:
            found.kind, found.error = failure_of(error, host)
        if found.error:
            keep = 0.0 if found.passing else NEGATIVE_TTL
        found.expires = self._clock() + keep
        with self._lock:
            del self._asking[found]
            found.done.set()
            told, found.then = found.then, []
        for then in told:
            then(found)


def addresses_of(answers: Sequence[tuple[Any, ...]]) -> tuple[tuple[int, str, int], ...]:
    """Family, address and scope of each, in the system's order. Of too many the first ones are kept, and of
    both families alike: the one may be of no use here."""
    found = dict.fromkeys(
        (int(family), str(sockaddr[0]), sockaddr[3] if len(sockaddr) > 3 else 0)
        for family, _, _, _, sockaddr in answers
        if family in (socket.AF_INET, socket.AF_INET6)
    )
    if len(found) <= MOST_ADDRESSES:
        return tuple(found)
    first = next(iter(found))[0]
    preferred = [address for address in found if address[0] == first][:MOST_ADDRESSES]
    other = [address for address in found if address[0] != first][: MOST_ADDRESSES // 2]
    preferred = preferred[: MOST_ADDRESSES - len(other)]
    taken = [address for pair in zip_longest(preferred, other) for address in pair if address is not None]
    return tuple(taken)


def parse_ip(host: str, port: int) -> Address | None:
    """A host that is an address already; None when it is a name."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return Address(family, host, (host, port) if family == socket.AF_INET else (host, port, 0, 0))
    return None


def failure_of(error: Exception, host: str) -> tuple[FailureKind, str]:
    """Why there is no address, in our words."""
    if isinstance(error, UnicodeError) or (isinstance(error, socket.gaierror) and error.errno in UNKNOWN):
        return FailureKind.DNS, f"the host name {host} does not exist"
    return FailureKind.TIMEOUT_DNS, f"the name server did not answer for {host}"


_shared: Resolver | None = None
_shared_lock = threading.Lock()


def shared() -> Resolver:
    """This process's resolver. A forked child gets its own: threads don't survive a fork."""
    global _shared
    with _shared_lock:
        if _shared is None:
            most = machine.lookups(MOST_THREADS)
            _shared = Resolver(min(THREADS, most), most_threads=most)
        return _shared


@forks.in_child
def _renew() -> None:
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()
