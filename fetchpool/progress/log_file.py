"""Writes the log file of a run (`--log-file`): text, or JSON lines if its name ends in `.jsonl`.

In: what an `EventLogger` observes. Out: one line per event, with the time in UTC. If the log can't be
written, the run continues; the user gets one notice, and the log says how many lines are missing.
"""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from fetchpool.engine.events import EventKind, Snapshot
from fetchpool.model.errors import UsageError
from fetchpool.model.text import escape_invisible
from fetchpool.model.timestamp import utc_now
from fetchpool.progress.event_logger import EventLogger, Item
from fetchpool.progress.format import counted
from fetchpool.progress.log_entry import Level, LogEntry, message_entry
from fetchpool.progress.rotating_file import RotatingFile
from fetchpool.progress.snapshot_json import encode_line

JSON_SUFFIXES = (".jsonl", ".ndjson")
CLOSE_TIMEOUT = 5.0
"""Seconds for the last entries: a file system that hangs must not keep the process alive."""


class LogFileOptions(Struct, frozen=True):
    """The options of a log file."""

    file: str
    """The path."""
    level: Level = Level.INFO
    max_size: int = 10 << 20
    """Size in bytes at which the file is renamed; with 0, never."""
    keep: int = 5
    """Number of renamed files to keep."""


class LogFile(EventLogger):
    """Logs a run to a file."""

    def __init__(self, options: LogFileOptions, started: str) -> None:
        """Open the file. Raises `UsageError`."""
        self._name = escape_invisible(options.file)
        self._encode = _json if Path(options.file).suffix.lower() in JSON_SUFFIXES else _text
        try:
            self._file = RotatingFile(options.file, max_size=options.max_size, keep=options.keep)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise UsageError(f"--log-file: {self._name}: {reason}") from None
        self._missing = 0
        """Number of entries that were not written."""
        self._problem = ""
        self._has_failed = False
        self._has_ended = False
        super().__init__(self._write_to_file, options.level, started)

    def _write(self, messages: list[tuple[str, Item]], dropped: int, last: bool) -> None:
        super()._write(messages, dropped, last)
        if last:
            self._file.close()

    def take_problem(self) -> str:
        """Return a notice about the first write error, once; otherwise an empty text. Any thread may call
        this."""
        problem, self._problem = self._problem, ""
        return problem

    def end(self, message: str, code: int, snapshot: Snapshot | None, *, is_error: bool = False) -> None:
        """Log the end of the run, and close the file. Idempotent."""
        if self._has_ended:
            return
        self._has_ended = True
        self.add(
            LogEntry(
                time=utc_now(),
                level=Level.ERROR if is_error else Level.INFO,
                event=EventKind.ENDED,
                message=escape_invisible(f"{message}; exit code {code}"),
                done=None if snapshot is None else snapshot.done,
                ok=None if snapshot is None else snapshot.ok,
                failed=None if snapshot is None else snapshot.done - snapshot.ok,
                exit_code=code,
            )
        )
        self.close(CLOSE_TIMEOUT)

    def _write_to_file(self, entries: list[LogEntry]) -> None:
        """Write entries, after a line about those that could not be written."""
        lines = [self._encode(entry) for entry in entries]
        if gap := self._missing:
            text = f"{counted(gap, 'line')} missing here: the log could not be written"
            lines.insert(0, self._encode(message_entry(EventKind.NOTICE, text, utc_now())))
        written, failure = self._file.write(lines)
        if failure is None:
            self._missing = 0
            return
        if gap and written:
            self._missing, written = 0, written - 1
        self._missing += len(entries) - written
        if not self._has_failed:
            self._has_failed = True
            self._problem = f"{self._name}: {failure.strerror}; log entries are missing; the run continues"


def _json(entry: LogEntry) -> bytes:
    return encode_line(entry) + b"\n"


def _text(entry: LogEntry) -> bytes:
    line = f"{entry.time} {entry.level.value.upper():<7} {entry.message}\n"
    return line.encode(errors="backslashreplace")
