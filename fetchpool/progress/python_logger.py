"""The observer for a program's `logging`.

In: what an `EventLogger` observes. Out: records of a logger, from the thread of the log, so that a slow
handler does not delay the run. The fields of an entry are attributes of its record.
"""

from __future__ import annotations

import logging
from typing import Any

import msgspec

from fetchpool.engine.events import EventKind, Snapshot
from fetchpool.model.timestamp import utc_now
from fetchpool.progress.background_writer import CLOSE_TIMEOUT
from fetchpool.progress.event_logger import EventLogger
from fetchpool.progress.log_entry import Level, LogEntry, progress_entry

RENAMED = ("time", "level", "message")
"""Fields that have other names in a log record."""


class PythonLogger(EventLogger):
    """Logs a run with Python's `logging`. As a context manager, it logs the last entries however the run
    ends."""

    def __init__(self, logger: logging.Logger, started: str) -> None:
        self._logger = logger
        enabled = (level for level in Level if logger.isEnabledFor(level.number))
        super().__init__(self._log, next(enabled, Level.ERROR), started)

    def __enter__(self) -> PythonLogger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(CLOSE_TIMEOUT)

    def on_finish(self, snapshot: Snapshot) -> None:
        self.add(msgspec.structs.replace(progress_entry(snapshot, utc_now()), event=EventKind.ENDED))
        self.close(CLOSE_TIMEOUT)

    def _log(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            fields: dict[str, Any] = msgspec.to_builtins(entry)
            extra = {name: value for name, value in fields.items() if name not in RENAMED}
            self._logger.log(entry.level.number, entry.message, extra=extra)
