"""LogEntry: one event of a run for a log, with a level, a message and the fields of its row or host.

In: events, rows and snapshots of the engine. Out: immutable entries, for the log file, `--progress json` and
Python's `logging`. Messages have no control characters and no secrets. Pure.
"""

from __future__ import annotations

from enum import Enum

from msgspec import Struct

from fetchpool.engine.events import Event, EventKind, Notice, ReadBack, RetryScheduled, Snapshot
from fetchpool.model.record import Record
from fetchpool.progress.messages import event_line, progress_line
from fetchpool.scheduler.host_change import HostChange


class Level(Enum):
    """How important an entry is, as in Python's `logging`."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The level's number in Python's `logging`."""
        return _NUMBERS[self]


_NUMBERS = {Level.DEBUG: 10, Level.INFO: 20, Level.WARNING: 30, Level.ERROR: 40}
LEVELS = {
    EventKind.STARTED: Level.INFO,
    EventKind.READ_BACK: Level.INFO,
    EventKind.NOTICE: Level.INFO,
    EventKind.STEERED: Level.INFO,
    EventKind.HOST_COOLING: Level.INFO,
    EventKind.HOST_DOWN: Level.WARNING,
    EventKind.WORKER_LOST: Level.WARNING,
    EventKind.RETRYING: Level.DEBUG,
    EventKind.FAILED: Level.DEBUG,
    EventKind.PROGRESS: Level.INFO,
    EventKind.ENDED: Level.INFO,
}
"""The level of each kind of event. The end of a run that fails with an error of its own has level `ERROR`."""


class LogEntry(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One event of a run. Fields without a value are left out."""

    time: str
    """UTC, RFC 3339, milliseconds."""
    level: Level
    event: EventKind
    message: str
    """One line of text."""
    url: str | None = None
    """Only in `failed` and `retrying`, like the next five fields: as in the row."""
    urlnum: int | None = None
    error: str | None = None
    errormsg: str | None = None
    response_code: int | None = None
    num_retries: int | None = None
    host: str | None = None
    """Only in `host_cooling` and `host_down`."""
    status: int | None = None
    """429 or 503, with which the host responded."""
    seconds: float | None = None
    """Seconds until the next attempt, or the next request to the host."""
    done: int | None = None
    """Only in `progress` and `ended`, like the next two fields: the numbers of the snapshot."""
    ok: int | None = None
    failed: int | None = None
    exit_code: int | None = None
    """Only in `ended`."""


def level_of(item: Event | Record) -> Level:
    """Return the level of an event or of a failed row."""
    return LEVELS[kind_of(item)]


def kind_of(item: Event | Record) -> EventKind:
    """Return the kind of an event or of a failed row."""
    if isinstance(item, Record):
        return EventKind.FAILED
    if isinstance(item, RetryScheduled):
        return EventKind.RETRYING
    if isinstance(item, Notice):
        return item.kind
    if isinstance(item, ReadBack):
        return EventKind.READ_BACK
    return EventKind.HOST_DOWN if item.is_down else EventKind.HOST_COOLING


def entry_of(item: Event | Record, time: str) -> LogEntry:
    """Return the entry of an event or of a failed row."""
    kind, message = kind_of(item), str(event_line(item))
    if isinstance(item, Record | RetryScheduled):
        record = item if isinstance(item, Record) else item.record
        return LogEntry(
            time=time,
            level=LEVELS[kind],
            event=kind,
            message=message,
            url=record.url,
            urlnum=record.urlnum,
            error=record.error,
            errormsg=record.errormsg,
            response_code=record.response_code,
            num_retries=record.num_retries,
            seconds=item.delay if isinstance(item, RetryScheduled) else None,
        )
    if isinstance(item, HostChange):
        return LogEntry(
            time=time,
            level=LEVELS[kind],
            event=kind,
            message=message,
            host=item.host,
            status=item.status or None,
            seconds=item.seconds,
        )
    return message_entry(kind, message, time)


def message_entry(kind: EventKind, message: str, time: str) -> LogEntry:
    """Return an entry that only has a message."""
    return LogEntry(time=time, level=LEVELS[kind], event=kind, message=message)


def progress_entry(snapshot: Snapshot, time: str) -> LogEntry:
    """Return the entry of a run's state."""
    return LogEntry(
        time=time,
        level=LEVELS[EventKind.PROGRESS],
        event=EventKind.PROGRESS,
        message=str(progress_line(snapshot)),
        done=snapshot.done,
        ok=snapshot.ok,
        failed=snapshot.done - snapshot.ok,
    )
