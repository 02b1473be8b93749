"""The worker processes of a pool: the standard library's executor over them, and a side channel that all of
them speak into.

In: batches. Out: their futures, and what the processes say through the channel. With the first process that
dies all are lost, and with them the executor and the channel, which it may have left locked: a crew is not
mended, the pool has another one.
"""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib.machinery import PathFinder
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import fetchpool
from fetchpool.model import FetchOptions
from fetchpool.pools import process_worker
from fetchpool.pools.process_worker import Batch, Results, Told

NO_GUARD = (
    "--executor process: no process came up; each imports the main module anew, which has to be a file, and "
    'what the file runs has to be under: if __name__ == "__main__":'
)


class Crew:
    """`starting`, `running` and `ended` are the pool's to keep, under its own lock."""

    def __init__(
        self, workers: int, options: FetchOptions, context: BaseContext, lifeline: Connection
    ) -> None:
        """Starts the processes, and waits for none; they end with the `lifeline`."""
        self.starting = workers
        """Processes that are not ready yet. Until they are, no request is sent: what waits for a process to
        start goes out at once with others that do, whatever pace was asked for."""
        self.began = False
        """Whether any process has got as far as its first word."""
        self.running = 0
        """Batches."""
        self.ended = False
        self._reader, writer = context.Pipe(duplex=False)
        lock = context.Lock()
        self._executor = ProcessPoolExecutor(
            workers,
            mp_context=context,
            initializer=process_worker.start,
            initargs=(options, lifeline, writer, lock),
        )
        self._processes: list[BaseProcess] = []
        try:
            # The executor starts a process for what it is given, unless one is idle: none is, for none gets
            # past its first word. One may die that early: the channel ends then, and says so.
            with lock, suppress(BrokenProcessPool):
                for _ in range(workers):
                    self._executor.submit(process_worker.ready)
            self._processes = processes_of(self._executor)
            close_results(self._executor)
            self._undertaker = threading.Thread(target=self._bury, name="fetchpool-undertaker", daemon=True)
            self._undertaker.start()
        except BaseException:
            for process in processes_of(self._executor):  # a crew that is not whole has nobody to end it
                process.kill()
            raise
        finally:
            writer.close()  # only the processes hold it now: the channel ends with the last of them

    def submit(self, batch: Batch) -> Future[Results]:
        """Raises `BrokenProcessPool` when a process has died."""
        return self._executor.submit(process_worker.run, batch)

    def words(self) -> Iterator[Told]:
        """What the processes say, as they do, until none is left. One thread is to hear it."""
        with self._reader, suppress(EOFError, OSError):  # the latter in the midst of a word
            while True:
                told: Told = self._reader.recv()
                yield told

    def end(self) -> None:
        """Broken or not; what no process has begun is cancelled, and what one has is waited for."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        self._undertaker.join()
        self._processes.clear()  # and with them their descriptors

    def _bury(self) -> None:
        """For a thread of its own: when one process has died, all are killed. The executor would do so, but
        not while it reads a result: one that ends in the midst of writing its own leaves half a message and
        the writers' lock locked, and as long as any other lives there is no end to read. All: when the fork
        server has died each seems to be dead and none is."""
        if self._processes:
            wait([process.sentinel for process in self._processes])
        for process in self._processes:
            if not self.ended:
                process.kill()


def processes_of(executor: ProcessPoolExecutor) -> list[BaseProcess]:
    """Those it has started; none where its insides are other than in 3.11 to 3.14."""
    return list((getattr(executor, "_processes", None) or {}).values())


def close_results(executor: ProcessPoolExecutor) -> None:
    """Leaves the writing end of the executor's results to its processes, all of which are started. It keeps
    one for no use, and with it half a message has no end: the executor would read on when all are dead."""
    writer = getattr(getattr(executor, "_result_queue", None), "_writer", None)
    if writer is not None:
        writer.close()


def process_context(options: FetchOptions) -> BaseContext:
    """How processes are started: never as a fork of ours, which may have threads."""
    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if not another_is_here():
        worker, transport = process_worker.__name__, f"fetchpool.transports.{options.transport}"
        context.set_forkserver_preload(["fetchpool.preload", worker, transport])
    return context


def end_if_main_is_imported() -> None:
    """For a process that is importing the main module because somebody has started it: it is to have no
    processes of its own. Ends it without a traceback: its parent tells the person, once."""
    # What `multiprocessing.spawn` itself goes by when it refuses, at length.
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise SystemExit(f"fetchpool: {NO_GUARD}")


def another_is_here() -> bool:
    """Whether the working directory holds another fetchpool, which the fork server would find first."""
    found = PathFinder.find_spec("fetchpool", [str(Path.cwd())])
    return found is not None and found.origin != fetchpool.__file__
