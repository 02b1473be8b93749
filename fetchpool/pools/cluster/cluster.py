"""The interface between the cluster pool and the system that runs its workers: a few calls, and events.

A system (Dask, or the fake of the tests) knows its workers, runs a `StationHost` in those that the pool
chooses, takes bytes to it and brings bytes back. It holds no policy: it neither retries nor waits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from msgspec import Struct


class Worker(Struct, frozen=True):
    """A worker process of the cluster."""

    address: str
    threads: int = 1


class Joined(Struct, frozen=True):
    """A worker has joined."""

    worker: Worker


class Left(Struct, frozen=True):
    """A worker has left."""

    address: str
    planned: bool
    """It was asked to, as at the end of its lifetime."""


class Opened(Struct, frozen=True):
    """A station was opened, or has refused to be."""

    station: str
    answer: bytes
    """An `Opening` as bytes."""


class NotOpened(Struct, frozen=True):
    """A station could not be opened."""

    station: str
    reason: str


class Delivered(Struct, frozen=True):
    """A station has taken the bytes of a `put()`."""

    station: str


class Unreachable(Struct, frozen=True):
    """A station can't be called any more: its worker has died, or it has ended."""

    station: str


class Reported(Struct, frozen=True):
    """A station has sent a report."""

    station: str
    report: bytes


class Lost(Struct, frozen=True):
    """The cluster itself is gone: its scheduler does not answer, and its workers end."""

    reason: str


Event = Joined | Left | Opened | NotOpened | Delivered | Unreachable | Reported | Lost


class Cluster(Protocol):
    """All methods return at once; what comes of them is an event. Events may come in any thread, and in each
    station's own order."""

    def listen(self, on_event: Callable[[Event], None]) -> None:
        """Call a function with every event from now on."""

    def workers(self) -> list[Worker]:
        """Return the workers that are there now."""

    def open(self, station: str, worker: str, arguments: bytes) -> None:
        """Open a station with these arguments in the worker with this address."""

    def put(self, station: str, number: int, commands: bytes) -> None:
        """Take commands to a station."""

    def drop(self, station: str) -> None:
        """Let a station end: nothing is sent to it any more."""

    def wish(self) -> None:
        """Show the cluster that there is work, while it has no workers: it may start some then."""

    def close(self) -> None:
        """Drop all stations, and leave the cluster."""
