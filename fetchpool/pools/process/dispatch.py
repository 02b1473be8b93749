"""Distributes requests among the processes: sends them, receives outcomes, and re-runs the requests of a
process that has ended. In: the waiting requests, the processes and their messages. Out: completed futures.
Only the pool's thread uses it.
"""

from __future__ import annotations

from collections.abc import Iterable
from time import monotonic

from fetchpool.config.fetch_options import FetchOptions, parse_timeout_message
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, internal, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.pools import wire
from fetchpool.pools.future import LightFuture
from fetchpool.pools.process.frames import Kind
from fetchpool.pools.process.hang_ups import HangUps
from fetchpool.pools.process.shares import portions
from fetchpool.pools.process.supervisor import Supervisor
from fetchpool.pools.process.work import WorkItem, WorkQueue, cancel, complete
from fetchpool.pools.process.worker_process import WorkerProcess

UNCHECKED = 0.5
"""Seconds until `recall()` must be called again if there is nothing to recall."""
RECALL_AFTER = 0.05
"""Seconds without an outcome after which a process returns the requests that it has not started, while
another one has free places."""
RETIRE_WITHIN = 5.0
"""Seconds for the other fetches of a process in which a parser did not return; its remaining requests are
then run again."""


class WorkDispatcher:
    """Distributes the requests of a `WorkQueue` among the processes of a `Supervisor`."""

    def __init__(self, work: WorkQueue, supervisor: Supervisor, options: FetchOptions) -> None:
        self._work = work
        self._supervisor = supervisor
        self._options = options
        self._hang_ups = HangUps()
        self.completed: list[tuple[LightFuture, Outcome]] = []
        """Futures to complete, with their outcomes."""

    def set_results(self) -> None:
        """Complete the futures of all requests that have ended."""
        completed, self.completed = self.completed, []
        complete(completed)

    def cancel(self, host: str | None) -> None:
        """Have the processes return the requests for a host that they have not started, to cancel them.
        Without a host: the requests for all hosts."""
        for worker in self._supervisor.workers:
            if worker.surplus:
                for item in worker.held.values():
                    item.recalled = item.recalled or host is None or item.request.host == host
                worker.send(Kind.CANCEL, (host or "").encode("utf-8", "surrogatepass"))

    def recall(self, now: float) -> float:
        """Make processes return requests that they have not started and that others could start. Return the
        seconds until the next check."""
        workers = self._supervisor.workers
        if self._work.waiting or not any(worker.capacity(ahead=False) for worker in workers):
            return UNCHECKED
        least = UNCHECKED
        for worker in workers:
            if worker.surplus and not worker.is_blocked:
                since = max(worker.last_outcome, worker.recalled_at)
                if now - since < RECALL_AFTER:
                    least = min(least, since + RECALL_AFTER - now)
                else:
                    worker.recalled_at = now
                    worker.rate.clear()
                    worker.send(Kind.CANCEL)
        return least

    def send(self) -> None:
        """Send waiting requests to the processes: first to free places, then ahead."""
        if self._work.is_held:
            self._work.cancel(None)
            return
        workers, waiting = self._supervisor.workers, self._work.waiting
        if not workers and not self._supervisor.replace(monotonic()):
            self._work.lose_waiting()
            return
        if self._work.alone:
            self._isolate()
        for ahead in (False, True):
            if not (number := len(waiting)):
                return
            capacities = [worker.capacity(ahead=ahead) for worker in workers]
            for worker, part in zip(workers, portions(number, capacities), strict=True):
                if part:
                    self._send_to(worker, self._work.take(part))
        if waiting:
            self._supervisor.replace(monotonic())

    def _send_to(self, worker: WorkerProcess, items: list[WorkItem]) -> None:
        for item in items:
            item.holder = worker
            worker.held[item.number] = item
            if item.request.close:
                self._hang_up(item.request, worker)
        try:
            message = wire.encode_requests([(item.number, item.request) for item in items])
        except Exception:  # noqa: BLE001 - it costs one row, not the run
            self._send_each(worker, items)
        else:
            worker.send(Kind.REQUESTS, message)

    def _hang_up(self, request: FetchRequest, worker: WorkerProcess) -> None:
        """Have the other processes close their idle connections to a host that accepts few."""
        message = self._hang_ups.message(request, monotonic())
        for other in self._supervisor.workers:
            if message and other is not worker:
                other.send(Kind.HANG_UP, message)

    def _send_each(self, worker: WorkerProcess, items: list[WorkItem]) -> None:
        """Send requests one by one, because one of them can't be sent."""
        for item in items:
            try:
                worker.send(Kind.REQUESTS, wire.encode_requests([(item.number, item.request)]))
            except Exception as error:  # noqa: BLE001 - as above
                del worker.held[item.number], self._work.open[item.number]
                self.completed.append((item.future, internal(item.request, error)))

    def _isolate(self) -> None:
        """Send one request to a process that holds no others, after letting that process finish its
        requests."""
        workers = self._supervisor.workers
        chosen = next((worker for worker in workers if worker.is_isolating), None)
        if chosen is None and (ready := [each for each in workers if each.is_usable and each.places]):
            chosen = min(ready, key=lambda worker: len(worker.held))
        if chosen is not None:
            chosen.is_isolating = True
            if not chosen.held:
                self._send_to(chosen, self._work.take_alone())

    def receive(self, worker: WorkerProcess, message: bytes, now: float) -> None:
        """Handle a message of a process."""
        fields, returned, stuck = wire.decode_outcomes(message)
        opened = self._work.open
        for each in fields:
            worker.held.pop(each[0], None)
            if (item := opened.pop(each[0], None)) is not None:
                if item.holder is None:  # it waits for another process
                    self._work.drop(item)
                self.completed.append((item.future, wire.outcome_of(each, item.request.urlnum)))
        if returned:
            held = [worker.held.pop(number, None) for number in returned]
            self._put_back(item for item in held if item is not None and item.holder is worker)
        worker.last_outcome = now
        worker.rate.add(len(fields), now)
        if stuck and not worker.retires_at:
            worker.retires_at = now + RETIRE_WITHIN
            worker.send(Kind.CANCEL)
        if not worker.held:
            worker.is_isolating = False
            if worker.retires_at:
                self._supervisor.end(worker)

    def _put_back(self, unstarted: Iterable[WorkItem]) -> None:
        """Put requests that a process has not started back into the queue, or cancel them."""
        items = list(unstarted)
        recalled = [item for item in items if item.recalled]
        for item in recalled:
            self._work.open.pop(item.number, None)
        self._work.put_back(item for item in items if not item.recalled)
        cancel(item.future for item in reversed(recalled))

    def recover(self) -> None:
        """Re-run the requests of processes that have ended, or fail them."""
        ended, self._supervisor.ended = self._supervisor.ended, []
        for worker in ended:
            held = [item for item in worker.held.values() if item.holder is worker]
            # A process starts them in order, so the others have probably not been started. If they have, they
            # are among the first next time.
            started = 0 if worker.killed_for_parser else worker.places
            self._put_back(held[started:])
            self._work.lose(held[:started], worker.name)
            if not worker.is_ready and not self._supervisor.workers:
                self._work.lose_waiting()  # another one might not start either

    def check(self, now: float) -> None:
        """Check for processes that are blocked, that must be ended, or that must be replaced. Must be called
        twice a second."""
        for worker in list(self._supervisor.workers):
            worker.check()
            if worker.retires_at and now >= worker.retires_at:
                worker.killed_for_parser = True
                self._supervisor.end(worker)
            elif worker.is_silent and self._options.has_slow_parsers:
                self._check_parsers(worker, now)
        if self._work.open:
            self._supervisor.replace(now)

    def _check_parsers(self, worker: WorkerProcess, now: float) -> None:
        """End a process whose parser holds the interpreter lock and has exceeded its limit; before that, run
        its other requests elsewhere."""
        limit = self._options.parse_timeout
        running = worker.board.running()
        late = [number for number, since in running if limit is not None and now - since >= limit]
        for number in late:
            if (item := self._work.open.pop(number, None)) is not None:
                outcome = refusal(item.request, FailureKind.PARSE, parse_timeout_message(self._options))
                self.completed.append((item.future, outcome))
        if late:
            worker.killed_for_parser = True
            self._supervisor.end(worker)
        elif running and worker.is_blocked:
            parsed = {number for number, _ in running}
            others = [item for number, item in worker.held.items() if number not in parsed]
            self._work.put_back(item for item in others if item.holder is worker)
