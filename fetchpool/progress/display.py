"""The observer for a terminal: a live display of a few lines, removed at the end.

In: snapshots and events. Out: `frame`s on a terminal, redrawn in place by a background thread, with notices
(and with `verbose` failures and retries) scrolling above them. The engine's thread never writes to the
terminal, so one that is stopped with Ctrl-S does not stop the run.
"""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fetchpool.engine.events import Event, Notice, RetryScheduled, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import CLOSE_TIMEOUT, BackgroundWriter
from fetchpool.progress.format import Line
from fetchpool.progress.frame import frame
from fetchpool.progress.messages import dropped_line, event_line
from fetchpool.progress.terminal import show, text

FIRST_DRAW = 0.3
"""Seconds before the first drawing: a very short run should not flicker."""
DRAW_INTERVAL = 0.2
"""Minimum seconds between two drawings: a faster display can't be read, and takes CPU time from the run."""
MAX_PENDING = 200
"""Maximum number of lines above the display per drawing: more can't be read, and their rows are in the
output."""


class Progress(Observer):
    """Shows the progress of a run on a terminal. As a context manager it restores the terminal, cursor
    included, however the run ends."""

    def __init__(self, console: Console, *, verbose: bool = False, redirects_stdout: bool = False) -> None:
        """`redirects_stdout`: text that the program prints appears above the display."""
        self._console = console
        self._verbose = verbose
        self._latest: Snapshot | None = None
        self._height = 0
        # Rows of the command line must not pass through this display.
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=redirects_stdout,
            vertical_overflow="crop",
        )
        self._writer: BackgroundWriter[Event | Record] = BackgroundWriter(
            self._write, DRAW_INTERVAL, MAX_PENDING
        )

    def __enter__(self) -> Progress:
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
        if snapshot.elapsed >= FIRST_DRAW:
            self._latest = snapshot
            self._writer.wake()

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, messages: list[Event | Record], dropped: int, last: bool) -> None:
        """Draw once. Runs in the background thread, the only one that writes to the terminal."""
        try:
            self._print(messages, dropped)
            if last:
                self._clear()
            elif self._latest is not None:
                self._draw(self._latest)
        except BaseException:
            self._live.stop()  # restores standard error after any exception
            raise

    def _print(self, messages: list[Event | Record], dropped: int) -> None:
        lines: list[Line] = [event_line(each) for each in messages]
        if dropped:
            lines.append(dropped_line(dropped))
        show(self._console, lines)

    def _draw(self, snapshot: Snapshot) -> None:
        self._live.start()
        # One cell is left free: in a full last column some terminals start a new line.
        lines = frame(snapshot, self._console.width - 1, ascii_only=self._console.options.ascii_only)
        self._height = max(self._height, len(lines))  # it grows when requests hang, and does not shrink
        blank = [Text()] * (self._height - len(lines))
        picture = Text("\n").join([*(text(each, self._console) for each in lines), *blank])
        picture.no_wrap = True
        self._live.update(picture, refresh=True)

    def _clear(self) -> None:
        if self._live.is_started:
            self._live.update(Text())  # also if the terminal is lower than the display
            self._live.stop()
