"""What runs in a worker process: one batch of requests at a time, one fetch after the other.

In: a batch, and the pool's side channel. Out: the batch's outcomes, together. When a fetch takes long
the others do not wait for it: what is done is sent through the side channel at once, and what is not
begun is given back. Two words go through it before: that there is a process, and that it is ready.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Lock
from time import monotonic
from types import FrameType

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import NoThreadError
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.pools.process.lifeline import hold_on
from fetchpool.pools.process.parse_board import ParseBoard, ParsePlace
from fetchpool.pools.worker import Worker
from fetchpool.runtime import threads
from fetchpool.transports import watchdog

TO_THE_GROUP = (signal.SIGINT, signal.SIGTERM)
KEEPS_FOR = 1.5
"""Seconds that the process keeps its connections while it has nothing to do."""
LONG = 0.05
"""Seconds after which a fetch is too slow for its batch to wait for."""

Batch = list[tuple[int, FetchRequest]]
"""Requests, with the number the pool knows each by."""
Results = list[tuple[int, Outcome | None]]
"""By number; None: not begun, and given back."""


@dataclass(frozen=True, slots=True)
class WorkerHello:
    """A process has started, or can take its first batch."""

    pid: int
    ready: bool


Told = WorkerHello | Results
"""What goes through the side channel."""


class BatchRunner:
    """Runs batches, and looks after the one that is running from a thread of its own."""

    def __init__(
        self, fetch: Callable[[FetchRequest], Outcome], send: Callable[[Results], None], place: ParsePlace
    ) -> None:
        self._fetch = fetch
        self._send = send
        self._place = place
        self._lock = threading.Lock()
        self._todo: deque[tuple[int, FetchRequest]] = deque()
        self._done: Results = []
        self._began = 0.0
        self._busy = threading.Event()

    def run(self, batch: Batch) -> Results:
        """The outcomes that have not been sent already."""
        with self._lock:
            self._todo.extend(batch)
        if len(batch) > 1:
            self._busy.set()
        while True:
            with self._lock:
                if not self._todo:
                    self._busy.clear()
                    done, self._done = self._done, []
                    return done
                number, request = self._todo.popleft()
                self._began = monotonic()
            self._place.number = number
            outcome = self._fetch(request)
            with self._lock:
                self._done.append((number, outcome))

    def watch_slow_fetches(self) -> None:
        """For a thread: as soon as a fetch has taken long, the batch is sent without it.

        Ends the process when that fails: what it took out of the batch would come to no end."""
        try:
            self._look_after()
        except BaseException:  # noqa: BLE001 - the pool sees the process die, and what it had runs again
            traceback.print_exc()
            os._exit(1)

    def _look_after(self) -> None:
        pause = threading.Event()  # never set: a sleep
        while self._busy.wait():
            pause.wait(LONG / 2)
            with self._lock:
                if monotonic() - self._began < LONG or not (self._done or self._todo):
                    continue
                results, self._done = self._done, []
                results.extend((number, None) for number, _ in self._todo)
                self._todo.clear()
            self._send(results)


_runner: BatchRunner


def start(
    options: FetchOptions, lifeline: Connection, channel: Connection, lock: Lock, board: ParseBoard
) -> None:
    """The process's initializer. It ends with the lifeline: when the parent closes it, or dies. `lock` is
    for writing into the channel, and for taking a place on the board."""
    hear_nothing()
    try:
        _start(options, lifeline, channel, lock, board)
    except (NoThreadError, OSError):  # the executor would print where; the parent says what, if it is there
        os._exit(1)


def _start(
    options: FetchOptions, lifeline: Connection, channel: Connection, lock: Lock, board: ParseBoard
) -> None:
    global _runner
    hold_on(lifeline)
    sys.excepthook = sys.__excepthook__

    def send(told: Told) -> None:
        with lock:
            channel.send(told)

    send(WorkerHello(os.getpid(), ready=False))
    with lock:
        place = board.place()
    # A server may bear few connections, and nobody tells this process that another one needs the place.
    watchdog.shared().keeps_for = KEEPS_FOR
    _runner = BatchRunner(Worker(options, parse=place.run).fetch, send, place)
    threads.start(_runner.watch_slow_fetches, "batches")
    send(WorkerHello(os.getpid(), ready=True))


def hear_nothing() -> None:
    """A terminal's Ctrl-C, `timeout` and a service manager's stop go to the whole group; what they mean is
    the parent's to say. They are heard and not ignored: what is ignored stays so in programs that a parser
    starts. A process that it forks does as any other."""
    for number in TO_THE_GROUP:
        signal.signal(number, heard)
    if hasattr(signal, "pthread_sigmask"):  # they may have been blocked until now
        signal.pthread_sigmask(signal.SIG_UNBLOCK, TO_THE_GROUP)
        os.register_at_fork(before=_before_fork, after_in_parent=_unblock, after_in_child=_hear_again)


def heard(_number: int, _frame: FrameType | None) -> None:
    """Does nothing."""


_masks = threading.local()


def _before_fork() -> None:
    """Signals wait until the child is ready for them: Python forgets those that come to a child before."""
    _masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, TO_THE_GROUP)


def _hear_again() -> None:
    """In a child: signals do what they do in any other process, unless a parser has said otherwise."""
    for number in TO_THE_GROUP:
        if signal.getsignal(number) is heard:
            signal.signal(number, signal.SIG_DFL)
    _unblock()


def _unblock() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.before)


def ready() -> None:
    """No batch at all: what the executor starts a process for."""


def run(batch: Batch) -> Results:
    """A batch, in this process."""
    return _runner.run(batch)
