"""The observer of a log: turns the events of a run into log entries, and writes them in a separate thread.
In: events, rows and snapshots. Out: batches of `LogEntry`s, of the log's level or above, for a function that
may block. At most `MAX_PENDING` entries are queued for it; further ones are only counted, so the run does not
wait.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fetchpool.config.run_config import RunConfig
from fetchpool.engine.events import Event, EventKind, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.model.text import escape_invisible
from fetchpool.model.timestamp import utc_now
from fetchpool.model.urls import redact
from fetchpool.model.version import VERSION
from fetchpool.progress.background_writer import BackgroundWriter
from fetchpool.progress.format import counted
from fetchpool.progress.log_entry import (
    Level,
    LogEntry,
    entry_of,
    level_of,
    message_entry,
    progress_entry,
)
from fetchpool.progress.messages import dropped_line

PROGRESS_INTERVAL = 60.0
"""Seconds between two entries about the progress."""
WRITE_INTERVAL = 0.1
"""Minimum seconds between writes, since it is cheaper to write many entries together."""
MAX_PENDING = 10_000

SHOWN = 3
"""Maximum number of inputs and outputs named in the first entry."""

Item = Event | Record | Snapshot | LogEntry


class EventLogger(Observer):
    """Logs a run."""

    def __init__(self, write: Callable[[list[LogEntry]], object], level: Level, started: str) -> None:
        """`write`: called in the thread of the log; raises no exception. `started`: a description of the run
        in one line. Raises `NoThreadError`."""
        self._write_entries = write
        self._level = level.number
        self._next_progress = PROGRESS_INTERVAL
        self._writer: BackgroundWriter[tuple[str, Item]] = BackgroundWriter(
            self._write, WRITE_INTERVAL, MAX_PENDING
        )
        self._writer.start()
        self.add(message_entry(EventKind.STARTED, started, utc_now()))

    def add(self, entry: LogEntry) -> None:
        """Log an entry."""
        if entry.level.number >= self._level:
            self._writer.write((entry.time, entry), len(entry.message))

    def on_event(self, event: Event) -> None:
        if level_of(event).number >= self._level:
            item, size = light(event)
            self._writer.write((utc_now(), item), size)

    def on_records(self, records: list[Record]) -> None:
        if self._level <= Level.DEBUG.number:
            for record in records:
                if record.error is not None:
                    item, size = light(record)
                    self._writer.write((utc_now(), item), size)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed >= self._next_progress and self._level <= Level.INFO.number:
            self._next_progress = snapshot.elapsed + PROGRESS_INTERVAL
            self._writer.write((utc_now(), snapshot))

    def close(self, timeout: float | None = None) -> None:
        """Wait until everything is written, at most `timeout` seconds. Idempotent."""
        self._writer.close(timeout)

    def _write(self, messages: list[tuple[str, Item]], dropped: int, last: bool) -> None:  # noqa: ARG002
        entries = [_entry(time, item) for time, item in messages]
        if dropped:
            entries.append(message_entry(EventKind.NOTICE, str(dropped_line(dropped)), utc_now()))
        if entries:
            self._write_entries(entries)


def started_message(config: RunConfig) -> str:
    """Return a description of the run, without secrets:
    `fetchpool 1.0: urls.txt to rows.csv, 10 workers, async, curl`."""
    inputs = [redact(each) if "://" in each else each for each in config.inputs]
    outputs = [each.path for each in config.outputs]
    what = " to ".join(", ".join(_first(each)) for each in (inputs, outputs) if each)
    how = f"{counted(config.workers, 'worker')}, {config.executor}, {config.fetch.transport}"
    return escape_invisible(f"fetchpool {VERSION}: {what}, {how}" if what else f"fetchpool {VERSION}: {how}")


def _first(names: Sequence[str]) -> list[str]:
    return [*names[:SHOWN], *([f"{len(names) - SHOWN:,} more"] if len(names) > SHOWN else [])]


def _entry(time: str, item: Item) -> LogEntry:
    if isinstance(item, LogEntry):
        return item
    return progress_entry(item, time) if isinstance(item, Snapshot) else entry_of(item, time)
