"""The async pool: one thread that drives libcurl's multi interface.

In: requests, from any thread. Out: futures, finished in the thread that drives. Connections are kept
and shared by all of its fetches; HTTP/2 streams share one. Nothing polls: the thread sleeps until a
socket, a timer of libcurl's or a new request wakes it (`drivers.py`).

    submit() ──▶ _arrived ──▶ Flight (a handle, an exchange's steps) ──▶ multi ──▶ Future.set_result()

That thread is the pool's own, unless somebody takes over who would only wait for it: two threads that
hand everything to each other take a fifth longer than one (docs/benchmarks.md).
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic

import pycurl

from fetchpool.errors import PoolClosedError, WorkerLostError
from fetchpool.exchange import Exchange, refusal, utc_now
from fetchpool.model import FailureKind, FetchOptions, FetchRequest, Outcome
from fetchpool.pools.doorbell import Doorbell
from fetchpool.pools.drivers import MANY, PerformDriver, SocketDriver, first_driver
from fetchpool.pools.future import OutcomeFuture
from fetchpool.transports.base import Failure, Steps
from fetchpool.transports.curl import ENDED, CurlHandle
from fetchpool.transports.watchdog import silence

TICK = 0.1
"""Seconds between two looks for silent servers."""
STARTS = 32
"""Fetches begun in one turn: the first of a thousand need not wait until the last has its handle."""
NO_SOCKET = -1


class Flight:
    """One fetch on its way: a handle, reused by fetch after fetch, and what it serves now."""

    __slots__ = ("future", "handle", "progress", "read_timeout", "request", "seen", "seen_at", "steps")
    __deletable__ = ("future", "request", "steps")  # mypyc's: what `del` may be said of

    future: Future[Outcome]
    request: FetchRequest
    steps: Steps

    def __init__(self, options: FetchOptions) -> None:
        self.progress = self.seen = 0
        self.seen_at = self.read_timeout = 0.0
        self.handle = CurlHandle(options, self)

    def clear(self) -> None:
        """It is over: what it fetched is not kept until the handle's next one."""
        del self.future, self.request, self.steps


class AsyncPool:
    """At most `workers` fetches at once, all in one thread."""

    def __init__(self, workers: int, options: FetchOptions) -> None:
        """Raises `UsageError` when a parser can't be loaded."""
        self.workers = workers
        self._options = options
        self._exchange = Exchange(options)
        self._closed = self._aborted = False
        self._defect = ""
        """Why the thread ended by itself."""
        self._arrived: deque[tuple[FetchRequest, Future[Outcome]]] = deque()
        self._free: list[Flight] = []
        self._flights: dict[pycurl.Curl, Flight] = {}
        self._landed: list[tuple[Future[Outcome], Outcome]] = []
        self._next_tick = monotonic() + TICK
        self._ended = False
        self._bell = Doorbell()
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 2 * workers)
        self._driver = first_driver(self._multi, self._bell, options)
        self._own_thread: threading.Thread | None = None
        self._driven = False
        """Somebody has taken over."""
        self._lock = threading.Lock()

    def submit(self, request: FetchRequest) -> Future[Outcome]:
        future = OutcomeFuture()
        with self._lock:
            if self._closed:
                raise PoolClosedError(self._defect or "the pool was shut down; open another one")
            self._arrived.append((request, future))
            if self._own_thread is None and not self._driven:
                self._own_thread = threading.Thread(target=self._run, name="fetchpool-async", daemon=True)
                self._own_thread.start()
        if self._bell.asleep:
            self._bell.ring()
        if self._defect:  # the thread ended meanwhile; whichever of us comes second finds it
            self._lose_arrived()
        return future

    @property
    def window(self) -> int:
        return self.workers

    @property
    def spare(self) -> int:
        return 0  # whatever is submitted begins at once

    def recall(self, host: str | None = None) -> None:
        """Nothing to do: what is submitted within the window begins."""

    def take_over(self) -> Callable[[float], None] | None:
        if self._own_thread is not None:
            return None
        self._driven = True
        return self._turn

    def wake(self) -> None:
        self._bell.ring()

    def shutdown(self, *, abort: bool = False) -> None:
        with self._lock:
            self._closed = True
        self._aborted = self._aborted or abort
        if self._own_thread is not None:
            self.wake()
            self._own_thread.join()
        elif not self._ended:
            self._run()

    # All that follows runs in the thread that drives.

    def _run(self) -> None:
        """To the end."""
        try:
            while not (self._closed and (self._aborted or not (self._arrived or self._flights))):
                self._turn(TICK)
        except BaseException as defect:
            # Without it nobody would ever finish the futures: the run would wait for ever.
            self._defect = f"the async pool ended: {type(defect).__name__}; please report this"
            raise
        finally:
            with self._lock:
                self._closed = self._ended = True
            self._bell.asleep = False
            self._end_all()

    def _turn(self, seconds: float) -> None:
        """Starts what has arrived, waits until something happens, so many seconds at most, and finishes
        what has landed."""
        if self._ended:
            return
        for _ in range(min(len(self._arrived), self.workers - len(self._flights), STARTS)):
            self._start(*self._arrived.popleft())
        self._act(0.0 if self._landed else seconds)
        self._read_finished()
        now = monotonic()
        if now >= self._next_tick:
            self._next_tick = now + TICK
            self._end_silent(now)
        self._deliver()

    def _act(self, seconds: float) -> None:
        """Lets libcurl act, until something has ended, a wake-up, the tick, or so many seconds at most."""
        if len(self._flights) > MANY and isinstance(self._driver, PerformDriver):
            with contextlib.suppress(OSError):  # no descriptor for it: as before, until there is one
                before, self._driver = self._driver, SocketDriver(self._multi, self._bell)
                before.close()
        if self._flights:
            seconds = min(seconds, self._next_tick - monotonic())
        bell = self._bell
        bell.asleep = True
        if bell.rung or (self._arrived and len(self._flights) < self.workers):
            seconds = 0.0
        self._driver.act(seconds, len(self._flights))
        bell.asleep = bell.rung = False

    def _start(self, request: FetchRequest, future: Future[Outcome]) -> None:
        if not future.set_running_or_notify_cancel():
            return
        try:
            flight = self._free.pop() if self._free else self._flight()
            flight.steps = self._exchange.steps(request)
        except Exception as defect:  # noqa: BLE001 - as in `_advance`
            self._landed.append((future, internal(request, defect)))
            return
        flight.future, flight.request = future, request
        self._advance(flight, None)

    def _flight(self) -> Flight:
        flight = Flight(self._options)
        flight.handle.curl.setopt(pycurl.SOCKOPTFUNCTION, self._opened)
        return flight

    def _advance(self, flight: Flight, landed: tuple[int, str, Failure | None] | None) -> None:
        """The next hop of a flight, or its end; `landed` is what `conclude()` is told of the last hop."""
        handle = flight.handle
        try:
            hop = next(flight.steps) if landed is None else flight.steps.send(handle.conclude(*landed))
            flight.read_timeout = hop.read_timeout
            flight.seen, flight.seen_at = flight.progress, monotonic()
            handle.prepare(hop)
            self._multi.add_handle(handle.curl)
            self._flights[handle.curl] = flight
        except StopIteration as stop:
            self._landed.append((flight.future, stop.value))
            flight.clear()
            self._free.append(flight)
        except Exception as defect:  # noqa: BLE001 - a defect of ours costs one row, not the run
            self._landed.append((flight.future, internal(flight.request, defect)))
            flight.steps.close()
            handle.curl.close()  # who knows what state it is in

    def _read_finished(self) -> None:
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read(100)
            for curl in succeeded:
                self._land(curl, 0, "", None)
            for curl, code, message in failed:
                self._land(curl, code, message, None)

    def _deliver(self) -> None:
        """Finishes the futures of this turn, all at once: whoever waits for them wakes up once, and
        does not fight for the interpreter's lock while libcurl's callbacks need it."""
        landed, self._landed = self._landed, []
        for future, outcome in landed:
            future.set_result(outcome)

    def _land(self, curl: pycurl.Curl, code: int, message: str, ended: Failure | None) -> None:
        self._multi.remove_handle(curl)
        self._advance(self._flights.pop(curl), (code, message, ended))

    def _end_silent(self, now: float) -> None:
        """Ends the hops from which no byte has come for their read timeout."""
        for curl, flight in list(self._flights.items()):
            if flight.progress != flight.seen:
                flight.seen, flight.seen_at = flight.progress, now
            elif now - flight.seen_at >= flight.read_timeout:
                descriptor = curl.getinfo(pycurl.ACTIVESOCKET)
                quiet = silence(descriptor) if descriptor != NO_SOCKET else 0.0  # not connected yet
                if quiet >= flight.read_timeout:
                    self._land(curl, pycurl.E_OPERATION_TIMEDOUT, "", ENDED[FailureKind.TIMEOUT_READ])
                else:
                    flight.seen_at = now - quiet

    def _end_all(self) -> None:
        """Nothing is in flight, or it is aborted or lost; nothing of the pool is left afterwards."""
        self._deliver()
        for flight in self._flights.values():
            if self._defect:
                flight.future.set_exception(WorkerLostError(self._defect))
            else:
                message = "the run was stopped"
                flight.future.set_result(refusal(flight.request, FailureKind.ABORTED, utc_now(), message))
        self._lose_arrived()
        for curl, flight in self._flights.items():
            self._multi.remove_handle(curl)
            flight.steps.close()
            curl.close()
        for flight in self._free:
            flight.handle.curl.close()
        self._multi.close()
        self._driver.close()
        self._bell.close()

    def _lose_arrived(self) -> None:
        """What nobody will begin. Any thread may call it, several at once too."""
        while self._arrived:
            with contextlib.suppress(IndexError):  # the other one was quicker
                _, future = self._arrived.popleft()
                if not self._defect:
                    future.cancel()
                if future.set_running_or_notify_cancel():
                    future.set_exception(WorkerLostError(self._defect))

    def _opened(self, descriptor: int, _purpose: int) -> int:
        """libcurl's callback."""
        self._driver.opened(descriptor)
        return pycurl.SOCKOPT_OK


def internal(request: FetchRequest, defect: Exception) -> Outcome:
    """A defect of ours, as a row."""
    message = f"{type(defect).__name__} in {request.host}; please report this"
    return refusal(request, FailureKind.INTERNAL, utc_now(), message)
