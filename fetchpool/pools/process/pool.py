"""The process pool: worker processes, each of which runs many fetches at once.

    submit() ──▶ WorkQueue ──▶ frames of requests ──▶ a socket ──▶ worker.py: a station
    Future.set_result() ◀── outcomes, together ◀── the same socket ◀──────┘

One thread serves all sockets. It is the pool's own, unless the caller runs the loop (`run_once()`), which
completes the futures in the caller's thread. It waits only for the sockets: a process that was stopped,
or whose parser holds the interpreter lock, holds up no other.

When a process dies, requests that it has not started run in another one, and the others fail with
`WorkerLostError`: the caller decides what follows. All processes end with the parent (`parent_pipe.py`). An
abort kills them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from tempfile import NamedTemporaryFile
from time import monotonic
from typing import IO

from msgspec.structs import replace

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.pools.loop_pool import LoopPool, State
from fetchpool.pools.process.dispatch import WorkDispatcher
from fetchpool.pools.process.fork_server import exit_if_spawning
from fetchpool.pools.process.shares import shares
from fetchpool.pools.process.supervisor import Supervisor
from fetchpool.pools.process.work import WorkQueue
from fetchpool.pools.worker import Worker
from fetchpool.runtime.exit_hooks import at_exit

CHECK = 0.5
"""Seconds between two checks of the processes."""
ABORT_TIMEOUT = 10.0
"""Seconds that an abort waits for all processes to be killed."""
MAIN_ENDED = (
    "the main thread has ended, and the worker processes with it; make it join the threads that fetch"
)


class ProcessPool(LoopPool):
    """At most `max_workers` fetches at once, divided among `processes`."""

    def __init__(self, max_workers: int, options: FetchOptions, processes: int) -> None:
        """Start the processes, and return when every one is ready. Raises `UsageError` when a parser or the
        transport can't be loaded, or no process starts."""
        exit_if_spawning()
        super().__init__("process", max_workers, interval=CHECK, abort_timeout=ABORT_TIMEOUT)
        self._rate_file: IO[bytes] | None = None
        """The file through which the processes share one `--limit-rate`. Closing it deletes it."""
        if options.limit_rate is not None:
            self._rate_file = file = NamedTemporaryFile(prefix="fetchpool-rate-")  # noqa: SIM115 - see _close()
            file.write(bytes(8))
            file.flush()
            options = replace(options, rate_file=file.name)
        self._work = WorkQueue()
        self._commands: deque[Callable[[], None]] = deque()
        """Commands from other threads for the thread that runs the loop."""
        self._next_check = 0.0
        try:
            Worker(options).close()  # raises now the error that every process would raise
            self._supervisor = Supervisor(shares(max_workers, processes), options, self._wakeup)
        except BaseException:
            self._wakeup.close()
            raise
        self._dispatcher = WorkDispatcher(self._work, self._supervisor, options)
        self._forget = at_exit(self._end_with_main_thread, early=True)
        try:
            self._supervisor.open()
        except BaseException:
            self._state = State.CLOSED
            self._close()
            raise

    @property
    def max_pending(self) -> int:
        return self.max_workers + sum([worker.rate.ahead for worker in self._supervisor.workers])

    @property
    def queued(self) -> int:
        surplus = sum([worker.surplus for worker in list(self._supervisor.workers)])
        return len(self._work.waiting) + surplus

    @property
    def stuck(self) -> int:
        return 0  # their processes have been ended

    def cancel_pending(self, host: str | None = None) -> None:
        self._work.cancel(host)
        self._commands.append(partial(self._dispatcher.cancel, host))
        self._wakeup.notify()

    def space_hops(self, spaced: bool) -> None:
        self._commands.append(partial(self._supervisor.space_hops, spaced))
        self._wakeup.notify()

    def resize(self, workers: int) -> None:
        self._commands.append(partial(self._supervisor.resize, workers))
        super().resize(workers)

    def _end_with_main_thread(self) -> None:
        """End the pool before the interpreter waits for all processes."""
        self._crash = MAIN_ENDED
        self.shutdown(abort=True)

    def _enqueue(self, request: FetchRequest, future: LightFuture, alone: bool) -> None:
        self._work.add(request, future, alone=alone)

    def _abort(self) -> None:
        self.cancel_pending()
        for worker in list(self._supervisor.workers):
            worker.kill()

    # Everything below runs in the thread that runs the loop.

    def _has_work(self) -> bool:
        return bool(self._work.open)

    def _run_once(self, timeout: float) -> None:
        wakeup, work, dispatcher = self._wakeup, self._work, self._dispatcher
        wakeup.waiting = True  # from here on producers write to the socket; earlier items are seen now
        while self._commands:
            self._commands.popleft()()
        if work.waiting or work.alone:
            dispatcher.send()
        now = monotonic()
        if wakeup.pending or dispatcher.completed:
            timeout = 0.0
        elif work.open:
            timeout = min(timeout, max(0.0, self._next_check - now), dispatcher.recall(now))
        outcomes = self._supervisor.poll(timeout)
        wakeup.waiting = wakeup.pending = False
        now = monotonic()
        for worker, (_, message) in outcomes:
            dispatcher.receive(worker, message, now)
        if now >= self._next_check:
            self._next_check = now + CHECK
            dispatcher.check(now)
        if self._supervisor.ended:
            dispatcher.recover()
        dispatcher.set_results()

    def _close(self) -> None:
        """End the processes, complete all remaining futures, and close all descriptors."""
        self._supervisor.close()
        self._dispatcher.set_results()
        if not self._crash:
            self._work.cancel(None)
        self._work.lose(list(self._work.open.values()))
        self._wakeup.close()
        if self._rate_file is not None:
            self._rate_file.close()
        self._forget()
