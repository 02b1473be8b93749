"""The async pool: one thread runs many fetches concurrently over libcurl's multi interface.

In: requests, from any thread. Out: futures, completed together at the end of each iteration.

    submit() ──▶ _submitted ──▶ Transfer (a handle, an exchange's steps) ──▶ multi ──▶ Future.set_result()

Connections are kept and shared by all fetches; HTTP/2 streams share one. The thread sleeps until a socket,
a timer of libcurl or a wake-up is ready (`pollers.py`, `wakeup.py`), or a check for silent servers is due.
The thread is the pool's own, unless the caller runs the loop (`run_once()`): two threads that hand
everything to each other take a fifth longer than one (docs/benchmarks.md).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import pycurl

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.exchange import Exchange
from fetchpool.model.errors import WorkerLostError
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import Outcome, internal, refusal
from fetchpool.model.request import FetchRequest
from fetchpool.pools.async_.limits import TransferLimits
from fetchpool.pools.async_.lookups import HopLookups
from fetchpool.pools.async_.parsing import BackgroundParsing
from fetchpool.pools.async_.paused import PausedBodies
from fetchpool.pools.async_.pollers import choose_poller
from fetchpool.pools.async_.transfer import Transfer
from fetchpool.pools.future import Collector, Completion, LightFuture
from fetchpool.pools.loop_pool import LoopPool
from fetchpool.pools.parser_threads import ParseObserver
from fetchpool.runtime import forks
from fetchpool.runtime.limit_clock import INTERVAL, LimitClock
from fetchpool.transports.base import Failure, HopRequest, HopResult, add_lookup_time
from fetchpool.transports.curl.connections import Connections
from fetchpool.transports.curl.resolve_cache import ResolveCache
from fetchpool.transports.curl.trace import Streams
from fetchpool.transports.sockets import peer_of, shut_down

TICK = INTERVAL
"""Seconds between two checks of deadlines and silent servers."""
STARTS = 32
"""Maximum number of fetches started in one iteration, so that the first of a thousand does not wait until the
last has its handle."""
ABORT_TIMEOUT = 5.0
"""Seconds to wait for the thread of an aborted pool. A thread in which a program's callback does not return
can't be ended."""


class AsyncPool(LoopPool):
    """A pool that runs at most `max_workers` fetches at once, all in one thread."""

    def __init__(
        self,
        max_workers: int,
        options: FetchOptions,
        *,
        parses: ParseObserver | None = None,
        shares_hosts: bool = False,
        may_send: Callable[[], bool] | None = None,
    ) -> None:
        """`parses` is notified of user-defined parsers. `shares_hosts`: other processes fetch from the same
        hosts, which may accept few connections. `may_send` is called before each request is sent; once it
        returns False, it always does, and only an abort completes a fetch. Raises `UsageError` when a parser
        can't be loaded."""
        super().__init__("async", max_workers, interval=TICK, abort_timeout=ABORT_TIMEOUT)
        self._options = options
        self._shares_hosts = shares_hosts
        self._may_send = may_send
        self._clock = LimitClock()
        """The clock for all times; this thread enforces the limits."""
        self._exchange = Exchange(options, self._clock.now)
        self._submitted: deque[tuple[FetchRequest, Completion]] = deque()
        self._idle: list[Transfer] = []
        self._transfers: dict[pycurl.Curl, Transfer] = {}
        self._in_flight = 0
        """Fetches that have started and have no outcome yet."""
        self._paused = PausedBodies()
        self._completed: list[tuple[Completion, Outcome]] = []
        self._next_tick = self._clock.now() + TICK
        self._connections = Connections()
        self._limits = TransferLimits(self._connections)
        self._streams = Streams()
        self._resolve_cache = ResolveCache()
        self._multi = pycurl.CurlMulti()
        short = options.few_descriptors
        self._kept_for = max_workers
        """The number of workers for which libcurl keeps idle connections."""
        self._multi.setopt(pycurl.M_MAXCONNECTS, max_workers if short else 2 * max_workers)
        if short:  # an idle connection is closed before a new one is opened
            self._multi.setopt(pycurl.M_MAX_TOTAL_CONNECTIONS, max_workers)
        self._poller = choose_poller(self._multi, self._wakeup, options, max_workers)
        self._lookups = HopLookups(options, self._wakeup, self._clock.now)
        self._parsing: BackgroundParsing[Transfer] = BackgroundParsing(
            self._wakeup.notify, self._clock.now, parses
        )

    @property
    def max_pending(self) -> int:
        return self.max_workers

    @property
    def queued(self) -> int:
        return 0  # every request starts at once

    @property
    def stuck(self) -> int:
        return self._parsing.stuck

    def cancel_pending(self, host: str | None = None) -> None:
        """Do nothing: every submitted request has started."""

    def space_hops(self, spaced: bool) -> None:
        self._exchange.follows_within = self._options.follow_within_hosts and not spaced

    def hang_up(self, ips: frozenset[str]) -> None:
        """Close the idle connections to these addresses, whose server accepts few. Only for the thread that
        runs the loop."""
        in_use = {curl.getinfo(pycurl.ACTIVESOCKET) for curl in self._transfers}
        for transfer in self._transfers.values():
            in_use.update(transfer.handle.new_connections)
        for descriptor in self._connections:
            if descriptor not in in_use and peer_of(descriptor) in ips:
                shut_down(descriptor)

    def watch(self, descriptor: int, on_readable: Callable[[], None]) -> None:
        """Make the loop call a function while a descriptor is readable; a busy loop may be late. Only for the
        thread that runs the loop."""
        self._poller.watch(descriptor, on_readable)

    def collect(self, request: FetchRequest, collector: Collector) -> None:
        """Fetch a request, and add its outcome to the collector. Only for the thread that runs the loop."""
        self._submitted.append((request, collector))

    def _enqueue(self, request: FetchRequest, future: LightFuture, alone: bool) -> None:  # noqa: ARG002
        self._submitted.append((request, future))

    # Everything below runs in the thread that runs the loop.

    def _has_work(self) -> bool:
        return bool(self._submitted) or self._in_flight > 0

    def _run_once(self, timeout: float) -> None:
        wakeup = self._wakeup
        more = self._start_submitted() == STARTS and self._in_flight < self.max_workers
        wakeup.waiting = True  # from here on producers write to the socket; earlier items are seen now
        if more or wakeup.pending or self._start_submitted() or self._completed:
            timeout = 0.0
        elif self._paused.receivers:
            timeout = min(timeout, self._paused.ready_in())
        is_busy = self._in_flight > 0
        if is_busy:
            self._clock.run()
            timeout = min(timeout, self._next_tick - self._clock.now())
        else:
            self._clock.rest()
        self._poller.poll(timeout, len(self._transfers))
        wakeup.waiting = wakeup.pending = False
        self._clock.sign()
        if self._may_send is not None and not self._may_send():
            return  # requests that were not sent have failed for that reason
        self._read_finished()
        if self._paused.receivers:
            for curl in self._paused.go_on(self._transfers):
                self._complete(curl, 0, "", None)
        now = self._clock.now()
        if self._lookups.waiting:
            self._resume_resolved(now)
        if self._parsing:
            for transfer in self._parsing.finished(now):
                self._next_hop(transfer, None)
        if now >= self._next_tick:
            self._next_tick = now + TICK
            self._check_limits(now)
        self._set_results()

    def _set_results(self) -> None:
        """Complete the futures of all finished fetches together, so that waiting threads wake up once, and do
        not compete for the interpreter lock while libcurl's callbacks need it."""
        completed, self._completed = self._completed, []
        for future, outcome in completed:
            future.complete(outcome)

    def _start_submitted(self) -> int:
        """Start submitted requests, at most `STARTS`, as far as workers are free; return their number."""
        started = 0
        most = min(STARTS, self.max_workers - self._in_flight)
        while started < most and self._submitted:
            request, future = self._submitted.popleft()
            if future.set_running_or_notify_cancel():
                self._start(request, future)
                started += 1
        return started

    def _start(self, request: FetchRequest, future: Completion) -> None:
        try:
            transfer = self._idle.pop() if self._idle else self._new_transfer()
            transfer.steps = self._exchange.steps(request)
        except Exception as error:  # noqa: BLE001 - as in `_next_hop`
            self._completed.append((future, internal(request, error)))
            return
        transfer.future, transfer.request = future, request
        self._in_flight += 1
        self._next_hop(transfer, None)

    def _new_transfer(self) -> Transfer:
        return Transfer(
            self._options,
            self._resolve_cache,
            self._connections,
            self._streams,
            self._paused.receivers,
            self._on_connection,
            self._may_send,
        )

    def _read_finished(self) -> None:
        """Continue the fetches whose transfer libcurl has finished."""
        left = 1
        while left:
            left, succeeded, failed = self._multi.info_read(100)
            for curl in succeeded:
                transfer = self._transfers[curl]
                handle = transfer.handle
                if handle.traced or handle.new_connections:
                    handle.check_connection(0)
                if handle.receiver.decoding:
                    transfer.all_received = True
                else:
                    self._complete(curl, 0, "", None)
            for curl, code, message in failed:
                transfer = self._transfers[curl]
                transfer.handle.check_connection(code)
                if code == pycurl.E_OPERATION_TIMEDOUT and transfer.lost != self._clock.lost:
                    self._connect_again(transfer)
                else:
                    self._complete(curl, code, message, None)

    def _complete(self, curl: pycurl.Curl, code: int, message: str, forced: Failure | None) -> None:
        transfer = self._transfers.pop(curl)
        self._multi.remove_handle(curl)
        try:
            result = transfer.handle.finish(code, message, forced)
            if transfer.dns_seconds:
                add_lookup_time(result, transfer.dns_seconds)
                transfer.dns_seconds = 0.0
        except Exception as error:  # noqa: BLE001 - as in `_next_hop`
            self._fail(transfer, error)
        else:
            self._next_hop(transfer, result)

    def _next_hop(self, transfer: Transfer, result: HopResult | None) -> None:
        """Start the fetch's next hop, or complete the fetch. `result`: of the last hop; None before the first
        hop and after a `ParseRequest`."""
        try:
            hop = transfer.steps.send(result)
            if isinstance(hop, HopRequest):
                now = self._clock.now()
                host = self._lookups.missing(hop)
                if host:
                    self._lookups.defer(host, transfer, hop, now)
                else:
                    self._start_hop(transfer, hop, now)
            else:
                self._parsing.submit(transfer, hop)
        except StopIteration as stop:
            self._in_flight -= 1
            self._completed.append((transfer.future, stop.value))
            transfer.clear()
            self._idle.append(transfer)
        except Exception as error:  # noqa: BLE001 - an internal error costs one row, not the run
            self._fail(transfer, error)

    def _start_hop(self, transfer: Transfer, hop: HopRequest, now: float) -> None:
        """Pass a hop to libcurl."""
        transfer.read_timeout = hop.read_timeout
        transfer.lost = self._clock.lost
        transfer.deadline = now + hop.max_time
        if transfer.deadline < self._next_tick:
            self._next_tick = transfer.deadline
        transfer.progress, transfer.seen, transfer.seen_at = 0, 0, now
        transfer.all_received = False
        if not self._shares_hosts:
            hop.close = False  # all fetches share the open connections
        handle = transfer.handle
        handle.prepare(hop, now + transfer.lost)
        self._multi.add_handle(handle.curl)
        self._transfers[handle.curl] = transfer

    def _connect_again(self, transfer: Transfer) -> None:
        """Restart a hop that libcurl ended at its connect timeout, part of which was lost. Nothing has been
        sent."""
        hop, deadline, curl = transfer.handle.hop, transfer.deadline, transfer.handle.curl
        assert hop is not None
        del self._transfers[curl]
        self._multi.remove_handle(curl)
        transfer.handle.finish(pycurl.E_OPERATION_TIMEDOUT, "")
        self._start_hop(transfer, hop, self._clock.now())
        transfer.deadline = deadline

    def _fail(self, transfer: Transfer, error: Exception) -> None:
        """Complete a fetch that ended in an internal error."""
        self._in_flight -= 1
        self._completed.append((transfer.future, internal(transfer.request, error)))
        transfer.steps.close()
        transfer.handle.curl.close()  # the handle's state is unknown

    def _resume_resolved(self, now: float) -> None:
        """Continue the hops whose host has been resolved, or could not be."""
        for deferred, failure in self._lookups.ready(now):
            transfer, hop, since = deferred.transfer, deferred.hop, deferred.since
            seconds = now - since
            if failure is not None:
                self._next_hop(transfer, HopResult(failure, time_total=round(seconds, 6)))
                continue
            try:
                host = self._lookups.missing(hop)
                if host:
                    self._lookups.defer(host, transfer, hop, since)
                else:
                    transfer.dns_seconds = seconds
                    hop.connect_timeout -= seconds
                    hop.max_time -= seconds
                    self._start_hop(transfer, hop, now)
            except Exception as error:  # noqa: BLE001 - as in `_next_hop`
                self._fail(transfer, error)

    def _check_limits(self, now: float) -> None:
        """End the hops that have reached their deadline, or received no data for their read timeout."""
        if self._kept_for != self.max_workers:
            self._kept_for = workers = self.max_workers
            self._multi.setopt(
                pycurl.M_MAXCONNECTS, workers if self._options.few_descriptors else 2 * workers
            )
        for curl, forced in self._limits.expired(self._transfers, now):
            self._complete(curl, pycurl.E_OPERATION_TIMEDOUT, "", forced)

    def _on_connection(self, descriptor: int) -> None:
        """Register a new connection of libcurl's."""
        forks.not_for_children(descriptor)
        self._poller.opened(descriptor)

    def _close(self) -> None:
        """Complete every future that is left, and close all descriptors."""
        self._set_results()
        left = [*self._transfers.values(), *self._lookups.transfers(), *self._parsing.pending]
        for transfer in left:
            if self._crash:
                transfer.future.set_exception(WorkerLostError(self._crash))
            else:
                outcome = refusal(transfer.request, FailureKind.ABORTED, "the run was stopped")
                transfer.future.complete(outcome)
        while self._submitted:
            request, future = self._submitted.popleft()
            if not self._crash and isinstance(future, Collector):
                future.complete(refusal(request, FailureKind.ABORTED, "the run was stopped"))
                continue
            if not self._crash and isinstance(future, LightFuture):
                future.cancel()
            if future.set_running_or_notify_cancel():
                future.set_exception(WorkerLostError(self._crash))
        for curl in self._transfers:
            self._multi.remove_handle(curl)
        for transfer in left:
            transfer.steps.close()
            transfer.handle.curl.close()
        self._parsing.close()
        for transfer in self._idle:
            transfer.handle.curl.close()
        self._multi.close()
        self._poller.close()
        self._wakeup.close()
