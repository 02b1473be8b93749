"""Observes a run for `--progress json`: writes each event and, once a second, the snapshot as a line of JSON.

In: snapshots, events and rows. Out: lines for `write`, from a background thread. The first key of each line
is `type`. The lines `summary` and `error` are written at the end, by the command.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from msgspec import Struct

from fetchpool.config.run_config import RunConfig
from fetchpool.engine.events import Event, EventKind, Notice, Snapshot, light
from fetchpool.engine.observers import Observer
from fetchpool.model.record import Record
from fetchpool.model.timestamp import utc_now
from fetchpool.model.urls import redact
from fetchpool.model.version import VERSION
from fetchpool.progress.background_writer import CLOSE_TIMEOUT, BackgroundWriter
from fetchpool.progress.log_entry import LogEntry, entry_of, message_entry
from fetchpool.progress.messages import dropped_line
from fetchpool.progress.snapshot_json import encode, encode_line

INTERVAL = 0.9
"""Seconds between two `progress` lines. Less than one, since snapshots are only taken about every 0.25 s."""
WRITE_INTERVAL = 0.1
MAX_PENDING = 10_000
"""Maximum number of lines queued for a slow reader. Further lines are dropped, and counted."""
LineType = Literal["start", "progress", "notice", "failure", "summary", "error"]


class OutputFile(Struct, frozen=True):
    """An output of the run."""

    path: str
    format: str


class Start(Struct, frozen=True, kw_only=True):
    """The run begins."""

    time: str
    """UTC, RFC 3339, milliseconds."""
    version: str
    executor: str
    transport: str
    workers: int
    """Maximum number of concurrent fetches; with `-w auto` the upper limit."""
    inputs: tuple[str, ...]
    outputs: tuple[OutputFile, ...]
    resume: bool
    """Whether URLs with a row from an earlier run are skipped."""


class ErrorMessage(Struct, frozen=True, omit_defaults=True):
    """An error that ends the run, or keeps it from starting."""

    time: str
    message: str
    traceback: str | None = None
    """Only for a bug in fetchpool."""


def start_of(config: RunConfig) -> Start:
    """Return the `start` line of a run, without secrets."""
    return Start(
        time=utc_now(),
        version=VERSION,
        executor=config.executor,
        transport=config.fetch.transport,
        workers=config.workers,
        inputs=tuple(redact(each) if "://" in each else each for each in config.inputs),
        outputs=tuple(OutputFile(each.path, each.format) for each in config.outputs),
        resume=config.resume,
    )


def typed_line(kind: LineType, value: Struct) -> bytes:
    """Return a struct as a line of JSON that begins with `type` and ends with a newline."""
    return b'{"type":"%s",%s\n' % (kind.encode(), encode_line(value)[1:])


class JsonProgress(Observer):
    """Writes lines of JSON. A context manager, which also writes the last lines after an exception."""

    wants_details = True

    def __init__(self, write: Callable[[bytes], object], start: Start, *, verbose: bool = False) -> None:
        """`write`: writes complete lines; raises no exception."""
        self._write_lines = write
        self._start = start
        self._verbose = verbose
        self._latest: tuple[str, Snapshot] | None = None
        """The newest snapshot and its time, until the background thread writes it. If the reader is slow,
        older snapshots are skipped."""
        self._next = 0.0
        """When the next `progress` line is due, in seconds since the start."""
        self._writer: BackgroundWriter[bytes | tuple[str, Event | Record]] = BackgroundWriter(
            self._write, WRITE_INTERVAL, MAX_PENDING
        )

    def __enter__(self) -> JsonProgress:
        return self

    def __exit__(self, failure: type[BaseException] | None, *_: object) -> None:
        self._writer.close(CLOSE_TIMEOUT if failure is not None else None)

    def on_start(self, _snapshot: Snapshot) -> None:
        self._writer.start()
        self._writer.write(typed_line("start", self._start))

    def on_event(self, event: Event) -> None:
        if self._verbose or isinstance(event, Notice):
            item, size = light(event)
            self._writer.write((utc_now(), item), size)

    def on_records(self, records: list[Record]) -> None:
        if self._verbose:
            for record in records:
                if record.error is not None:
                    item, size = light(record)
                    self._writer.write((utc_now(), item), size)

    def on_snapshot(self, snapshot: Snapshot) -> None:
        if snapshot.elapsed >= self._next:
            self._next = snapshot.elapsed + INTERVAL
            self._latest = (utc_now(), snapshot)
            self._writer.wake()

    def on_finish(self, snapshot: Snapshot) -> None:
        self._latest = (utc_now(), snapshot)
        self._writer.close()

    def _write(self, messages: list[bytes | tuple[str, Event | Record]], dropped: int, _last: bool) -> None:
        lines = [
            each if isinstance(each, bytes) else entry_line(entry_of(each[1], each[0])) for each in messages
        ]
        if dropped:
            text = str(dropped_line(dropped))
            lines.append(entry_line(message_entry(EventKind.NOTICE, text, utc_now())))
        latest, self._latest = self._latest, None
        if latest is not None:
            lines.append(_progress_line(*latest))
        if lines:
            self._write_lines(b"".join(lines))


def _progress_line(time: str, snapshot: Snapshot) -> bytes:
    return b'{"type":"progress","time":"%s",%s\n' % (time.encode(), encode(snapshot)[1:])


def entry_line(entry: LogEntry) -> bytes:
    """Return the line of an entry: `failure` for a failed row, else `notice`."""
    return typed_line("failure" if entry.event is EventKind.FAILED else "notice", entry)
