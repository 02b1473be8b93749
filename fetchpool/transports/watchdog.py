"""Enforces deadlines and read timeouts for blocking transports by shutting down their sockets.

In: events that each worker's transport reports to its `Watch` (a hop began, a socket opened, bytes were
received). Out: the sockets of an expired hop are shut down, which wakes the thread that waits on them, and
`Watch.stop()` returns the reason. One daemon thread per process checks every watch several times a second; it
reads nothing, sends nothing, and closes no descriptor.

    worker ──start / progress / stop──▶ Watch ◀──checks── Watchdog's thread
      └──opened / closed(fd)──────────────┘                    └──shutdown(fd)

A socket's own timeout can't do this: it restarts with each byte, so a server that sends a byte now and then
holds a worker forever (faults 1 to 4), and inside a TLS record or a header line no callback runs. The async
pool ends its own transfers (`pools/async_/limits.py`); the connect timeout is libcurl's.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from time import monotonic

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.runtime import forks, threads
from fetchpool.runtime.limit_clock import INTERVAL, LimitClock
from fetchpool.transports.sockets import peer_of, seconds_idle, shut_down

TICK = INTERVAL
"""Seconds between two checks, by which a deadline may be late. Ten checks a second of 2,000 idle watches cost
a thousandth of one core."""
NOTICED = 0.02
"""Seconds for a server to notice a closed connection before another one is opened."""
CONNECT_LOST = 0.01
"""Lost seconds of a hop from which a connect timeout restarts the hop."""
IDLE_TICKS = 20
"""Checks without an active hop after which the thread sleeps until the next `start()` wakes it."""


class Watch:
    """The state of one worker's hop. All methods but `abort()` and `close()` are for the
    worker's own thread.

    `start()`, `stop()` and `progress` take no lock: they run once per hop, or per read, in every worker. The
    watchdog claims a hop first and checks again afterwards; a worker that stops meanwhile sees the claim and
    waits until it is carried out or dropped. So neither the reason nor the shutdown can reach the hop after
    the expired one.
    """

    __slots__ = (
        "__weakref__",
        "_active",
        "_deadline",
        "_descriptors",
        "_expired",
        "_hops",
        "_idle_at",
        "_idle_hops",
        "_interrupt",
        "_lock",
        "_read_timeout",
        "_seen_at",
        "_seen_hops",
        "_seen_progress",
        "_started",
        "_used",
        "_watchdog",
        "now",
        "progress",
    )

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self.now: Callable[[], float] = watchdog.clock.now
        """Return the time by the clock for limits."""
        self._lock = threading.Lock()  # descriptors, and the execution of a claim
        self._descriptors: set[int] = set()
        self._used: int | None = None
        self._active = False
        self._expired: FailureKind | None = None
        self._hops = 0
        self._started = self._deadline = self._read_timeout = 0.0
        self._interrupt: threading.Event | None = None
        self.progress = 0
        """Incremented by the transport whenever bytes are received."""
        # The state at the watchdog's last check.
        self._seen_hops = self._seen_progress = -1
        self._seen_at = 0.0
        self._idle_hops = -1
        self._idle_at = 0.0

    def start(self, now: float, max_time: float, read_timeout: float) -> None:
        """Start a hop at `now`, a result of `now()`. Times are seconds; `math.inf` sets no limit."""
        self._started = now
        self._deadline = now + max_time
        self._read_timeout = read_timeout
        self._used = None
        self._hops += 1
        self._active = True
        if self._watchdog.waiting:
            self._watchdog.wake()

    def stop(self) -> FailureKind | None:
        """End the hop. Return None, or why its sockets were shut down: `timeout_total`, `timeout_read` or
        `aborted`; the transport's own result is then meaningless."""
        self._active = False
        if self._expired is None:
            return None
        with self._lock:
            kind = self._expired
            if kind is not FailureKind.ABORTED:
                self._expired = None
            return kind

    @property
    def ending(self) -> bool:
        """Whether the hop is being cancelled, so that the transport must not try anything else."""
        return self._expired is not None

    def opened(self, descriptor: int) -> None:
        """Register a socket of this worker that is about to connect."""
        forks.not_for_children(descriptor)
        with self._lock:
            self._descriptors.add(descriptor)
            if self._expired is not None:
                shut_down(descriptor)

    def use_socket(self, descriptor: int) -> None:
        """Use only this socket, over which the hop's request is sent, for the read timeout. Unread bytes may
        be waiting on other open connections (TLS close_notify, a server's 408), and would count as the
        hop's."""
        self._used = descriptor

    def closed(self, descriptor: int) -> None:
        """Unregister a socket. Must be called *before* the descriptor is closed, since its number may belong
        to another thread right afterwards."""
        with self._lock:
            self._descriptors.discard(descriptor)
            self.progress += 1  # without a socket the hop would look silent

    def wait(self, event: threading.Event, timeout: float) -> None:
        """Wait for an event for up to `timeout` seconds; an abort sets the event."""
        with self._lock:
            if self._expired is FailureKind.ABORTED:
                event.set()
                return
            self._interrupt = event
        event.wait(timeout)
        self._interrupt = None

    def abort(self) -> None:
        """Cancel the current hop, and every later one as it starts. Any thread may call it."""
        with self._lock:
            self._expired = FailureKind.ABORTED
            for descriptor in self._descriptors:
                shut_down(descriptor)
            if self._interrupt is not None:
                self._interrupt.set()

    def close(self) -> None:
        """Unregister the worker. Idempotent."""
        self._watchdog.forget(self)

    # Another worker's thread

    def hang_up(self, ips: frozenset[str]) -> bool:
        """Close the idle connections to these addresses, whose server accepts few, for another worker. This
        worker then finds them closed, as if by the server. Return False if there was none."""
        ended = False
        with self._lock:
            for descriptor in self._descriptors:
                if not self._active and peer_of(descriptor) in ips:
                    shut_down(descriptor)
                    ended = True
        return ended

    # The watchdog's thread

    def check(self, now: float) -> bool:
        """End the hop if it has expired. Return False if no hop is active."""
        if not self._active:
            self._check_idle(now)
            return False
        if self._expired is not None:
            return True
        hops = self._hops
        if now >= self._deadline:
            self._expire(FailureKind.TIMEOUT_TOTAL, hops, None)
            return True
        progress = self.progress
        if hops != self._seen_hops:
            self._seen_hops, self._seen_progress, self._seen_at = hops, progress, self._started
        elif progress != self._seen_progress:
            self._seen_progress, self._seen_at = progress, now
        if now - self._seen_at >= self._read_timeout and self._silent(now):
            self._expire(FailureKind.TIMEOUT_READ, hops, progress)
        return True

    def _check_idle(self, now: float) -> None:
        """Close connections that have been idle for too long."""
        if self._idle_hops != self._hops:
            self._idle_hops, self._idle_at = self._hops, now
        elif now - self._idle_at >= self._watchdog.keeps_for:
            self._idle_at = math.inf
            with self._lock:
                for descriptor in self._descriptors:
                    if not self._active:
                        shut_down(descriptor)

    def _silent(self, now: float) -> bool:
        """Whether the kernel has received nothing either."""
        quiet = now - self._seen_at
        with self._lock:
            used = self._used
            for descriptor in (used,) if used in self._descriptors else self._descriptors:
                quiet = min(quiet, seconds_idle(descriptor))
        self._seen_at = now - quiet
        return quiet >= self._read_timeout

    def _expire(self, kind: FailureKind, hops: int, progress: int | None) -> None:
        with self._lock:
            if self._expired is not None:
                return
            self._expired = kind  # this is the claim: from here on `stop()` waits for the lock
            if not self._active or self._hops != hops or progress not in (None, self.progress):
                self._expired = None
                return
            for descriptor in self._descriptors:
                shut_down(descriptor)


class Watchdog:
    """The watches of a process, and the thread that checks them (started when first needed)."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.waiting = True
        """Whether the thread sleeps, so that `Watch.start()` must call `wake()`."""
        self.keeps_for = math.inf
        """Seconds that an idle worker may keep its connections."""
        self._clock = clock
        self.clock = LimitClock(clock)
        """The clock for all times."""
        self._lock = threading.Lock()
        self._alarm = threading.Event()
        self._thread: threading.Thread | None = None
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def watch(self) -> Watch:
        """Return a watch for another worker."""
        watch = Watch(self)
        with self._lock:
            self._watches.add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """Remove a watch. Idempotent."""
        with self._lock:
            self._watches.discard(watch)

    def begin(self) -> None:
        """Start the thread if it is not running. Raises `NoThreadError`."""
        with self._lock:
            if self._thread is None:
                self.clock.run()
                self._thread = threads.start(self._run, "fetchpool-watchdog")
                self.waiting = False

    def wake(self) -> None:
        """Wake the thread. Any thread may call it."""
        self.begin()
        self.clock.run()
        self.waiting = False
        self._alarm.set()

    def close_idle(self, own: Watch, url: str, addresses: tuple[str, ...]) -> bool:
        """Close the idle connections of the other workers to the URL's host. Return whether the next
        connection must not be kept, since other processes may need it."""
        host = urls.authority(url).rpartition(":")[0]
        ips = frozenset(ip.strip("[]") for ip in addresses or (host,))
        with self._lock:
            watches = list(self._watches)
        ended = sum([watch.hang_up(ips) for watch in watches if watch is not own])
        if ended:
            own.wait(threading.Event(), NOTICED)
        return self.keeps_for < math.inf

    def check(self, now: float | None = None) -> bool:
        """Check every watch at `now`, or at the current time. Return False if no hop is active."""
        if now is None:
            now = self._clock() - self.clock.lost
        with self._lock:
            watches = list(self._watches)
        under_way = False
        for watch in watches:
            under_way |= watch.check(now)
        return under_way

    def _run(self) -> None:
        idle = 0
        pause = threading.Event()  # never set: a sleep
        while True:
            # The clock, since the interpreter may have been blocked again after the sign.
            idle = 0 if self.check(self.clock.now()) else idle + 1
            if idle < IDLE_TICKS:
                pause.wait(TICK)
                self.clock.sign()
                continue
            self._alarm.clear()
            self.waiting = True
            self.clock.rest()
            # A hop that began before the flag was set did not wake the thread; this check finds it.
            if not self.check():
                self._alarm.wait()
            self.clock.run()
            self.waiting = False
            idle = 0


_shared: Watchdog | None = None
_shared_lock = threading.Lock()


def shared() -> Watchdog:
    """Return this process's watchdog, with its thread running: during a hop it would be too late to find that
    no thread can be started. A forked child gets its own, since threads don't survive a fork. Raises
    `NoThreadError`."""
    global _shared
    with _shared_lock:
        if _shared is None:
            watchdog = Watchdog()
            watchdog.begin()
            _shared = watchdog
        return _shared


@forks.in_child
def _renew() -> None:
    global _shared, _shared_lock
    _shared, _shared_lock = None, threading.Lock()
