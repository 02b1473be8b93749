"""The interface between the cluster pool and the system that runs its workers: a few calls, and events.

A system (Dask, or the fake of the tests) knows its workers, runs a `StationHost` in the ones that the pool
chooses, and carries bytes in both directions. It has no policy: it neither retries nor waits.
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
    """The worker was asked to leave, as at the end of its lifetime."""


class Opened(Struct, frozen=True):
    """A station was opened, or refused to open."""

    station: str
    answer: bytes
    """An `Opening` as bytes."""


class NotOpened(Struct, frozen=True):
    """A station could not be opened."""

    station: str
    reason: str


class Delivered(Struct, frozen=True):
    """A station has received the bytes of a `put()`."""

    station: str


class Unreachable(Struct, frozen=True):
    """A station can no longer be called."""

    station: str
    has_ended: bool = False
    """Whether the station has answered that it has ended; otherwise its worker has died."""


class Reported(Struct, frozen=True):
    """A station has sent a report."""

    station: str
    report: bytes


class Lost(Struct, frozen=True):
    """The cluster itself is gone: its scheduler does not respond, and its workers end."""

    reason: str


Event = Joined | Left | Opened | NotOpened | Delivered | Unreachable | Reported | Lost


class Cluster(Protocol):
    """A cluster. All methods return at once; their results are events. Events may arrive in any thread; those
    of one station arrive in order."""

    def listen(self, on_event: Callable[[Event], None]) -> None:
        """Call a function with every event from now on."""

    def workers(self) -> list[Worker]:
        """Return the current workers."""

    def open(self, station: str, worker: str, arguments: bytes) -> None:
        """Open a station with these arguments in the worker with this address."""

    def put(self, station: str, number: int, commands: bytes) -> None:
        """Send commands to a station."""

    def drop(self, station: str) -> None:
        """Let a station end. Nothing more is sent to it."""

    def request_worker(self) -> None:
        """Ask a cluster that has no workers to start one, if it can."""

    def close(self) -> None:
        """Drop all stations, and leave the cluster."""
