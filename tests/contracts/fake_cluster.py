"""A cluster in this process, without Dask: its stations run in threads."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from fetchpool.pools.cluster import messages
from fetchpool.pools.cluster.cluster import (
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
from fetchpool.pools.cluster.host import StationHost


class FakeCluster:
    """Workers by address. Those that are stopped take no call and send nothing until they go on."""

    def __init__(self, workers: int = 2, threads: int = 1) -> None:
        self.addresses = [Worker(f"fake://{number}", threads) for number in range(workers)]
        self.stations: dict[str, StationHost] = {}
        self.where: dict[str, str] = {}
        """The address of each station's worker."""
        self.stopped: set[str] = set()
        self._delayed: list[Callable[[], None]] = []
        """What happens when a worker goes on."""
        self._lock = threading.RLock()
        self.has_closed = False
        self.wishes = 0
        self.calls = 0
        self._on_event: Callable[[Event], None] = lambda _: None

    # The calls of the pool

    def listen(self, on_event: Callable[[Event], None]) -> None:
        self._on_event = on_event

    def workers(self) -> list[Worker]:
        return list(self.addresses)

    def open(self, station: str, worker: str, arguments: bytes) -> None:
        self._at(worker, partial(self._open, station, worker, arguments))

    def _open(self, station: str, worker: str, arguments: bytes) -> None:
        if all(each.address != worker for each in self.addresses):
            self._on_event(NotOpened(station, "its worker has left"))
            return
        host = StationHost(arguments, partial(self._report, station))
        with self._lock:
            self.stations[station] = host
            self.where[station] = worker
        self._on_event(Opened(station, messages.encode(host.opening)))

    def put(self, station: str, number: int, commands: bytes) -> None:
        self.calls += 1
        if station in self.stations:
            self._at(self.where[station], partial(self._put, station, number, commands))
        else:
            self._on_event(Unreachable(station))

    def _put(self, station: str, number: int, commands: bytes) -> None:
        if station not in self.stations:
            self._on_event(Unreachable(station))
        elif self.stations[station].put(number, commands):
            self._on_event(Delivered(station))
        else:
            self._on_event(Unreachable(station, has_ended=True))

    def drop(self, station: str) -> None:
        with self._lock:
            host = self.stations.pop(station, None)
        if host is not None:
            host.close()

    def request_worker(self) -> None:
        self.wishes += 1

    def close(self) -> None:
        self.has_closed = True
        hosts = list(self.stations.values())
        for station in list(self.stations):
            self.drop(station)
        for host in hosts:
            host.ended.wait(5)

    # What tests do to it

    def join(self) -> Worker:
        """Add a worker."""
        worker = Worker(f"fake://{len(self.addresses)}-{id(object())}")
        self.addresses.append(worker)
        self._on_event(Joined(worker))
        return worker

    def kill(self, address: str, *, planned: bool = False) -> None:
        """End a worker, with its station."""
        self.addresses = [each for each in self.addresses if each.address != address]
        for station, worker in list(self.where.items()):
            if worker == address:
                self.drop(station)
        self._on_event(Left(address, planned))

    def stop(self, address: str) -> None:
        """Cut a worker off: its station works on, and nothing reaches it or leaves it."""
        self.stopped.add(address)

    def go_on(self, address: str) -> None:
        """End that."""
        self.stopped.discard(address)
        delayed, self._delayed = self._delayed, []
        for each in delayed:
            each()

    def lose(self) -> None:
        """End the cluster."""
        self._on_event(Lost("its scheduler has ended"))

    def _report(self, station: str, report: bytes) -> None:
        if station in self.where:
            self._at(self.where[station], partial(self._deliver, station, report))

    def _deliver(self, station: str, report: bytes) -> None:
        if station in self.stations:
            self._on_event(Reported(station, report))

    def _at(self, address: str, action: Callable[[], None]) -> None:
        if address in self.stopped:
            self._delayed.append(partial(self._at, address, action))
        else:
            action()
