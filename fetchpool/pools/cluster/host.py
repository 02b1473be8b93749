"""Runs a station in a worker of a cluster, in its own thread: carries out the driver's calls and sends
reports.

In: the arguments of a station, and commands, as bytes, from any thread. Out: reports as bytes, to `publish`,
in the station's thread. The module imports nothing of the system that runs the cluster. The station ends when
the driver drops it, or when its lease does (`lease.py`).
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from time import monotonic

from msgspec.structs import replace

from fetchpool.config import machine
from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import FetchpoolError, UsageError
from fetchpool.model.version import VERSION
from fetchpool.pools.cluster import messages, modules
from fetchpool.pools.cluster.arguments import Arguments, options_at, unpack, version_of
from fetchpool.pools.cluster.lease import LEASE, PING, Lease
from fetchpool.pools.cluster.lookups import StationLookups
from fetchpool.pools.cluster.messages import Kind, Opening, Report
from fetchpool.pools.wire import WireError
from fetchpool.runtime import threads

LEASE_ENDED = f"no call from the driver for {LEASE:g} s"


class StationHost:
    """A station in its worker."""

    def __init__(
        self,
        arguments: bytes,
        publish: Callable[[bytes], object],
        *,
        is_cut_off: Callable[[], bool] | None = None,
    ) -> None:
        """`arguments` are those of a `Packer`. `is_cut_off`: whether the worker is closing, or has lost its
        cluster. Raises nothing: `opening` has the error."""
        self._publish = publish
        self._is_cut_off = is_cut_off
        self._lock = Lock()
        self._lease = Lease()
        self._calls = 0
        """The number of the driver's last call."""
        self._reports = 0
        self._wanted = self._settled = 0
        """The serial numbers of the last `PLACES` command, and of the last one that has taken effect."""
        self._next_report = monotonic() + PING
        self._thread: Thread | None = None
        self._cpu_before = time.process_time()
        self._directory = ""
        """The station's own files: certificates and keys."""
        self.ended = Event()
        """Set when the station has ended."""
        version, content = version_of(arguments)
        self.opening = Opening(VERSION)
        if version != VERSION:
            self.ended.set()
            return
        try:
            self.opening = self._open(unpack(content))
        except FetchpoolError as error:
            self.opening = Opening(VERSION, refusal=str(error))
        except Exception as error:  # noqa: BLE001 - the driver says what is missing in which worker
            self.opening = Opening(VERSION, refusal=f"{type(error).__name__}: {error}")
        if self.opening.refusal:
            self.ended.set()
            self._remove_files()

    def _open(self, arguments: Arguments) -> Opening:
        if arguments.files:
            self._directory = tempfile.mkdtemp(prefix="fetchpool-files-")
        options = options_at(self._directory, arguments)
        modules.use(arguments.modules)
        try:
            return self._start(arguments.most, options)
        except UsageError as error:
            raise UsageError(modules.explain(arguments.modules, str(error))) from error

    def _remove_files(self) -> None:
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, most: int, options: FetchOptions) -> Opening:
        from fetchpool.pools.station import Station

        capacity = machine.workers_within_limit(most, "async", options.transport)
        limit = min(most, capacity.workers)
        self._station = Station(
            limit,
            replace(options, few_descriptors=capacity.is_short),
            self._send,
            beat=self._beat,
            may_start=lambda: self._lease.holds,
        )
        self._station.resize(0)
        self._lookups = StationLookups(options)
        self._thread = threads.start(self._run, "fetchpool-station")
        return Opening(VERSION, limit)

    # Any thread

    def put(self, number: int, data: bytes) -> bool:
        """Carry out the commands of the driver's call with this number. A repeated call is ignored. Return
        False if the station has ended. Raises `WireError` if a call is missing."""
        with self._lock:
            if number <= self._calls:
                return not self.ended.is_set()
            if number != self._calls + 1:
                self.close()
                raise WireError(f"call {number} arrived after call {self._calls}")
            message = messages.decode_commands(data)
            if self.ended.is_set() or not self._lease.renew(message.received):
                return False
            self._calls = number
            self._station.report_interval = message.interval
            for kind, payload in message.commands:
                self._carry_out(Kind(kind), payload)
            return True

    def _carry_out(self, kind: Kind, payload: bytes) -> None:
        station = self._station
        if kind is Kind.REQUESTS:
            station.put(payload)
        elif kind is Kind.CANCEL:
            station.cancel(payload.decode("utf-8", "surrogatepass") or None)
        elif kind is Kind.PLACES:
            serial, places = map(int, payload.split())
            station.resize(places)
            self._wanted = serial
        elif kind is Kind.SPACED:
            station.space_hops(bool(payload))
        elif kind is Kind.HANG_UP:
            station.hang_up(frozenset(payload.decode().split("\n")))
        elif kind is Kind.HOLD:
            for host in payload.decode("utf-8", "surrogatepass").split("\n"):
                station.hold_host(host)
        elif kind is Kind.LOOK_UP:
            self._lookups.start(payload.decode("utf-8", "surrogatepass"), station.wake)

    def close(self) -> None:
        """Have the station abort its requests and return them. Idempotent."""
        if self._thread is not None:
            self._station.abandon()

    # The station's thread

    def _run(self) -> None:
        reason = "it has failed"
        try:
            self._station.run()
            reason = "" if self._lease.holds else LEASE_ENDED
        finally:
            self.ended.set()
            self._report(ended=reason or "it was closed")
            self._remove_files()

    def _send(self, outcomes: bytes) -> None:
        self._report(outcomes)

    def _beat(self) -> None:
        """Called in each iteration of the station."""
        now = monotonic()
        if self._settled != self._wanted:
            serial = self._wanted
            if self._station.running <= self._station.places and not self._station.has_commands:
                self._settled = serial
                self._next_report = 0.0
        if self._lookups.has_results or now >= self._next_report:
            self._report()
        if not self._lease.holds or (self._is_cut_off is not None and self._is_cut_off()):
            self._station.abandon()

    def _report(self, outcomes: bytes = b"", ended: str = "") -> None:
        self._next_report = monotonic() + PING
        self._reports += 1
        self._lease.sending(self._reports)
        cpu = time.process_time() - self._cpu_before
        lookups = self._lookups.take()
        report = Report(messages.VERSION, self._reports, self._settled, cpu, outcomes, lookups, ended)
        self._publish(messages.encode(report))
