"""The observer without a terminal: plain lines with the time, at growing intervals.

In: snapshots and events. Out: lines that begin with `fetchpool: ` on a stream, written by a background
thread. With `verbose` also a line for each failure and retry.
"""

from __future__ import annotations

from collections.abc import Callable
from time import strftime
from typing import TextIO

from fetchpool.engine.events import Event, Notice, RetryScheduled, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import CLOSE_TIMEOUT, BackgroundWriter, unbuffered
from fetchpool.progress.color import ansi, is_colored
from fetchpool.progress.format import Line, line
from fetchpool.progress.messages import dropped_line, event_line, progress_line, stuck_lines, wait_key

INTERVALS = (5.0, 15.0, 60.0, 300.0)
"""Seconds before each line; the last interval repeats. So a short run prints only its summary, and the log of
a long run stays short."""
EXPLAIN_INTERVAL = 5.0
"""Minimum seconds before an additional line that explains a wait."""
MAX_EXPLAINED = 20
"""Maximum number of waits with an additional line: there may be as many as hosts."""
WRITE_INTERVAL = 0.1
"""Minimum seconds between writes, since it is cheaper to write many lines together."""
MAX_PENDING = 10_000
"""Maximum number of lines queued for a slow reader; further ones are only counted."""


def local_time() -> str:
    """Return the time of day: `12:03:45`."""
    return strftime("%H:%M:%S")


class Log(Observer):
    """Writes progress lines to a stream. As a context manager, it writes the last lines however the run
    ends."""

    def __init__(
        self, stream: TextIO, *, verbose: bool = False, time: Callable[[], str] = local_time
    ) -> None:
        self._stream = unbuffered(stream)
        self._colored = is_colored(stream)
        self._verbose = verbose
        self._time = time
        self._number = 0
        self._latest = 0.0
        """The time at which the latest line was written."""
        self._explained: set[tuple[str, str]] = set()
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
        if isinstance(event, Notice) or (self._verbose and isinstance(event, RetryScheduled)):
            self._writer.write(*light(event))

    def on_records(self, records: list[Record]) -> None:
        if self._verbose:
            for record in records:
                if record.error is not None:
                    self._writer.write(*light(record))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        quiet = snapshot.elapsed - self._latest
        is_due = quiet >= INTERVALS[min(self._number, len(INTERVALS) - 1)]
        wait = wait_key(snapshot)
        is_new = wait is not None and wait not in self._explained and len(self._explained) < MAX_EXPLAINED
        if not is_due and not (is_new and quiet >= EXPLAIN_INTERVAL):
            return
        self._latest = snapshot.elapsed
        self._number += is_due
        if wait is not None and is_new:
            self._explained.add(wait)
        self._writer.write(line(f"{self._time()} ", *progress_line(snapshot).spans))
        for each in stuck_lines(snapshot):
            self._writer.write(each)

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, messages: list[Line | Event | Record], dropped: int, _last: bool) -> None:
        lines = [each if isinstance(each, Line) else event_line(each) for each in messages]
        if dropped:
            lines.append(dropped_line(dropped))
        write = ansi if self._colored else str
        self._stream.write("".join(f"fetchpool: {write(each)}\n" for each in lines))
        self._stream.flush()
