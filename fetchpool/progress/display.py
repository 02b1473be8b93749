"""The observer for a terminal: a live display of a few lines, gone without a trace at the end.

In: snapshots and events. Out: `frame`s on a terminal, redrawn in place by a thread of their own, with
notices (and with `verbose` failures and retries) going past above them. The engine's thread only
leaves its snapshot here: a terminal that was stopped with Ctrl-S stops nothing else.
"""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fetchpool.engine.events import Event, Notice, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import PATIENCE, BackgroundWriter
from fetchpool.progress.format import Line
from fetchpool.progress.frame import frame
from fetchpool.progress.messages import dropped_line, event_line
from fetchpool.progress.terminal import show, text

FIRST_PICTURE = 0.3
"""Seconds: a run of a blink should not flicker."""
DRAW_EVERY = 0.2
"""Seconds between two pictures at least: faster can't be read, and costs the run."""
PENDING = 200
"""Lines that go past above the display in one picture; nobody reads a thousand a second, and their
rows are in the output."""


class Progress(Observer):
    """Shows the run on `console`, a terminal's (`terminal.console`). As a context manager it leaves
    the terminal as it was, cursor and all, however the run ends."""

    def __init__(self, console: Console, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._latest: Snapshot | None = None
        self._height = 0
        # Standard output stays alone: rows go there, and not by way of this display.
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        self._writer: BackgroundWriter[Event | Record] = BackgroundWriter(self._write, DRAW_EVERY, PENDING)

    def __enter__(self) -> Progress:
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
        if snapshot.elapsed >= FIRST_PICTURE:
            self._latest = snapshot
            self._writer.wake()

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, said: list[Event | Record], given_up: int, last: bool) -> None:
        """One picture; runs in the writer's thread, the only one that touches the terminal."""
        try:
            self._say(said, given_up)
            if last:
                self._clear()
            elif self._latest is not None:
                self._draw(self._latest)
        except BaseException:
            self._live.stop()  # gives standard error back, whatever went wrong
            raise

    def _say(self, said: list[Event | Record], given_up: int) -> None:
        lines: list[Line] = [event_line(one) for one in said]
        if given_up:
            lines.append(dropped_line(given_up))
        show(self._console, lines)

    def _draw(self, snapshot: Snapshot) -> None:
        self._live.start()
        # One cell less than there are: a full last column makes some terminals begin a new line.
        lines = frame(snapshot, self._console.width - 1, ascii_only=self._console.options.ascii_only)
        self._height = max(self._height, len(lines))  # it grows when something hangs, and never jumps back
        blank = [Text()] * (self._height - len(lines))
        picture = Text("\n").join([*map(text, lines), *blank])
        picture.no_wrap = True
        self._live.update(picture, refresh=True)

    def _clear(self) -> None:
        if self._live.is_started:
            self._live.update(Text())  # also where the terminal is lower than the display
            self._live.stop()
