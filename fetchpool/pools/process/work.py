"""WorkQueue: the requests of a pool of workers, and the state of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from threading import Lock

from fetchpool.model.errors import WorkerLostError
from fetchpool.model.outcome import Outcome
from fetchpool.model.request import FetchRequest
from fetchpool.pools.future import LightFuture

LOST = "the worker process died"


class WorkItem:
    """A request without its outcome."""

    __slots__ = ("alone", "call", "future", "holder", "number", "recalled", "request", "was_undelivered")

    def __init__(self, number: int, request: FetchRequest, future: LightFuture, *, alone: bool) -> None:
        self.number = number
        self.request = request
        self.future = future
        self.alone = alone
        """Whether the request must run alone in its process."""
        self.holder: object = None
        """The process that it was sent to; None while it waits."""
        self.recalled = False
        """Whether it must be cancelled unless it has been started."""
        self.call = 0
        """The number of the call to a station that it was sent with."""
        self.was_undelivered = False
        """Whether a station ended without having confirmed that call."""


class WorkQueue:
    """The requests of a pool, by number; those that no process holds are waiting. Any thread may add and take
    requests."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._count = 0
        self.open: dict[int, WorkItem] = {}
        """The requests without an outcome."""
        self.waiting: deque[WorkItem] = deque()
        self.is_held = False
        """Whether waiting requests are cancelled instead of being sent to a process, until more are added."""
        self.alone: deque[WorkItem] = deque()
        """The waiting requests that run alone."""

    def add(self, request: FetchRequest, future: LightFuture, *, alone: bool) -> None:
        with self._lock:
            self.is_held = False
            self._count += 1
            item = self.open[self._count] = WorkItem(self._count, request, future, alone=alone)
            (self.alone if alone else self.waiting).append(item)

    def take(self, number: int) -> list[WorkItem]:
        """Remove and return the first waiting requests."""
        with self._lock:
            return [self.waiting.popleft() for _ in range(min(number, len(self.waiting)))]

    def take_alone(self) -> list[WorkItem]:
        """Remove and return the first waiting request that runs alone, if there is one."""
        with self._lock:
            return [self.alone.popleft()] if self.alone else []

    def put_back(self, items: Iterable[WorkItem]) -> None:
        """Put requests back into the queue, before the others."""
        with self._lock:
            for item in reversed(list(items)):
                item.holder = None
                if item.number in self.open:
                    (self.alone if item.alone else self.waiting).appendleft(item)

    def drop(self, item: WorkItem) -> None:
        """Remove a request that another process has completed."""
        with self._lock:
            waiting = self.alone if item.alone else self.waiting
            if item in waiting:
                waiting.remove(item)

    def cancel(self, host: str | None) -> None:
        """Cancel the waiting requests for a host, or for all hosts, the last one first, so that a caller that
        puts each before the others restores their order. After cancelling all, none is sent until more are
        added."""
        cancelled: list[WorkItem] = []
        with self._lock:
            self.is_held = self.is_held or host is None
            for waiting in (self.waiting, self.alone):
                for _ in range(len(waiting)):
                    item = waiting.popleft()
                    if host is None or item.request.host == host:
                        del self.open[item.number]
                        cancelled.append(item)
                    else:
                        waiting.append(item)
        cancel(item.future for item in reversed(cancelled))

    def lose(self, items: Iterable[WorkItem], worker: str = "") -> None:
        """Fail requests whose worker has died. `worker`: the worker's name."""
        lost = [item for item in items if self.open.pop(item.number, None) is not None]
        for item in lost:
            if item.future.set_running_or_notify_cancel():  # otherwise its owner has cancelled it
                item.future.set_exception(WorkerLostError(LOST, worker))

    def lose_waiting(self) -> None:
        """Fail all requests that wait for a worker."""
        with self._lock:
            items = [*self.waiting, *self.alone]
            self.waiting.clear()
            self.alone.clear()
        self.lose(items)


def cancel(futures: Iterable[LightFuture]) -> None:
    """Cancel futures. Must not be called with a lock held, since their callbacks run."""
    for future in futures:
        future.cancel()
        future.set_running_or_notify_cancel()


def complete(ended: Iterable[tuple[LightFuture, Outcome]]) -> None:
    """Complete futures. Must not be called with a lock held."""
    for future, outcome in ended:
        if future.set_running_or_notify_cancel():  # otherwise its owner has cancelled it
            future.complete(outcome)
