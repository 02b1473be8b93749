"""URLs from files, compressed ones too, pipes and standard input, in the order given.

In: paths (`-` is standard input). Out: requests. One reader thread reads a little ahead into a
bounded buffer, so that the list is never in memory, the first line of a pipe that stays open is
there at once, and a slow disk never holds up the engine:

    inputs ──reader thread: read, decompress, cut into rows──▶ a few batches ──take()──▶ requests

What can't be read is found out before anything is fetched; what breaks off midway is told in
`failure`, and the reading goes on with the next input (fault 35).
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

from msgspec import Struct
from msgspec.structs import replace

from fetchpool.model.errors import InputError
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.urls import request
from fetchpool.runtime import threads
from fetchpool.sources import tables
from fetchpool.sources.decompress import by_name
from fetchpool.sources.file_types import PARQUET
from fetchpool.sources.input_file import InputFile, InputReadError
from fetchpool.sources.lines import LineSplitter
from fetchpool.sources.table_rows import Columns, TableFormatError, TableOptions

BUFFERED = 8
"""Batches read ahead, each of the lines of one chunk at most."""
BUFFERED_BYTES = 4 << 20
"""What they weigh together, unless it is a single one."""
TAKEN_BYTES = 4 << 20
"""What is handed over at once weighs no more, but for what is in its last batch."""


class UrlBatch(Struct, frozen=True):
    """The URLs of one chunk, and the byte of all inputs together that they reach to."""

    lines: list[str]
    offset: int
    weight: int = 0
    """Bytes that it holds, about."""
    columns: list[Columns] | None = None
    """What the input says of each beside, when that is passed through."""
    weights: list[int] = []
    """What the columns of each weigh."""
    problems: dict[int, str] = {}
    """By the place in `lines`, why that is no URL."""


class LineInput:
    """An input with a URL a line."""

    def __init__(self, path: str) -> None:
        """Opens it. Raises `InputError`."""
        self.input = InputFile(path)
        self.size = self.input.size
        self.columns: list[str] = []
        self.notice = ""
        """What the person should know of it; one line."""
        if _suffix(path) in tables.FORMATS and self.size is not None and tables.begins_one(_first_line(path)):
            self.notice = f"{self.input.name} looks like a table: --url-column NAME reads its URLs"

    def batches(self) -> Iterator[UrlBatch]:
        """With offsets in this input. Raises `InputReadError`: the line it broke off in is not what was
        meant."""
        lines = LineSplitter()
        reached = 0
        for chunk, reached in self.input.chunks():
            yield UrlBatch(lines.feed(chunk), reached, len(chunk))
        yield UrlBatch(lines.finish(), reached)

    def close(self) -> None:
        self.input.close()


class TableInput:
    """An input with columns."""

    def __init__(self, path: str, table: TableOptions) -> None:
        """Opens it; of a file, its columns are looked at. Raises `InputError`."""
        self._table = table
        self._format = tables.FORMATS.get(_suffix(path))
        is_parquet = Path(path).suffix.lower() == ".parquet"
        self.input = InputFile(path, but=PARQUET if is_parquet else b"")
        self.size = self.input.size
        self._parquet = path if is_parquet else ""
        self.notice = ""
        self.columns: list[str] = []
        """Those that rows will have beside the URL, as far as they are known beforehand."""
        try:
            self.columns = self._look(path)
        except TableFormatError as failure:
            self.close()
            raise InputError(f"{self.input.name}: {failure}") from failure
        except InputReadError:  # it will be told again, and what can be read is fetched
            self.columns = []

    def _look(self, path: str) -> list[str]:
        if self._parquet:
            columns: list[str] = _parquet_room().header(path, self._table)
            return columns
        if self.size is None or path == "-":
            return []
        chunks = InputFile(path).chunks()
        try:
            return tables.header(chunks, self._format, self._table)
        finally:
            chunks.close()

    def batches(self) -> Iterator[UrlBatch]:
        """The same as a list's."""
        if self._parquet:
            rows = _parquet_room().read(self._parquet, self._table)
        else:
            rows = tables.read(self.input.chunks(), self._format, self._table)
        try:
            for found in rows:
                yield UrlBatch(
                    found.urls, found.offset, found.weight, found.columns, found.weights, found.problems
                )
        except TableFormatError as failure:
            raise InputReadError(f"{self.input.name}: {failure}") from failure

    def close(self) -> None:
        self.input.close()


def _suffix(path: str) -> str:
    named = by_name(path)
    return Path(path.removesuffix(named.suffix) if named else path).suffix.lower()


def _first_line(path: str) -> str:
    """Of a list; empty when its first piece has none."""
    lines = LineSplitter()
    chunks = InputFile(path).chunks()
    try:
        chunk, _ = next(chunks, (b"", 0))
    except InputReadError:  # it will be told again
        return ""
    finally:
        chunks.close()
    return next(iter(lines.feed(chunk) + lines.finish()), "")


def _parquet_room() -> ModuleType:
    try:
        from fetchpool.sources import parquet
    except ImportError as failure:
        fix = "pip install 'fetchpool[parquet]'"
        raise TableFormatError(f"Parquet needs pyarrow, which isn't installed: {fix}") from failure
    return parquet


class FileSource:
    """A `Source` over files. `urlnum` counts URLs, not lines, across all inputs."""

    def __init__(self, paths: Sequence[str], table: TableOptions | None = None) -> None:
        """Opens all of them. `table`: what is wanted of inputs with columns; without it every line is a
        URL. Raises `InputError` for the first that can't be read."""
        self._inputs = _opened(paths, table)
        self.columns = tuple(dict.fromkeys(name for each in self._inputs for name in each.columns))
        """Those that are passed through, as far as they are known beforehand."""
        self.notices = [each.notice for each in self._inputs if each.notice]
        """A line for each of which the person should know something."""
        self.lazy = False
        self.exhausted = False
        self.failure: str | None = None
        self.bytes_read = 0
        sizes = [each.size for each in self._inputs if each.size is not None]
        self.bytes_total = sum(sizes) if len(sizes) == len(self._inputs) else None
        self._urlnum = 0
        self._batch = UrlBatch([], 0)
        self._taken = 0
        """Lines of the batch that were handed over."""
        self._passed_on = 0
        """What all batches so far weigh."""
        self._batch_start = 0
        self._reader = Reader(self._inputs)

    def start(self, notify: Callable[[], None]) -> None:
        """Starts the reader thread."""
        self._reader.start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """At most `limit` requests of what the reader has ready; never waits for it."""
        requests: list[FetchRequest] = []
        most = self._passed_on + TAKEN_BYTES
        while (room := limit - len(requests)) > 0:
            lines = self._batch.lines[self._taken : self._taken + room]
            if not lines:
                if self._passed_on >= most or not self._next_batch():
                    break
                continue
            urlnum = self._urlnum
            found = [request(urlnum + place, line) for place, line in enumerate(lines)]
            if self._batch.columns is not None:
                taken = slice(self._taken, self._taken + room)
                columns, weights = self._batch.columns[taken], self._batch.weights[taken]
                found = [
                    replace(each, columns=kept, weight=each.weight + weight)
                    for each, kept, weight in zip(found, columns, weights, strict=True)
                ]
            if self._batch.problems:
                found = [self._told(each, place) for place, each in enumerate(found, self._taken)]
            requests += found
            self._urlnum += len(lines)
            self._taken += len(lines)
        self._account()
        return requests

    def close(self) -> None:
        """Stops the reader after the read it is in. Idempotent."""
        self._reader.close()

    def _told(self, found: FetchRequest, place: int) -> FetchRequest:
        """Refused when the input says that it is none, though its text might be fetched."""
        problem = self._batch.problems.get(place)
        if problem is None:
            return found
        return replace(found, refused=FailureKind.INVALID_URL, problem=problem)

    def _next_batch(self) -> bool:
        batch = self._reader.next()
        if batch is None:
            return False
        self._batch_start, self._batch, self._taken = self._batch.offset, batch, 0
        self._passed_on += batch.weight
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

    def __init__(self, inputs: Sequence[LineInput | TableInput]) -> None:
        self.failures: list[str] = []
        """Of inputs that broke off, one line each; complete once `drained()`."""
        self._inputs = inputs
        self._notify: Callable[[], None] | None = None
        self._changed = threading.Condition()
        # Guarded by it:
        self._batches: deque[UrlBatch] = deque()
        self._weight = 0
        """Of those."""
        self._wanted = True
        """The engine came up empty and was not told yet that there is something again."""
        self._ended = False
        self._closed = False

    def start(self, notify: Callable[[], None]) -> None:
        """A daemon thread, so that a read on a silent terminal keeps no process alive."""
        threads.start(self._run, "fetchpool-source", notify)
        self._notify = notify

    def next(self) -> UrlBatch | None:
        """The next batch, or None when there is none now; `notify` follows then."""
        with self._changed:
            if not self._batches:
                self._wanted = True
                return None
            self._changed.notify_all()
            batch = self._batches.popleft()
            self._weight -= batch.weight
            return batch

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

    def _read(self, each: LineInput | TableInput, offset: int, notify: Callable[[], None]) -> int:
        """One input, from byte `offset` of all together; returns where it ends."""
        reached = offset
        try:
            for batch in each.batches():
                reached = offset + batch.offset
                if not self._put(replace(batch, offset=reached), notify):
                    return offset
        except InputReadError as failure:
            self.failures.append(str(failure))
        return reached

    def _put(self, batch: UrlBatch, notify: Callable[[], None]) -> bool:
        """Hands a batch over, when there is room; False once closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_room(batch.weight) or self._closed)
            if self._closed:
                return False
            self._batches.append(batch)
            self._weight += batch.weight
            wanted, self._wanted = self._wanted, False
        if wanted:
            notify()
        return True

    def _has_room(self, weight: int) -> bool:
        if not self._batches:
            return True
        return len(self._batches) < BUFFERED and self._weight + weight <= BUFFERED_BYTES

    def _close_inputs(self) -> None:
        for each in self._inputs:
            each.close()


def _opened(paths: Sequence[str], table: TableOptions | None) -> list[LineInput | TableInput]:
    """All of them, or `InputError` for the first that can't be read; then none stays open."""
    inputs: list[LineInput | TableInput] = []
    try:
        for path in paths:
            inputs.append(LineInput(path) if table is None else TableInput(path, table))
    except BaseException:
        for opened in inputs:
            opened.close()
        raise
    return inputs
