"""The process pool: the standard library's executor over fresh processes (never a fork of a
threaded parent), one worker in each.

A request to another process and its outcome back cost more than a short fetch, so they go in batches,
as large as the fetches are short. What waits for a place in a batch is handed on as soon as a worker
has nothing to do.

    submit() ──▶ _waiting ──▶ batch ──▶ executor ──▶ process_worker.run()
    Future ◀── settle() ◀── the batch's own future, or the side channel when a fetch takes long

One thread does all of it. The executor's callbacks, which run with its lock held (3.13), and the side
channel's reader only put into `_inbox` what is to be done; the executor is called from that thread alone,
and never with the pool's lock held.

The workers end with the lifeline (`lifeline.py`), so with us, however we end. To abort is to kill them.
"""

from __future__ import annotations

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from itertools import count
from queue import SimpleQueue
from time import monotonic

from fetchpool.config.fetch_options import FetchOptions, parse_timeout_message
from fetchpool.model.errors import PoolClosedError, UsageError, WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture
from fetchpool.pools.process.executor import WorkerProcesses
from fetchpool.pools.process.fork_server import (
    FEWER,
    MAIN_GUARD_HELP,
    SHORTAGE,
    check_descriptors,
    exit_if_spawning,
    process_context,
    server_pid,
    wait_for_server_exit,
    words_for_shortage,
)
from fetchpool.pools.process.lifeline import Lifeline
from fetchpool.pools.process.stopped import StoppedWorkerKiller
from fetchpool.pools.process.worker import Results
from fetchpool.pools.worker import Worker
from fetchpool.runtime import threads
from fetchpool.runtime.exit_hooks import at_exit

BATCH_SECONDS = 0.01
"""What a batch should take: so much longer than its way there and back that the way does not count,
so short that nobody notices the wait."""
MAX_BATCH = 32
SHORTEST = 1e-5
"""Seconds: what a fetch is taken for at least."""
QUEUED = 2
"""Batches per worker that the executor holds: one that runs and one that is next."""
STARTING = 30.0
"""Seconds in which, as long as the pool opens, some process has to get a step further."""
ABORTED = 10.0
"""Seconds that an abort waits for its end, all processes being killed."""
DIED = f"--executor process: the processes died while they started; {FEWER}"
LAST_WORDS = 1.0
"""Seconds for what dead workers have said to be read. It ends with them, unless somebody else has forked
and holds the pipe open."""

THREADS = 8
"""What we and the executor start in this process: where one of the executor's can't be, it says so with a
traceback, and goes on without."""


@dataclass(slots=True, eq=False)
class SentBatch:
    """A batch that was handed to the executor."""

    crew: WorkerProcesses
    numbers: list[int]


@dataclass(slots=True, eq=False)
class WorkItem:
    """A request without its outcome. `batch` is the batch that it is in; None: it waits."""

    request: FetchRequest
    future: LightFuture
    batch: SentBatch | None = None

    def held_by(self, crew: WorkerProcesses) -> bool:
        return self.batch is not None and self.batch.crew is crew


class ProcessPool:
    """`workers` processes. When one dies the executor is lost with it: what was in flight fails with
    `WorkerLostError`, and what waits or comes later has another one started."""

    def __init__(self, max_workers: int, options: FetchOptions) -> None:
        """Returns when every process is ready. Raises `UsageError` when a parser or the transport can't be
        loaded, or no process comes up."""
        exit_if_spawning()
        self.max_workers = max_workers
        self._options = options
        self._closed = self._aborted = self._recalled = self._woken = False
        self._defect = ""
        """Why the thread ended by itself."""
        self._lock = threading.Lock()
        self._numbers = count()
        self._waiting: deque[int] = deque()
        self._open: dict[int, WorkItem] = {}
        self._seconds = BATCH_SECONDS
        """What a fetch takes: a moving average."""
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        """What the pool's thread is to do."""
        self._ready = threading.Event()
        threads.rehearse(THREADS)
        Worker(options).close()  # shows here, in words, what would break every child
        self._refusal = ""
        """Why there is no crew."""
        self._crew: WorkerProcesses | None = None
        self._lookout = StoppedWorkerKiller()
        self._forget: Callable[[], None] = do_nothing
        self._thread = threading.Thread(target=self._run, name="fetchpool-batches", daemon=True)
        try:
            self._context = process_context(options)
            with words_for_shortage():
                self._lifeline = Lifeline(self._context)
                self._thread.start()
            self._forget = at_exit(self._cut_short, early=True)
            self._await_crew()  # in another thread it is not torn by a Ctrl-C
        except BaseException:
            if self._thread.ident is not None:
                self.shutdown(abort=True)
            self._lookout.close()
            raise
        if self._refusal:
            self._thread.join()
            raise UsageError(self._refusal)

    def submit(self, request: FetchRequest) -> LightFuture:
        future = LightFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError(self._defect or "the pool was shut down; open another one")
            number = next(self._numbers)
            self._open[number] = WorkItem(request, future)
            self._waiting.append(number)
            if not self._woken and (self._crew is None or self._has_room(self._crew)):
                self._woken = True
                self._inbox.put(self._wake)
        return future

    @property
    def max_pending(self) -> int:
        size = self._batch_size()
        return self.max_workers if size == 1 else self.max_workers * QUEUED * size

    @property
    def queued(self) -> int:
        return len(self._waiting)

    @property
    def stuck(self) -> int:
        return 0  # their processes are killed

    def cancel_pending(self, host: str | None = None) -> None:
        with self._lock:
            self._recalled = self._recalled or host is None
        cancel(reversed(self._take_back(host)))  # whoever puts each before the others has them in order

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
            self._aborted = self._aborted or abort
        if abort:
            self.cancel_pending()
            if (
                crew := self._crew
            ) is not None:  # else it is being started: the library doesn't bear deaths then
                crew.kill()
        self._inbox.put(self._wake)
        if threading.current_thread() is not self._thread:  # else it is a callback, which others wait for
            self._thread.join(ABORTED if self._aborted else None)

    def _await_crew(self) -> None:
        """Until every process is ready, or it is clear that none will be. Raises `UsageError`."""
        seen, since = -1, monotonic()
        while not self._ready.wait(0.2):
            crew = self._crew
            if (told := -1 if crew is None else crew.told) != seen:
                seen, since = told, monotonic()
            elif monotonic() - since >= STARTING:
                raise UsageError(f"--executor process: for {STARTING:g} s no process has started; {FEWER}")

    def release(self) -> None:
        self._closed = True
        self._inbox.put(self._wake)

    def _cut_short(self) -> None:
        """The main thread has ended: the executor takes nothing more, and would wait for what it has."""
        self._defect = "the main thread has ended, and the processes with it: have it join those that fetch"
        self.shutdown(abort=True)

    def _has_room(self, crew: WorkerProcesses) -> bool:
        return crew.running < self.max_workers * QUEUED

    def _batch_size(self) -> int:
        return min(MAX_BATCH, max(1, int(BATCH_SECONDS / self._seconds)))

    def _take_back(self, host: str | None = None) -> list[LightFuture]:
        """What no worker has been given, for that host or for any: it waits no more."""
        with self._lock:
            waiting, self._waiting = self._waiting, deque()
            taken = []
            for number in waiting:
                if host is None or self._open[number].request.host == host:
                    taken.append(self._open.pop(number).future)
                else:
                    self._waiting.append(number)
        return taken

    # All that follows is the pool's own thread, the first start excepted.

    def _run(self) -> None:
        try:
            self._start_first()
            # What waits is dispatched by the batches that end before it.
            while not (self._closed and (self._aborted or not self._open)):
                self._inbox.get()()
                self._go_on()
            if self._crew is not None:
                if self._aborted:
                    self._crew.kill()
                self._close_executor(self._crew)
            while not self._inbox.empty():
                self._inbox.get()()
        except BaseException as defect:
            self._defect = f"the process pool ended: {type(defect).__name__}; please report this"
            raise
        finally:
            self._end()

    def _end(self) -> None:
        """Nothing stays open: not a pipe and, whatever has happened, not a future."""
        with self._lock:
            self._closed = True
        self._lifeline.close()
        self._lookout.close()
        self._forget()
        self._lose(lambda _: True)
        self._ready.set()

    def _start_first(self) -> None:
        try:
            with words_for_shortage():
                self._crew = self._start()
        except UsageError as refusal:
            self._refusal = str(refusal)
            self._closed = True

    def _start(self) -> WorkerProcesses:
        try:
            crew = self._start_processes()
        except ConnectionRefusedError:  # the fork server is exiting: it had no descriptor left, or the like
            wait_for_server_exit()
            crew = self._start_processes()
        for process in crew.processes:
            self._lookout.add(process.pid, signal.SIGKILL)
        listener = threading.Thread(target=self._listen, args=(crew,), name="fetchpool-channel", daemon=True)
        self._listener = listener
        listener.start()
        return crew

    def _start_processes(self) -> WorkerProcesses:
        check_descriptors(self.max_workers)
        self._lookout.add(server_pid(), signal.SIGCONT)
        return WorkerProcesses(
            self.max_workers, self._options, self._context, self._lifeline.reader, self._overdue
        )

    def _overdue(self, crew: WorkerProcesses, numbers: set[int]) -> None:
        """A crew's, in a thread of its own."""
        self._inbox.put(partial(self._give_up, crew, numbers))

    def _give_up(self, crew: WorkerProcesses, numbers: set[int]) -> None:
        """Parsers have taken too long, and all processes are killed for it."""
        crew.pardoned = True
        landed: list[tuple[LightFuture, Outcome | None]] = []
        with self._lock:
            for number in numbers & self._open.keys():
                each = self._open.pop(number)
                message = parse_timeout_message(self._options)
                landed.append((each.future, refusal(each.request, FailureKind.PARSE, message)))
        settle(landed)

    def _listen(self, crew: WorkerProcesses) -> None:
        """For a thread of its own: what comes through a crew's side channel."""
        try:
            for told in crew.words():
                if isinstance(told, list):
                    self._inbox.put(partial(self._take, told))
                else:
                    crew.told += 1
                    if told.ready:
                        self._inbox.put(partial(self._one_is_ready, crew))
            self._inbox.put(partial(self._close_executor, crew))
        except BaseException as defect:
            self._inbox.put(partial(reraise, defect))
            raise

    def _one_is_ready(self, crew: WorkerProcesses) -> None:
        crew.starting -= 1
        if not crew.starting:
            self._ready.set()

    def _wake(self) -> None:
        with self._lock:
            self._woken = False

    def _go_on(self) -> None:
        """What waits is dispatched, or taken back."""
        if self._recalled:
            cancel(self._take_back())
            return
        if self._crew is None and self._waiting:
            try:
                self._crew = self._start()
            except SHORTAGE:  # no descriptor or no process is to be had; the fork server died
                self._lose(lambda each: each.batch is None)
                return
        crew = self._crew
        if crew is None or crew.starting:
            return
        while not crew.ended and (sent := self._next(crew)) is not None:
            batch = [(number, self._open[number].request) for number in sent.numbers]
            try:
                done = crew.submit(batch)
            except BrokenProcessPool:
                self._close_executor(crew)
            else:
                done.add_done_callback(partial(self._batch_done, sent))

    def _next(self, crew: WorkerProcesses) -> SentBatch | None:
        """A batch of what waits, when the executor has a place for one."""
        with self._lock:
            if not self._waiting or not self._has_room(crew):
                return None
            fair = -(-len(self._waiting) // self.max_workers)
            size = min(fair, self._batch_size())
            sent = SentBatch(crew, [self._waiting.popleft() for _ in range(size)])
            for number in sent.numbers:
                self._open[number].batch = sent
            crew.running += 1
            return sent

    def _batch_done(self, sent: SentBatch, done: Future[Results]) -> None:
        """The executor's callback, in its thread and with its lock held."""
        self._inbox.put(partial(self._landed, sent, done))

    def _landed(self, sent: SentBatch, done: Future[Results]) -> None:
        """A batch has come to its end."""
        with self._lock:
            sent.crew.running -= 1
        defect = None if done.cancelled() else done.exception()
        if done.cancelled() or isinstance(defect, BrokenProcessPool):
            self._close_executor(sent.crew)
        elif defect is not None:
            self._lose(lambda each: each.batch is sent)
        else:
            self._take(done.result())

    def _take(self, results: Results) -> None:
        """Finishes the futures that results belong to; what was given back waits again."""
        landed: list[tuple[LightFuture, Outcome]] = []
        with self._lock:
            for number, outcome in results:
                each = self._open.get(number)
                if each is None:
                    continue
                if outcome is None:
                    each.batch = None
                    self._waiting.appendleft(number)
                    continue
                self._seconds += (max(outcome.record.time_total or 0.0, SHORTEST) - self._seconds) / 16
                landed.append((self._open.pop(number).future, outcome))
        settle(landed)

    def _close_executor(self, crew: WorkerProcesses) -> None:
        """Ends an executor, broken or not. What it has said is heard first, then what it held is lost."""
        if crew.ended:
            return
        crew.ended = True
        crew.end()
        self._listener.join(LAST_WORDS)
        self._inbox.put(partial(self._on_closed, crew))

    def _on_closed(self, crew: WorkerProcesses) -> None:
        """Nothing more comes from it; a new one is started as soon as something waits."""
        self._crew = None
        if crew.pardoned:
            self._take([(number, None) for number, each in self._open.items() if each.held_by(crew)])
        self._lose(lambda each: each.held_by(crew))
        if not crew.starting:
            return
        if not self._ready.is_set():  # the first: another would fare no better
            self._refusal = DIED if crew.told else MAIN_GUARD_HELP
            self._closed = True
            self._ready.set()
        # Another one might never start either: those that it was started for have lost their worker.
        self._lose(lambda each: each.batch is None)

    def _lose(self, which: Callable[[WorkItem], bool]) -> None:
        """Fails requests whose worker is dead."""
        with self._lock:
            numbers = [number for number, each in self._open.items() if which(each)]
            lost = [self._open.pop(number).future for number in numbers]
            self._waiting = deque(number for number in self._waiting if number in self._open)
        settle((future, None) for future in lost)


def cancel(futures: Iterable[LightFuture]) -> None:
    """Cancels futures, outside of the lock: their callbacks are not ours."""
    for future in futures:
        future.cancel()
        future.set_running_or_notify_cancel()


def settle(landed: Iterable[tuple[LightFuture, Outcome | None]]) -> None:
    """Finishes futures, outside of the lock: their callbacks are not ours."""
    for future, outcome in landed:
        if not future.set_running_or_notify_cancel():
            continue  # whoever submitted it has cancelled it
        if outcome is None:
            future.set_exception(WorkerLostError("the worker process died"))
        else:
            future.complete(outcome)


def reraise(defect: BaseException) -> None:
    """For the pool's thread: what has happened in another."""
    raise defect


def do_nothing() -> None:
    """There is nothing to forget yet."""
