"""Stations: opens a station in each worker, and detects those that are gone.

In: the events of the cluster. Out: stations that take requests, those that have ended, reports, and notices
for the user. Only the thread that runs the pool's loop uses it.
"""

from __future__ import annotations

import os
from collections import deque
from enum import Enum, auto

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.model.errors import UsageError
from fetchpool.model.version import VERSION
from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.arguments import Packer
from fetchpool.pools.cluster.cluster import (
    Cluster,
    Delivered,
    Event,
    Joined,
    Left,
    Lost,
    NotOpened,
    Opened,
    Reported,
    Unreachable,
    Worker,
)
from fetchpool.pools.cluster.lease import ABANDONED
from fetchpool.pools.cluster.messages import Report
from fetchpool.pools.cluster.remote_station import RemoteStation
from fetchpool.pools.wire import WireError

RETRY_OPEN = 1.0
"""Seconds until a worker in which no station could be opened is tried again; doubles with each failure."""
MOST_RETRY = 30.0
CHECK = 0.5
"""Seconds between two checks. After twice as long the driver itself must have been suspended: reports may be
waiting to be read."""
MOST_SHARES = 4
"""Maximum multiple of its equal share that a station can run at once if others have ended."""


class End(Enum):
    """How a station has ended."""

    DIED = auto()
    """Its worker is gone."""
    SILENT = auto()
    """It has sent no report for `ABANDONED` seconds, or a report was lost."""
    PLANNED = auto()
    """Its worker was asked to end."""


class Stations:
    """The stations of a run."""

    def __init__(self, cluster: Cluster, options: FetchOptions, now: float) -> None:
        self._cluster = cluster
        self._packer = Packer(options)
        self._run = os.urandom(6).hex()
        self._count = 0
        self._workers: dict[str, Worker] = {}
        """The workers of the cluster by address."""
        self._refused: dict[str, str] = {}
        """Addresses of workers that can't be used, and why."""
        self._all: dict[str, RemoteStation] = {}
        """Stations by name, including those that are being opened."""
        self._retries: dict[str, tuple[float, float]] = {}
        """Workers in which no station could be opened: when to retry, and the wait after that."""
        self._checked_at = now
        self._past_seconds = self._past_cpu = 0.0
        """The sums for stations that have ended."""
        self.most = 0
        """Maximum number of concurrent fetches of the run."""
        self.opened: list[RemoteStation] = []
        """Stations that take requests."""
        self.ended: list[tuple[RemoteStation, End]] = []
        """Stations that have ended; the caller that handles them clears the list."""
        self.reports: deque[tuple[RemoteStation, Report]] = deque()
        """Reports that have not been handled yet."""
        self.notices: deque[str] = deque()
        self.lost = ""
        """Why the cluster was lost; empty while it is available."""
        self.has_changed = False
        """Whether stations have joined or ended; the caller that handles this resets it."""

    # Opening

    def open(self, workers: list[Worker], now: float) -> None:
        """Open a station in each of these workers."""
        for worker in workers:
            self._workers[worker.address] = worker
        self._open_missing(now)
        several = [worker for worker in workers if worker.threads > 1]
        if several:
            number = several[0].threads
            self.notices.append(
                f"worker {several[0].address} has {number} threads, of which one is used: start it with "
                f"--nworkers {number} --nthreads 1"
            )

    @property
    def is_opening(self) -> bool:
        """Whether a station is being opened."""
        return any(not station.is_open for station in self._all.values())

    @property
    def workers(self) -> int:
        """Number of usable workers in the cluster."""
        return len(self._workers) - len(self._refused.keys() & self._workers.keys())

    def refuse(self) -> None:
        """Raise `UsageError` for the first worker that can't be used."""
        for address, why in self._refused.items():
            raise UsageError(f"worker {address}: {why}")

    def _open_missing(self, now: float) -> None:
        have = {station.worker.address for station in self._all.values()}
        for address, worker in self._workers.items():
            retry_at = self._retries.get(address, (0.0, 0.0))[0]
            if address in have or address in self._refused or now < retry_at:
                continue
            self._count += 1
            name = f"{self._run}-{self._count}"
            self._all[name] = RemoteStation(name, worker, self._cluster, now)
            share = -(-self.most // max(1, self.workers))
            self._cluster.open(name, address, self._packer.pack(min(self.most, MOST_SHARES * share)))

    def _on_opened(self, station: RemoteStation, answer: bytes, now: float) -> None:
        address = station.worker.address
        try:
            opening = messages.decode_opening(answer)
        except WireError:
            opening = messages.Opening("another version", refusal="")
        if opening.fetchpool != VERSION:
            refusal = f"has fetchpool {opening.fetchpool}, this is {VERSION}; install the same on all"
        else:
            refusal = opening.refusal
        if refusal:
            self._refuse(station, refusal)
            return
        self._retries.pop(address, None)
        station.is_open = True
        station.limit = opening.limit
        station.reported_at = station.opened_at = now
        self.opened.append(station)
        self.has_changed = True

    def _refuse(self, station: RemoteStation, why: str) -> None:
        self.end(station, End.SILENT)
        self._refused[station.worker.address] = why
        self.notices.append(f"worker {station.worker.address}: {why}")

    @property
    def cpu(self) -> tuple[float, float]:
        """The seconds for which stations have worked, added up, and the CPU seconds of their workers."""
        opened = list(self.opened)
        seconds = sum([station.reported_at - station.opened_at for station in opened])
        return self._past_seconds + seconds, self._past_cpu + sum([each.cpu_seconds for each in opened])

    # Events

    def handle(self, event: Event, now: float) -> None:
        """Handle an event of the cluster."""
        if isinstance(event, Joined):
            if event.worker.address not in self._workers:
                self.open([event.worker], now)
        elif isinstance(event, Left):
            self._on_left(event)
        elif isinstance(event, Lost):
            self.lost = self.lost or event.reason
        elif (station := self._all.get(event.station)) is not None:
            self._on_station(station, event, now)

    def _on_left(self, event: Left) -> None:
        self._workers.pop(event.address, None)
        self._refused.pop(event.address, None)
        self._retries.pop(event.address, None)
        for station in list(self._all.values()):
            if station.worker.address == event.address:
                self.end(station, End.PLANNED if event.planned else End.DIED)

    def _on_station(self, station: RemoteStation, event: Event, now: float) -> None:
        if isinstance(event, Reported):
            self._on_report(station, event.report, now)
        elif isinstance(event, Delivered):
            station.delivered()
        elif isinstance(event, Opened):
            self._on_opened(station, event.answer, now)
        elif isinstance(event, NotOpened):
            address = station.worker.address
            _, wait = self._retries.get(address, (0.0, RETRY_OPEN))
            self._retries[address] = now + wait, min(2 * wait, MOST_RETRY)
            self.notices.append(f"worker {address}: {event.reason}")
            self.end(station, End.DIED)
        elif isinstance(event, Unreachable):
            self.end(station, End.SILENT if event.has_ended else End.DIED)

    def _on_report(self, station: RemoteStation, data: bytes, now: float) -> None:
        try:
            report = messages.decode_report(data)
        except WireError as error:
            self._refuse(station, str(error))
            return
        if not station.take(report, now):
            self.end(station, End.SILENT)
            return
        self.reports.append((station, report))

    # Ends

    def end(self, station: RemoteStation, end: End) -> None:
        """Stop using a station. Idempotent."""
        if self._all.pop(station.name, None) is None:
            return
        self._cluster.drop(station.name)
        if station.is_open:
            self._past_seconds += station.reported_at - station.opened_at
            self._past_cpu += station.cpu_seconds
            self.opened.remove(station)
            self.ended.append((station, end))
            self.has_changed = True

    def check(self, now: float) -> None:
        """Check for silent stations, and for workers without a station. Must be called at least twice a
        second."""
        if (suspended := now - self._checked_at - CHECK) > CHECK:
            for station in self._all.values():
                station.reported_at += suspended
        self._checked_at = now
        for station in list(self.opened):
            if now - station.reported_at >= ABANDONED:
                self.end(station, End.SILENT)
        self._open_missing(now)
