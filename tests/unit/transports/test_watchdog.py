"""The watchdog on real sockets: what it ends, what it leaves alone."""

from __future__ import annotations

import math
import os
import socket
import threading
from collections.abc import Iterator
from time import monotonic

import pytest

from fetchpool.model.failures import FailureKind
from fetchpool.transports.sockets import seconds_idle
from fetchpool.transports.watchdog import Watch, Watchdog


class Clock:
    """A clock that is set, not waited for."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watchdog(clock: Clock) -> Watchdog:
    dog = Watchdog(clock)
    dog.waiting = False  # no thread: the tests look for themselves
    return dog


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection on loopback: ours and the server's end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    with ours, theirs:
        ours.settimeout(5)
        yield ours, theirs


def watching(watchdog: Watchdog, connection: socket.socket) -> Watch:
    watch = watchdog.watch()
    watch.opened(connection.fileno())
    return watch


def is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True


def test_a_hop_past_its_deadline_has_its_socket_shut_down(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 5.0, math.inf)
    clock.now += 4.9
    watchdog.check()
    assert is_open(ends[0])
    clock.now += 0.2
    watchdog.check()
    assert not is_open(ends[0])
    assert watch.stop() is FailureKind.TIMEOUT_TOTAL


def test_progress_does_not_move_the_deadline(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 5.0, 1.0)
    for _ in range(12):
        clock.now += 0.5
        watch.progress += 1
        watchdog.check()
    assert watch.stop() is FailureKind.TIMEOUT_TOTAL


def test_a_verdict_is_reported_once(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 1.0, math.inf)
    clock.now += 2
    watchdog.check()
    assert watch.stop() is FailureKind.TIMEOUT_TOTAL
    watch.start(clock.now, 1.0, math.inf)
    assert watch.stop() is None


def test_a_hop_that_ended_in_time_is_left_alone(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 1.0, math.inf)
    assert watch.stop() is None
    clock.now += 10
    assert watchdog.check() is False
    assert is_open(ends[0])


def test_the_next_hop_on_a_kept_connection_has_its_own_time(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 5.0, 2.0)
    watchdog.check()
    watch.stop()
    clock.now += 100
    watch.start(clock.now, 5.0, 2.0)
    clock.now += 1.5
    watchdog.check()
    assert watch.stop() is None


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel isn't asked here")
def test_a_byte_without_a_callback_counts_as_activity(ends):
    ours, theirs = ends
    theirs.sendall(b"x")
    watch = watching(Watchdog(), ours)
    watch.start(monotonic() - 60, math.inf, 30.0)
    watch.check(monotonic())
    assert watch.stop() is None, "a byte waits to be read"
    ours.recv(1)
    watch.start(monotonic() - 60, math.inf, 30.0)
    watch.check(monotonic())
    assert watch.stop() is None, "the last byte came a moment ago, even if another thread read it"


def test_a_silent_connection_is_timeout_read(watchdog, ends):
    deadline = monotonic() + 5
    watch = watching(watchdog, ends[0])
    watch.start(monotonic(), math.inf, 0.2)
    while watch.check(monotonic()) and not watch.ending:
        assert monotonic() < deadline
        threading.Event().wait(0.01)
    assert watch.stop() is FailureKind.TIMEOUT_READ
    assert not is_open(ends[0])


def test_a_connection_that_was_just_closed_was_not_silent(watchdog, clock, ends):
    """The transport's own deadline closed it: with no socket left, all would look silent."""
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, math.inf, 1.0)
    watchdog.check()
    clock.now += 2
    watch.closed(ends[0].fileno())
    watchdog.check()
    assert watch.stop() is None


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel isn't asked here")
def test_only_the_socket_that_a_hop_speaks_by_can_break_its_silence(ends):
    ours, theirs = ends
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as other,
    ):
        watch = watching(Watchdog(), ours)
        watch.opened(other.fileno())
        theirs.sendall(b"goodbye")
        assert seconds_idle(ours.fileno()) == 0.0
        started = monotonic()
        watch.start(started, math.inf, 0.2)
        watch.use_socket(other.fileno())
        while watch.check(monotonic()) and not watch.ending:
            assert monotonic() < started + 5
            threading.Event().wait(0.01)
        assert watch.stop() is FailureKind.TIMEOUT_READ


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the kernel isn't asked here")
def test_a_connection_still_being_made_is_not_silent():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        fillers = []
        try:
            for _ in range(8):  # the backlog is full after one or two: then SYNs are dropped
                fillers.append(socket.socket())
                fillers[-1].setblocking(False)
                fillers[-1].connect_ex(listener.getsockname())
            assert seconds_idle(fillers[-1].fileno()) == 0.0
        finally:
            for filler in fillers:
                filler.close()


def test_a_descriptor_that_was_closed_and_reused_is_not_touched(watchdog, clock, ends):
    ours, theirs = ends
    watch = watchdog.watch()
    with socket.socket() as another:
        number = another.fileno()
        watch.opened(number)
        watch.start(clock.now, 1.0, math.inf)
        watch.closed(number)
    os.dup2(ours.fileno(), number)
    try:
        clock.now += 2
        watchdog.check()
        assert watch.stop() is FailureKind.TIMEOUT_TOTAL
        assert is_open(theirs)
    finally:
        os.close(number)


def test_a_socket_opened_after_the_deadline_is_shut_down_at_once(watchdog, clock, ends):
    watch = watchdog.watch()
    watch.start(clock.now, 1.0, math.inf)
    clock.now += 2
    watchdog.check()
    watch.opened(ends[0].fileno())
    assert not is_open(ends[0])


def test_an_abort_ends_this_hop_and_every_later_one(watchdog, clock, ends):
    watch = watching(watchdog, ends[0])
    watch.start(clock.now, 100.0, 100.0)
    watch.abort()
    assert not is_open(ends[0])
    assert watch.stop() is FailureKind.ABORTED
    watch.start(clock.now, 100.0, 100.0)
    assert watch.stop() is FailureKind.ABORTED


def test_an_abort_ends_a_wait_that_has_no_socket(watchdog):
    watch = watchdog.watch()
    asked, done = threading.Event(), threading.Event()

    class Asked(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.set()
            return super().wait(timeout)

    thread = threading.Thread(target=lambda: (watch.wait(Asked(), 30), done.set()))
    thread.start()
    assert asked.wait(5)
    watch.abort()
    assert done.wait(5)
    thread.join(5)


def test_a_waiting_thread_wakes_when_its_hop_expires(ends):
    ours, _ = ends
    ours.settimeout(None)
    watch = watching(Watchdog(), ours)  # with its thread and the real clock
    started = monotonic()
    watch.start(started, 0.2, math.inf)
    assert ours.recv(1) == b""
    assert watch.stop() is FailureKind.TIMEOUT_TOTAL
    assert 0.15 < monotonic() - started < 0.8


def test_the_thread_that_fell_asleep_is_woken_by_the_next_hop(ends, monkeypatch):
    monkeypatch.setattr("fetchpool.transports.watchdog.TICK", 0.001)
    watchdog = Watchdog()
    watch = watchdog.watch()
    watch.start(monotonic(), 10, 10)
    watch.stop()
    deadline = monotonic() + 10
    while not watchdog.waiting:
        assert monotonic() < deadline
        threading.Event().wait(0.001)
    ours, _ = ends
    ours.settimeout(None)
    watch.opened(ours.fileno())
    watch.start(monotonic(), 0.05, math.inf)
    assert ours.recv(1) == b""
    assert watch.stop() is FailureKind.TIMEOUT_TOTAL


def test_a_watch_without_references_is_forgotten(watchdog):
    watch = watchdog.watch()
    watch.start(0.0, 1.0, 1.0)
    assert watchdog.check() is True
    del watch
    assert watchdog.check() is False


def test_a_verdict_never_reaches_the_next_hop():
    """Hops of no length against a clock that is always past their deadlines: a claim can only be
    carried out while the hop it was made for is under way."""
    clock = Clock()
    watchdog = Watchdog(clock)
    watchdog.waiting = False
    watch = watchdog.watch()
    finished = threading.Event()

    def look() -> None:
        while not finished.is_set():
            watchdog.check()

    looking = threading.Thread(target=look)
    looking.start()
    try:
        for _ in range(3000):
            watch.start(clock.now, -1.0, math.inf)
            watch.stop()
            watch.start(clock.now, 1.0, math.inf)
            assert watch.stop() is None
    finally:
        finished.set()
        looking.join()
