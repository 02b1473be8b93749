"""URLs from files, gzipped files, pipes and standard input, in the order given.

In: paths (`-` is standard input). Out: requests. One reader thread reads a little ahead into a
bounded buffer, so that the list is never in memory, the first line of a pipe that stays open is
there at once, and a slow disk never holds up the engine:

    inputs ──reader thread: read, inflate, cut into lines──▶ a few batches ──take()──▶ requests

What can't be read is found out before anything is fetched; what breaks off midway is told in
`failure`, and the reading goes on with the next input (fault 35).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from msgspec import Struct

from fetchpool.model import FetchRequest
from fetchpool.sources.inputs import BrokenInputError, Input, open_inputs
from fetchpool.sources.lines import LineReader
from fetchpool.urls import request

BUFFERED = 8
"""Batches read ahead, each of the lines of one chunk: half a megabyte of text at most."""


class Batch(Struct, frozen=True):
    """The lines of one chunk, and the byte of all inputs together that they reach to."""

    lines: list[str]
    offset: int


class FileSource:
    """A `Source` over files. `urlnum` counts URLs, not lines, across all inputs."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Opens all of them. Raises `InputError` for the first that can't be read."""
        self._inputs = open_inputs(paths)
        self.exhausted = False
        self.failure: str | None = None
        self.bytes_read = 0
        sizes = [each.size for each in self._inputs if each.size is not None]
        self.bytes_total = sum(sizes) if len(sizes) == len(self._inputs) else None
        self._urlnum = 0
        self._batch = Batch([], 0)
        self._taken = 0
        """Lines of the batch that were handed over."""
        self._batch_start = 0
        self._reader = Reader(self._inputs)

    def start(self, notify: Callable[[], None]) -> None:
        """Starts the reader thread."""
        self._reader.start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """At most `limit` requests of what the reader has ready; never waits for it."""
        requests: list[FetchRequest] = []
        while (room := limit - len(requests)) > 0:
            lines = self._batch.lines[self._taken : self._taken + room]
            if not lines:
                if not self._next_batch():
                    break
                continue
            urlnum = self._urlnum
            requests += [request(urlnum + place, line) for place, line in enumerate(lines)]
            self._urlnum += len(lines)
            self._taken += len(lines)
        self._account()
        return requests

    def close(self) -> None:
        """Stops the reader after the read it is in. Idempotent."""
        self._reader.close()

    def _next_batch(self) -> bool:
        batch = self._reader.next()
        if batch is None:
            return False
        self._batch_start, self._batch, self._taken = self._batch.offset, batch, 0
        return True

    def _account(self) -> None:
        """Where the requests handed over so far reach to, and whether they are all there are."""
        start, end, count = self._batch_start, self._batch.offset, len(self._batch.lines)
        if self._taken < count:
            self.bytes_read = start + (end - start) * self._taken // count
            return
        self.bytes_read = end
        if self._reader.drained():
            self.exhausted = True
            self.failure = "; ".join(self._reader.failures) or None


class Reader:
    """The reader thread, and the buffer between it and the engine's."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self.failures: list[str] = []
        """Of inputs that broke off, one line each; complete once `drained()`."""
        self._inputs = inputs
        self._notify: Callable[[], None] | None = None
        self._changed = threading.Condition()
        # Guarded by it:
        self._batches: deque[Batch] = deque()
        self._wanted = True
        """The engine came up empty and was not told yet that there is something again."""
        self._ended = False
        self._closed = False

    def start(self, notify: Callable[[], None]) -> None:
        """A daemon thread, so that a read on a silent terminal keeps no process alive."""
        self._notify = notify
        threading.Thread(target=self._run, args=(notify,), name="fetchpool-source", daemon=True).start()

    def next(self) -> Batch | None:
        """The next batch, or None when there is none now; `notify` follows then."""
        with self._changed:
            if not self._batches:
                self._wanted = True
                return None
            self._changed.notify_all()
            return self._batches.popleft()

    def drained(self) -> bool:
        """Whether the inputs were read to their end and every batch handed over."""
        with self._changed:
            return self._ended and not self._batches

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._batches.clear()
            self._changed.notify_all()
        if self._notify is None:  # no thread that would close them after its last read
            self._close_inputs()

    def _run(self, notify: Callable[[], None]) -> None:
        complete = False
        try:
            offset = 0
            for each in self._inputs:
                offset = self._read(each, offset, notify)
            complete = True
        finally:
            if not complete:  # a defect of our own must not pass for the end of the list
                self.failures.append("the input's reader ended early, by a defect of fetchpool's")
            self._close_inputs()
            with self._changed:
                self._ended = True
            notify()

    def _read(self, each: Input, offset: int, notify: Callable[[], None]) -> int:
        """One input, from byte `offset` of all together; returns where it ends."""
        lines = LineReader()
        reached = 0
        try:
            for chunk, reached in each.chunks():
                if not self._put(Batch(lines.feed(chunk), offset + reached), notify):
                    return offset
            self._put(Batch(lines.finish(), offset + reached), notify)
        except BrokenInputError as failure:  # the line it broke off in is not what was meant
            self.failures.append(str(failure))
        return offset + reached

    def _put(self, batch: Batch, notify: Callable[[], None]) -> bool:
        """Hands a batch over, when there is room; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._batches) < BUFFERED or self._closed)
            if self._closed:
                return False
            self._batches.append(batch)
            wanted, self._wanted = self._wanted, False
        if wanted:
            notify()
        return True

    def _close_inputs(self) -> None:
        for each in self._inputs:
            each.close()
