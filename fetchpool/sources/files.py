"""Reads URLs from files (also compressed), pipes, standard input and arguments, in the given order.

In: INPUT arguments (`-` is standard input). Out: requests. A reader thread reads ahead into a bounded buffer,
so that the list is never in memory, the first line of a pipe that stays open is available at once, and a slow
disk never blocks the engine:

    inputs ──reader thread: read, decompress, split into rows──▶ a few batches ──take()──▶ requests

An input that can't be read is reported before anything is fetched. One that fails during reading is reported
in `failure`, and reading continues with the next input (fault 35).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from fetchpool.model.derive import listed_by
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.model.urls import request
from fetchpool.sources.batch import Input, UrlBatch
from fetchpool.sources.inputs import InputOptions, open_inputs
from fetchpool.sources.reader import Reader
from fetchpool.sources.table_rows import TableOptions

TAKEN_BYTES = 4 << 20
"""Maximum number of bytes that one `take()` returns, not counting the last batch."""


class FileSource:
    """A `Source` over files. `urlnum` counts URLs, not lines, across all inputs."""

    def __init__(
        self,
        arguments: Sequence[str],
        table: TableOptions | None = None,
        *,
        encoding: str = "",
        with_line: bool = False,
        more: Sequence[Input] = (),
    ) -> None:
        """Open all inputs. `table`: the options of inputs with columns; without it every line is a URL.
        `with_line`: each URL gets a column with its position. `more`: opened inputs to read after the others.
        Raises `InputError` for the first input that can't be read."""
        self._inputs = [*open_inputs(arguments, InputOptions(table, encoding, with_line)), *more]
        self.columns = tuple(dict.fromkeys(name for each in self._inputs for name in each.columns))
        """The names of the columns that are copied to the rows, as far as they are known now."""
        self.notices = [each.notice for each in self._inputs if each.notice]
        """Notices for the user; the caller removes them."""
        self.lazy = False
        self.exhausted = False
        self.failure: str | None = None
        self.bytes_read = 0
        sizes = [each.size for each in self._inputs if each.size is not None]
        self.bytes_total = sum(sizes) if len(sizes) == len(self._inputs) else None
        self._urlnum = 0
        self._batch = UrlBatch([], 0)
        self._taken = 0
        """Number of lines of the batch that were returned."""
        self._total_weight = 0
        """The size of all batches so far."""
        self._batch_start = 0
        self._reader = Reader(self._inputs)

    def start(self, notify: Callable[[], None]) -> None:
        """Start the reader thread."""
        self._reader.start(notify)

    def take(self, limit: int) -> list[FetchRequest]:
        """Return at most `limit` requests that have been read already; never waits."""
        requests: list[FetchRequest] = []
        max_weight = self._total_weight + TAKEN_BYTES
        while (wanted := limit - len(requests)) > 0:
            lines = self._batch.lines[self._taken : self._taken + wanted]
            if not lines:
                if self._total_weight >= max_weight or not self._next_batch():
                    break
                continue
            urlnum = self._urlnum
            found = [request(urlnum + place, line) for place, line in enumerate(lines)]
            if self._batch.columns is not None:
                taken = slice(self._taken, self._taken + wanted)
                columns, weights = self._batch.columns[taken], self._batch.weights[taken]
                found = [
                    replace(each, input_columns=kept, weight=each.weight + weight)
                    for each, kept, weight in zip(found, columns, weights, strict=True)
                ]
            if self._batch.listed_by is not None:
                origin, from_public = self._batch.listed_by
                found = [listed_by(each, origin, from_public=from_public) for each in found]
            if self._batch.problems:
                found = [self._with_problem(each, index) for index, each in enumerate(found, self._taken)]
            requests += found
            self._urlnum += len(lines)
            self._taken += len(lines)
        self._update_progress()
        return requests

    def close(self) -> None:
        """Stop the reader after its current read. Idempotent."""
        self._reader.close()

    def _with_problem(self, found: FetchRequest, index: int) -> FetchRequest:
        """Reject a request whose line is not a URL, even if its text could be fetched."""
        problem = self._batch.problems.get(index)
        if problem is None:
            return found
        return replace(found, error=FailureKind.INVALID_URL, error_message=problem)

    def _next_batch(self) -> bool:
        batch = self._reader.next()
        if batch is None:
            return False
        self._batch_start, self._batch, self._taken = self._batch.offset, batch, 0
        if batch.notice:
            self.notices.append(batch.notice)
        self._total_weight += batch.weight
        return True

    def _update_progress(self) -> None:
        """Update the offset that the returned requests reach, and whether the source is exhausted."""
        start, end, count = self._batch_start, self._batch.offset, len(self._batch.lines)
        if self._taken < count:
            self.bytes_read = start + (end - start) * self._taken // count
            return
        self.bytes_read = end
        if self._reader.drained():
            self.exhausted = True
            self.failure = "; ".join(self._reader.failures) or None
