"""The worker processes of a pool: the standard library's executor over them, and a side channel that all of
them speak into.

In: batches. Out: their futures, and what the processes say through the channel. With the first process that
dies all are lost, and with them the executor and the channel, which it may have left locked: a crew is not
repaired, the pool has another one. Every ending has a limit: who has not ended by then is killed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.pools.process import worker
from fetchpool.pools.process.parse_board import ParseBoard
from fetchpool.pools.process.worker import Batch, Results, Told

LONGEST_LOOK = 1.0
"""Seconds between two looks at what takes the parsers so long, at most."""
GRACE = 1.0
"""Seconds for idle processes to end by themselves. One whose parser has started a thread never would."""


class WorkerProcesses:
    """`starting`, `running` and `ended` are the pool's to keep, under its own lock."""

    def __init__(
        self,
        workers: int,
        options: FetchOptions,
        context: BaseContext,
        lifeline: Connection,
        overdue: Callable[[WorkerProcesses, set[int]], None],
    ) -> None:
        """Starts the processes, and waits for none; they end with the `lifeline`. `overdue` is told, from
        another thread, of requests whose parsers have been given up: the processes are killed then.

        Raises `OSError` and the like when the system has nothing left of what it takes."""
        self.starting = workers
        """Processes that are not ready yet. Until they are, no request is sent: what waits for a process to
        start goes out at once with others that do, whatever pace was asked for."""
        self.told = 0
        """Words of processes that have started, or are ready."""
        self.pardoned = False
        """They were killed over a parser: what else they held runs again."""
        self.running = 0
        """Batches."""
        self.ended = False
        self.processes: list[BaseProcess] = []
        self._overdue = overdue
        self._limit = options.parse_timeout if options.has_user_parsers else None
        self._board = ParseBoard(workers, context)
        self._reader, writer = context.Pipe(duplex=False)
        try:
            lock = context.Lock()
            self._executor = ProcessPoolExecutor(
                workers,
                mp_context=context,
                initializer=worker.start,
                initargs=(options, lifeline, writer, lock, self._board),
            )
            try:
                # The executor starts a process for what it is given, unless one is idle: none is, for none
                # gets past its first word. One may die that early: the channel ends then, and says so.
                with lock, suppress(BrokenProcessPool):
                    for _ in range(workers):
                        self._executor.submit(worker.ready)
                self.processes = processes_of(self._executor)
                close_results(self._executor)
                self._sentinel_thread = threading.Thread(
                    target=self._kill_on_death, name="fetchpool-sentinels", daemon=True
                )
                self._sentinel_thread.start()
            except BaseException:
                for process in processes_of(self._executor):  # a crew that is not whole has nobody to end it
                    process.kill()
                raise
        except BaseException:
            self._reader.close()
            raise
        finally:
            writer.close()  # only the processes hold it now: the channel ends with the last of them

    def submit(self, batch: Batch) -> Future[Results]:
        """Raises `BrokenProcessPool` when a process has died."""
        return self._executor.submit(worker.run, batch)

    def words(self) -> Iterator[Told]:
        """What the processes say, as they do, until none is left. One thread is to hear it."""
        with self._reader, suppress(EOFError, OSError):  # the latter in the midst of a word
            while True:
                told: Told = self._reader.recv()
                yield told

    def kill(self) -> None:
        """Ends the processes, whatever they are doing. From any thread."""
        for process in list(self.processes):
            process.kill()

    def end(self) -> None:
        """Broken or not; what no process has begun is cancelled, and what one has is lost if it is slow."""
        late = threading.Timer(GRACE, self.kill)
        late.daemon = True
        try:
            late.start()
        except RuntimeError:  # there is no thread to be had, and nothing that would be lost
            self.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)
        late.cancel()
        if late.ident is not None:
            late.join()
        self._sentinel_thread.join()
        self.processes.clear()  # and with them their descriptors

    def _kill_on_death(self) -> None:
        """For a thread of its own: when one process has died, all are killed. The executor would do so, but
        not while it reads a result: one that ends in the midst of writing its own leaves half a message and
        the writers' lock locked, and as long as any other lives there is no end to read. All: when the fork
        server has died each seems to be dead and none is. The same when a parser takes too long: its process
        may be past hearing anything."""
        sentinels, limit = [process.sentinel for process in self.processes], self._limit
        look = None if limit is None else min(LONGEST_LOOK, limit / 10)
        while sentinels and not wait(sentinels, look):
            if limit is not None and (numbers := self._board.overdue(limit)):
                self._overdue(self, numbers)
                break
        if not self.ended:
            self.kill()


def processes_of(executor: ProcessPoolExecutor) -> list[BaseProcess]:
    """Those it has started; none where its insides are other than in 3.11 to 3.14."""
    return list((getattr(executor, "_processes", None) or {}).values())


def close_results(executor: ProcessPoolExecutor) -> None:
    """Leaves the writing end of the executor's results to its processes, all of which are started. It keeps
    one for no use, and with it half a message has no end: the executor would read on when all are dead."""
    writer = getattr(getattr(executor, "_result_queue", None), "_writer", None)
    if writer is not None:
        writer.close()
