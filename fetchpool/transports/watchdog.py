"""Who ends a hop that its own thread can't end: past its deadline, gone silent, or aborted.

In: what each worker's transport tells its `Watch` (a hop began, a socket opened, bytes came). Out:
the sockets of an expired hop are shut down, which wakes the thread that waits on them, and
`Watch.stop()` says why. One daemon thread per process looks at every watch a few times a second; it
reads nothing, sends nothing, and closes no descriptor.

    worker ──start / progress / stop──▶ Watch ◀──looks at── Watchdog's thread
      └──opened / closed(fd)──────────────┘                    └──shutdown(fd)

A read timeout can't do this: it starts again with each byte, so a server that sends one now and then
holds a worker for ever (faults 1 to 4), and inside a TLS record or a header line no callback runs.
"""

from __future__ import annotations

import contextlib
import math
import socket
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from struct import unpack_from
from time import monotonic

from fetchpool.model import urls
from fetchpool.model.failures import FailureKind
from fetchpool.runtime import forks, threads

if sys.platform == "linux":
    from fcntl import ioctl
    from termios import FIONREAD

TICK = 0.1
"""Seconds between two looks: what a deadline may be late by. Ten looks a second at 2,000 idle
watches cost a thousandth of one core."""
NOTICED = 0.02
"""Seconds that a server has to see that a connection has ended, before there is another one."""
IDLE_TICKS = 20
"""After so many looks with no hop under way the thread sleeps until the next `start()` wakes it."""

# struct tcp_info (linux/tcp.h): the state is its first byte, tcpi_last_data_recv, in milliseconds
# since the last data came, the twelfth 32-bit word after eight bytes. Both are where they were in 2.4.
TCP_INFO_SIZE = 56
LAST_DATA_RECV = 52
TCP_SYN_SENT = 2


class Watch:
    """One worker's hop, as the watchdog sees it. All methods but `abort()` and `close()` are for the
    worker's own thread.

    `start()`, `stop()` and `progress` take no lock: they run once per hop, or per read, in every
    worker. The watchdog claims a hop first and looks again afterwards; a worker that stops meanwhile
    sees the claim and waits for it to be carried out or dropped. So no verdict, and no shutdown, can
    reach the hop after the one it was meant for.
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
        "_speaking",
        "_started",
        "_watchdog",
        "progress",
    )

    def __init__(self, watchdog: Watchdog) -> None:
        self._watchdog = watchdog
        self._lock = threading.Lock()  # descriptors, and the carrying out of a claim
        self._descriptors: set[int] = set()
        self._speaking: int | None = None
        self._active = False
        self._expired: FailureKind | None = None
        self._hops = 0
        self._started = self._deadline = self._read_timeout = 0.0
        self._interrupt: threading.Event | None = None
        self.progress = 0
        """Any change of it is life: the transport counts it up when bytes come."""
        # What the watchdog saw when it last looked.
        self._seen_hops = self._seen_progress = -1
        self._seen_at = 0.0
        self._idle_hops = -1
        self._idle_at = 0.0

    def start(self, now: float, max_time: float, read_timeout: float) -> None:
        """A hop begins at `now` (`time.monotonic()`). Times are seconds; `math.inf` watches for
        nothing."""
        self._started = now
        self._deadline = now + max_time
        self._read_timeout = read_timeout
        self._speaking = None
        self._hops += 1
        self._active = True
        if self._watchdog.asleep:
            self._watchdog.wake()

    def stop(self) -> FailureKind | None:
        """The hop is over. None, or why its sockets were shut down: `timeout_total`, `timeout_read`
        or `aborted`; what the hop seemed to come to means nothing then."""
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
        """The hop is being ended: there is no point in trying something else."""
        return self._expired is not None

    def opened(self, descriptor: int) -> None:
        """A socket of this worker is about to connect."""
        forks.not_for_children(descriptor)
        with self._lock:
            self._descriptors.add(descriptor)
            if self._expired is not None:
                shut_down(descriptor)

    def use_socket(self, descriptor: int) -> None:
        """The hop's request goes out by this socket, new or kept: from now on only its silence counts.
        Bytes may wait unread on a kept connection that the hop has nothing to do with (TLS says goodbye,
        some servers say 408), and would be taken for life."""
        self._speaking = descriptor

    def closed(self, descriptor: int) -> None:
        """To be called *before* the descriptor is closed: its number may belong to another thread
        the moment after."""
        with self._lock:
            self._descriptors.discard(descriptor)
            self.progress += 1  # something goes on: with no socket left all would look silent

    def wait(self, event: threading.Event, timeout: float) -> None:
        """Waits for something that is not a socket, seconds at most; an abort sets the event."""
        with self._lock:
            if self._expired is FailureKind.ABORTED:
                event.set()
                return
            self._interrupt = event
        event.wait(timeout)
        self._interrupt = None

    def abort(self) -> None:
        """Ends the hop under way, and every later one as it starts. Any thread may call it."""
        with self._lock:
            self._expired = FailureKind.ABORTED
            for descriptor in self._descriptors:
                shut_down(descriptor)
            if self._interrupt is not None:
                self._interrupt.set()

    def close(self) -> None:
        """The worker is gone. Idempotent."""
        self._watchdog.forget(self)

    # Another worker's thread

    def hang_up(self, ips: frozenset[str]) -> bool:
        """Ends the connections to these addresses that no hop uses: their server bears few, and another
        worker needs the place. Whoever uses one next finds it closed, as by the server. False when there was
        none."""
        ended = False
        with self._lock:
            for descriptor in self._descriptors:
                if not self._active and peer_of(descriptor) in ips:
                    shut_down(descriptor)
                    ended = True
        return ended

    # The watchdog's thread

    def look(self, now: float) -> bool:
        """Ends the hop when its time has come. False when there is none."""
        if not self._active:
            self._look_idle(now)
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

    def _look_idle(self, now: float) -> None:
        """Ends the connections that are kept, when they have been for long."""
        if self._idle_hops != self._hops:
            self._idle_hops, self._idle_at = self._hops, now
        elif now - self._idle_at >= self._watchdog.keeps_for:
            self._idle_at = math.inf
            with self._lock:
                for descriptor in self._descriptors:
                    if not self._active:
                        shut_down(descriptor)

    def _silent(self, now: float) -> bool:
        """Whether the kernel has heard nothing either."""
        quiet = now - self._seen_at
        with self._lock:
            speaking = self._speaking
            for descriptor in (speaking,) if speaking in self._descriptors else self._descriptors:
                quiet = min(quiet, silence(descriptor))
        self._seen_at = now - quiet
        return quiet >= self._read_timeout

    def _expire(self, kind: FailureKind, hops: int, progress: int | None) -> None:
        with self._lock:
            if self._expired is not None:
                return
            self._expired = kind  # the claim: from here on `stop()` waits for the lock
            if not self._active or self._hops != hops or progress not in (None, self.progress):
                self._expired = None
                return
            for descriptor in self._descriptors:
                shut_down(descriptor)


class Watchdog:
    """The watches of a process, and the thread that looks at them (started when first needed)."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self.asleep = True
        """Nobody looks: `Watch.start()` must call `wake()`."""
        self.keeps_for = math.inf
        """Seconds that connections may be kept by a worker that does nothing."""
        self._clock = clock
        self._lock = threading.Lock()
        self._alarm = threading.Event()
        self._thread: threading.Thread | None = None
        self._watches: weakref.WeakSet[Watch] = weakref.WeakSet()

    def watch(self) -> Watch:
        """A watch for one more worker."""
        watch = Watch(self)
        with self._lock:
            self._watches.add(watch)
        return watch

    def forget(self, watch: Watch) -> None:
        """Its worker is gone. Idempotent."""
        with self._lock:
            self._watches.discard(watch)

    def begin(self) -> None:
        """From here on somebody looks, when it is called. Raises `NoThreadError`."""
        with self._lock:
            if self._thread is None:
                self._thread = threads.start(self._run, "fetchpool-watchdog")
                self.asleep = False

    def wake(self) -> None:
        """Somebody has to look again. Any thread may call it."""
        self.begin()
        self.asleep = False
        self._alarm.set()

    def makes_room(self, own: Watch, url: str, addresses: tuple[str, ...]) -> bool:
        """Ends the connections of the other workers to the URL's host that are kept for a next request.
        Whether the next one should not be kept at all, since other processes might need its place."""
        host = urls.authority(url).rpartition(":")[0]
        ips = frozenset(ip.strip("[]") for ip in addresses or (host,))
        with self._lock:
            watches = list(self._watches)
        ended = sum([watch.hang_up(ips) for watch in watches if watch is not own])
        if ended:
            own.wait(threading.Event(), NOTICED)
        return self.keeps_for < math.inf

    def look(self) -> bool:
        """One look at every watch. False when no hop is under way."""
        now = self._clock()
        with self._lock:
            watches = list(self._watches)
        under_way = False
        for watch in watches:
            under_way |= watch.look(now)
        return under_way

    def _run(self) -> None:
        idle = 0
        pause = threading.Event()  # never set: a sleep
        while True:
            idle = 0 if self.look() else idle + 1
            if idle < IDLE_TICKS:
                pause.wait(TICK)
                continue
            self._alarm.clear()
            self.asleep = True
            # A hop that began before the flag was up did not wake anybody: it shows in this look.
            if not self.look():
                self._alarm.wait()
            self.asleep = False
            idle = 0


def silence(descriptor: int) -> float:
    """Seconds since the last byte came to a socket, whoever has read it; 0 when bytes wait to be
    read (it is we who are slow) or the connection is still being made (another timeout's concern);
    infinite where the kernel doesn't tell."""
    if sys.platform != "linux":
        return float("inf")
    try:
        with socket_from_fd(descriptor) as connection:
            waiting = bytearray(4)
            ioctl(descriptor, FIONREAD, waiting)
            if any(waiting):
                return 0.0
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_SIZE)
    except OSError:  # not TCP, or no longer connected
        return float("inf")
    if info[0] == TCP_SYN_SENT:
        return 0.0
    milliseconds: int = unpack_from("=I", info, LAST_DATA_RECV)[0]
    return milliseconds / 1000


def peer_of(descriptor: int) -> str:
    """The address that a socket is connected to; empty when it is not."""
    with contextlib.suppress(OSError), socket_from_fd(descriptor) as connection:
        return str(connection.getpeername()[0])
    return ""


def shut_down(descriptor: int) -> None:
    """Ends a connection in both directions, whoever waits on it; the descriptor stays open."""
    # An error says that it isn't connected (any more): nobody can wait on it.
    with contextlib.suppress(OSError), socket_from_fd(descriptor) as connection:
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def socket_from_fd(descriptor: int) -> Iterator[socket.socket]:
    """A socket object for somebody else's descriptor, which stays theirs. The address family makes
    no difference to what is asked here."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM, fileno=descriptor)
    try:
        yield connection
    finally:
        connection.detach()


_shared: Watchdog | None = None
_shared_lock = threading.Lock()


def shared() -> Watchdog:
    """This process's watchdog, with its thread: in the midst of a hop it would be too late to find that there
    is none to be had. A forked child gets its own: threads don't survive a fork. Raises `NoThreadError`."""
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
