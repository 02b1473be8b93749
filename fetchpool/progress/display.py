"""The observer for a terminal: a live display of a few lines, removed at the end.

In: snapshots and events. Out: `frame`s on a terminal, redrawn in place by a background thread, with notices
(and with `verbose` failures and retries) scrolling above them; a `View` adds details and failures. The
engine's thread never writes to the terminal, so a terminal that is stopped with Ctrl-S does not stop the run.
"""

from __future__ import annotations

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fetchpool.engine.events import Event, Notice, RetryScheduled, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.progress.background_writer import CLOSE_TIMEOUT, BackgroundWriter
from fetchpool.progress.details import details
from fetchpool.progress.format import Line
from fetchpool.progress.frame import frame
from fetchpool.progress.key_help import explained, hints
from fetchpool.progress.messages import dropped_line, event_line
from fetchpool.progress.rate_history import RateHistory
from fetchpool.progress.terminal import show, text
from fetchpool.progress.view import View

FIRST_DRAW = 0.3
"""Seconds before the first drawing: a very short run should not flicker."""
DRAW_INTERVAL = 0.2
"""Minimum seconds between two drawings: a faster display could not be read, and would take CPU time from the
run."""
MAX_PENDING = 200
"""Maximum number of lines per drawing above the display: more could not be read, and their rows are in the
output."""
MOST_LINES = 16
"""Maximum height of the display, with details."""


class Progress(Observer):
    """Shows the progress of a run on a terminal. As a context manager it restores the terminal, cursor
    included, however the run ends."""

    def __init__(self, console: Console, *, verbose: bool = False, redirects_stdout: bool = False) -> None:
        """`redirects_stdout`: show text that the program prints above the display."""
        self._console = console
        self._verbose = verbose
        self.view = View(failures=verbose)
        self.latest: Snapshot | None = None
        self._history = RateHistory()
        self._height = 0
        self._shape = (False, False)
        """The state of the view when `_height` was measured."""
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

    @property
    def wants_details(self) -> bool:  # type: ignore[override]  # it changes with the view
        return self.view.details

    def redraw(self) -> None:
        """Draw soon, because the view has changed."""
        self._writer.wake()

    def on_event(self, event: Event) -> None:
        shows_retries = self._verbose and self.view.failures
        if isinstance(event, Notice) or (shows_retries and isinstance(event, RetryScheduled)):
            self._writer.write(*light(event))

    def on_records(self, records: list[Record]) -> None:
        if self.view.failures:
            for record in records:
                if record.error is not None:
                    self._writer.write(*light(record))

    def on_snapshot(self, snapshot: Snapshot) -> None:
        self.latest = snapshot
        failed = snapshot.done - snapshot.ok - snapshot.failed_before
        done = snapshot.done - snapshot.done_before
        self._history.add(snapshot.elapsed, done - failed, failed)
        if snapshot.elapsed >= FIRST_DRAW:
            self._writer.wake()

    def on_finish(self, _snapshot: Snapshot) -> None:
        self._writer.close()

    def _write(self, messages: list[Event | Record], dropped: int, last: bool) -> None:
        """Draw once. Runs in the background thread, the only one that writes to the terminal."""
        try:
            self._print(messages, dropped)
            if last:
                self._clear()
            elif self.latest is not None and self.latest.elapsed >= FIRST_DRAW:
                self._draw(self.latest)
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
        lines = [text(each, self._console) for each in self.lines(snapshot)]
        picture = Text("\n").join(lines)
        picture.no_wrap = True
        self._live.update(picture, refresh=True)

    def lines(self, snapshot: Snapshot) -> list[Line]:
        """Return the lines of the display for a snapshot, the view and the size of the terminal."""
        view = self.view
        # One cell is left free, since some terminals start a new line after a full last column.
        width = self._console.width - 1
        most = max(min(MOST_LINES, self._console.height - 1), 1)
        ascii_only = self._console.options.ascii_only
        below = [hints(snapshot, view, width)] if view.has_keys else []
        if view.help:
            below = explained(width, has_page=self.view.has_page)
        grown = view.details and not view.help
        lines = frame(snapshot, width, ascii_only=ascii_only, slow=not grown)
        if grown:
            lines += details(snapshot, self._history, width, ascii_only=ascii_only)
        # It grows when requests hang, and shrinks only when the user hides something.
        shape = (view.details, view.help)
        self._height = max(self._height, len(lines)) if shape == self._shape else len(lines)
        self._shape = shape
        lines += [Line(())] * (self._height - len(lines))
        return [*lines[: max(most - len(below), 1)], *below][:most]

    def _clear(self) -> None:
        if self._live.is_started:
            self._live.update(Text())  # even if the terminal has fewer lines than the display
            self._live.stop()
