"""Supervisor: starts the worker processes of a pool, receives their messages, and replaces those that end.
In: the number of fetches that each process runs at once. Out: processes that are ready, their frames, and
processes that have ended, with their requests. A process that a parser blocks is excluded or killed here.
Only the pool's thread uses it; the first start is done by another one, which no Ctrl-C interrupts.
"""

from __future__ import annotations

import selectors
import signal
from collections.abc import Sequence
from functools import partial
from threading import Event
from time import monotonic

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import NoThreadError, UsageError
from fetchpool.pools.process.fork_server import (
    FEWER,
    NEEDS_MAIN_GUARD,
    SHORTAGE,
    check_descriptors,
    explained_shortage,
    process_context,
    server_pid,
    wait_for_server_exit,
)
from fetchpool.pools.process.frames import Frame, Kind
from fetchpool.pools.process.shares import shares
from fetchpool.pools.process.stopped import StoppedWorkerKiller
from fetchpool.pools.process.worker_process import WorkerProcess
from fetchpool.pools.wakeup import Wakeup
from fetchpool.runtime import threads

STARTING = 30.0
"""Seconds in which a process must make progress while the pool opens."""
CHECK_START = 0.2
"""Seconds between two checks of its progress."""
MOST_DEATHS = 3
"""Number of processes that may die while the pool opens. Each is replaced, as it would be later."""
DIED = f"--executor process: the processes died while they started; {FEWER}"
GRACE = 1.0
"""Seconds for idle processes to exit. A process whose parser has started a thread might never exit."""
RETRY_START = 1.0
"""Seconds between two attempts to replace a process while others work."""


class Supervisor:
    """The worker processes of a pool."""

    def __init__(self, places: Sequence[int], options: FetchOptions, wakeup: Wakeup) -> None:
        """`places`: how many fetches each process runs at once. Raises `UsageError` if none can be
        started."""
        self._options = options
        self._wakeup = wakeup
        self._context = process_context(options)
        self._vacant = list(places)
        """The places of processes that have ended or were not started yet."""
        self._start_at = 0.0
        """When a replacement may be started."""
        self._stopped_killer = StoppedWorkerKiller()
        self._selector = selectors.DefaultSelector()
        self._selector.register(wakeup.descriptor, selectors.EVENT_READ)
        self.workers: list[WorkerProcess] = []
        self.ended: list[WorkerProcess] = []
        """Processes that have ended; the caller that handles them clears the list."""
        self._all_started = Event()
        """Set when the thread that starts the processes has ended. It can't be joined if an interrupt arrives
        before `threads.start()` has returned it."""
        self._all_started.set()
        self._refusal: BaseException | None = None
        """Why the processes could not be started."""
        self._is_closing = False
        self._is_spaced = False

    # The start

    def open(self) -> None:
        """Start all processes, and return when they are ready. Raises `UsageError` when one can't be started,
        or several end."""
        self._start_in_thread()
        steps, waited, deaths = -1, 0.0, 0
        while not all(worker.is_ready for worker in self.workers):
            began = monotonic()
            self.poll(CHECK_START)
            if self.ended:
                if not any(worker.is_started for worker in (*self.workers, *self.ended)):
                    raise UsageError(NEEDS_MAIN_GUARD)
                deaths += len(self.ended)
                if deaths > MOST_DEATHS:
                    raise UsageError(DIED)
                self.ended.clear()
                self._start_in_thread()
            before = steps
            steps = sum([worker.is_started + worker.is_ready for worker in self.workers])
            # If this takes longer than it should, this process was stopped, and perhaps the others, too.
            waited += min(monotonic() - began, 2 * CHECK_START)
            if steps != before:
                waited = 0.0
            elif waited >= STARTING:
                raise UsageError(f"--executor process: no process has started for {STARTING:g} s; {FEWER}")

    def _start_in_thread(self) -> None:
        """Start a process for every vacant share. Raises the error that prevents it."""
        self._all_started.clear()
        try:
            threads.start(self._start_all, "fetchpool-start")
        except NoThreadError:
            self._all_started.set()
            raise
        while not self._all_started.wait(0.2):
            pass
        if self._refusal is not None:
            raise self._refusal

    def _start_all(self) -> None:
        """Thread target."""
        try:
            with explained_shortage():
                check_descriptors(len(self._vacant))
                self._stopped_killer.add(server_pid(), signal.SIGCONT)
                while self._vacant and not self._is_closing:
                    self._start()
        except BaseException as refusal:  # noqa: BLE001 - raised in `open()`
            self._refusal = refusal
        finally:
            self._all_started.set()

    def replace(self, now: float) -> bool:
        """Start processes to replace those that have ended. Return False if there is no process, and none can
        be started."""
        if self._vacant and now >= self._start_at:
            try:
                check_descriptors(1)
                self._stopped_killer.add(server_pid(), signal.SIGCONT)
                while self._vacant:
                    self._start()
            except SHORTAGE:
                self._start_at = now + RETRY_START if self.workers else 0.0
        return bool(self.workers)

    def _start(self) -> None:
        """Start one process. Raises one of `SHORTAGE`."""
        start = partial(WorkerProcess, self._vacant[-1], self._options, self._context)
        try:
            worker = start()
        except ConnectionRefusedError:  # the fork server is exiting, for lack of a descriptor for example
            wait_for_server_exit()
            worker = start()
        self._vacant.pop()
        self.workers.append(worker)
        if self._is_spaced:
            worker.send(Kind.SPACED, b"1")
        self._selector.register(worker.channel, selectors.EVENT_READ, worker)
        self._selector.register(worker.sentinel, selectors.EVENT_READ, worker)
        self._stopped_killer.add(worker.process.pid, signal.SIGKILL)

    def resize(self, workers: int) -> None:
        """Divide this many concurrent fetches among the processes; some may get none."""
        places = shares(workers, len(self.workers) + len(self._vacant))
        for worker in self.workers:
            worker.resize(places.pop(0))
        self._vacant = places

    def space_hops(self, spaced: bool) -> None:
        """Make the processes return every redirect, or do as the options say again."""
        self._is_spaced = spaced
        for worker in self.workers:
            worker.send(Kind.SPACED, b"1" if spaced else b"")

    # The loop

    def poll(self, timeout: float) -> list[tuple[WorkerProcess, Frame]]:
        """Wait for events, at most `timeout` seconds; return the received outcomes. A process that has ended
        is then in `ended`, and its last outcomes are among those returned."""
        for worker in self.workers:
            if worker.has_unsent:
                self._selector.modify(worker.channel, selectors.EVENT_READ | selectors.EVENT_WRITE, worker)
        frames: list[tuple[WorkerProcess, Frame]] = []
        for key, events in self._selector.select(timeout):
            worker = key.data
            if worker is None:
                self._wakeup.drain()
                continue
            if worker.is_ended:
                continue
            if events & selectors.EVENT_WRITE:
                worker.flush()
                if not worker.has_unsent:
                    self._selector.modify(worker.channel, selectors.EVENT_READ, worker)
            if events & selectors.EVENT_READ:
                has_ended = key.fd == worker.sentinel
                self._receive(worker, frames, all_of_it=has_ended)
                if has_ended:
                    self.end(worker)
        return frames

    def _receive(
        self, worker: WorkerProcess, frames: list[tuple[WorkerProcess, Frame]], *, all_of_it: bool
    ) -> None:
        while True:
            received, goes_on = worker.receive()
            for each in received:
                if each[0] is Kind.STARTED:
                    worker.is_started = True
                elif each[0] is Kind.READY:
                    worker.is_ready = True
                else:
                    frames.append((worker, each))
            if not goes_on:
                self.end(worker)
                return
            if not (all_of_it and received):
                return

    def end(self, worker: WorkerProcess) -> None:
        """End a process, whatever it is doing. Idempotent."""
        if worker.is_ended:
            return
        self._selector.unregister(worker.channel)
        self._selector.unregister(worker.sentinel)
        self.workers.remove(worker)
        worker.close()
        self._vacant.append(worker.places)
        self.ended.append(worker)

    def close(self) -> None:
        """End all processes, and close all descriptors. Busy processes are killed."""
        self._is_closing = True
        self._all_started.wait(STARTING)
        idle = [worker for worker in self.workers if worker.is_ready and not worker.held]
        for worker in idle:
            worker.send(Kind.CLOSE)
        until = monotonic() + GRACE
        while any(not worker.is_ended for worker in idle) and (left := until - monotonic()) > 0.0:
            self.poll(left)
        for worker in list(self.workers):
            self.end(worker)
        self._stopped_killer.close()
        self._selector.close()
