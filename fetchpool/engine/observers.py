"""Observers of a run: the base class, and the one object through which the engine notifies all of them.

In: events, final rows and snapshots, from the engine's thread. Out: the same, to each observer in turn.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fetchpool.engine.events import Event, EventKind, Notice, Snapshot
from fetchpool.model.record import Record


class Observer:
    """Base class of observers. A subclass overrides the methods that it needs.

    All methods are called from the engine's thread, events in order, and must return at once. Only
    `on_finish` may wait for a slow terminal or pipe: all rows are written by then.
    """

    wants_details = False
    """Whether snapshots need the fields that are updated only for an observer that shows them. Read before
    each snapshot; it may change at any time, in any thread."""

    def on_start(self, snapshot: Snapshot) -> None:
        """The run begins."""

    def on_event(self, event: Event) -> None:
        """An event has occurred, such as a retry or a notice for the user."""

    def on_records(self, records: list[Record]) -> None:
        """A batch of final rows was written to the sinks."""

    def on_snapshot(self, snapshot: Snapshot) -> None:
        """The run's state, a few times a second."""

    def on_finish(self, snapshot: Snapshot) -> None:
        """The run has ended, with its last state."""


class Observers(Observer):
    """Passes everything on to each observer of a run."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = observers

    def __bool__(self) -> bool:
        return bool(self._observers)

    def want_details(self) -> bool:
        """Whether an observer wants the details."""
        return any(observer.wants_details for observer in self._observers)

    def on_start(self, snapshot: Snapshot) -> None:
        for observer in self._observers:
            observer.on_start(snapshot)

    def on_event(self, event: Event) -> None:
        for observer in self._observers:
            observer.on_event(event)

    def notify(self, text: str, kind: EventKind = EventKind.NOTICE) -> None:
        """Show a notice to the user."""
        self.on_event(Notice(text, kind))

    def on_records(self, records: list[Record]) -> None:
        for observer in self._observers:
            observer.on_records(records)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        for observer in self._observers:
            observer.on_snapshot(snapshot)

    def on_finish(self, snapshot: Snapshot) -> None:
        """Notify the observers for the last time. Idempotent."""
        observers, self._observers = self._observers, ()
        for observer in observers:
            observer.on_finish(snapshot)


class RecordCounter(Observer):
    """Passes final rows to a function and ignores everything else."""

    def __init__(self, count: Callable[[list[Record]], None]) -> None:
        self._count = count

    def on_records(self, records: list[Record]) -> None:
        self._count(records)
