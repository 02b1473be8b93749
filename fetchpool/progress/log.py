"""The observer for what is not a terminal: a plain line every few seconds.

In: snapshots and events. Out: lines that begin with `fetchpool: ` on a stream, written by a thread
of their own. With `verbose` also a line for each failure and retry.
"""

from __future__ import annotations

from typing import TextIO

from fetchpool.engine.events import Event, Notice, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import PATIENCE, BackgroundWriter, unbuffered
from fetchpool.progress.format import Line
from fetchpool.progress.messages import dropped_line, event_line, progress_line, stuck_lines

FIRST_LINE = 2.0
"""Seconds: a shorter run needs no line beside its summary."""
LINE_EVERY = 5.0
"""Seconds between lines."""
WRITE_EVERY = 0.1
"""Seconds between writes: many lines are cheapest together."""
PENDING = 10_000
"""Lines kept for a reader who is slower than the run; those beyond are only counted."""


class Log(Observer):
    """Writes to `stream`. As a context manager it gets its last lines out however the run ends."""

    def __init__(self, stream: TextIO, *, verbose: bool = False) -> None:
        self._stream = unbuffered(stream)
        self._verbose = verbose
        self._due = FIRST_LINE
        self._writer: BackgroundWriter[Line | Event | Record] = BackgroundWriter(
            self._write, WRITE_EVERY, PENDING
        )

    def __enter__(self) -> Log:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._writer.close(PATIENCE if failure is not None else None)

    def on_start(self, _snapshot: Snapshot) -> None:
        self._writer.start()

    def on_event(self, event: Event) -> None:
        if self._verbose or isinstance(event, Notice):
            self._writer.say(*light(event))

    def on_records(self, records: list[Record]) -> None:
        if self._verbose:
            for record in records:
                if record.error is not None:
                    self._writer.say(*light(record))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed >= self._due:
            self._due = snapshot.elapsed + LINE_EVERY
            for line in (progress_line(snapshot), *stuck_lines(snapshot)):
                self._writer.say(line)

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, said: list[Line | Event | Record], given_up: int, _last: bool) -> None:
        lines = [one if isinstance(one, Line) else event_line(one) for one in said]
        if given_up:
            lines.append(dropped_line(given_up))
        self._stream.write("".join(f"fetchpool: {line}\n" for line in lines))
        self._stream.flush()
