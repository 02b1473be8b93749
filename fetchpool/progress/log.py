"""The observer without a terminal: a plain line every few seconds.

In: snapshots and events. Out: lines that begin with `fetchpool: ` on a stream, written by a background
thread. With `verbose` also a line for each failure and retry.
"""

from __future__ import annotations

from typing import TextIO

from fetchpool.engine.events import Event, Notice, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import CLOSE_TIMEOUT, BackgroundWriter, unbuffered
from fetchpool.progress.format import Line
from fetchpool.progress.messages import dropped_line, event_line, progress_line, stuck_lines

FIRST_LINE = 2.0
"""Seconds before the first line: a shorter run has only its summary."""
LINE_INTERVAL = 5.0
"""Seconds between lines."""
WRITE_INTERVAL = 0.1
"""Minimum seconds between writes, as it is cheaper to write many lines together."""
MAX_PENDING = 10_000
"""Maximum number of lines queued for a slow reader; further ones are only counted."""


class Log(Observer):
    """Writes progress lines to a stream. As a context manager it writes the last lines however the run
    ends."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = unbuffered(stream)
        self._verbose = verbose
        self._due = FIRST_LINE
        self._writer: BackgroundWriter[Line | Event | Record] = BackgroundWriter(
            self._write, WRITE_INTERVAL, MAX_PENDING
        )

    def __enter__(self) -> Log:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._writer.close(CLOSE_TIMEOUT if failure is not None else None)

    def on_start(self, _snapshot: Snapshot) -> None:
        self._writer.start()

    def on_event(self, event: Event) -> None:
        if self._verbose or isinstance(event, Notice):
            self._writer.write(*light(event))

    def on_records(self, records: list[Record]) -> None:
        if self._verbose:
            for record in records:
                if record.error is not None:
                    self._writer.write(*light(record))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed >= self._due:
            self._due = snapshot.elapsed + LINE_INTERVAL
            for line in (progress_line(snapshot), *stuck_lines(snapshot)):
                self._writer.write(line)

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, messages: list[Line | Event | Record], dropped: int, _last: bool) -> None:
        lines = [each if isinstance(each, Line) else event_line(each) for each in messages]
        if dropped:
            lines.append(dropped_line(dropped))
        self._stream.write("".join(f"fetchpool: {line}\n" for line in lines))
        self._stream.flush()
