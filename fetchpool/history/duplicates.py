"""Filters out URLs that need no fetch: repeated, in another shard, or with a row from an earlier run.

In: the rows of the outputs (with `--resume`; `engine/build.py` passes them), then requests as they are read
from the list. Out: the requests to fetch, and the outputs that lack each row. The module opens nothing, and
stores no URLs, but for each URL a fingerprint, a mark that the list had it, and one byte for each output:

    0  the output has no row of it       1  its final row has no error       2…  its final row has that error

Inputs without a URL are never duplicates: each gets its own row. On resume the first N of them count as done,
where N is the number of such rows that the output has, since fetching them again changes nothing.

The outputs are the only state of a run, so no other state can get lost or contradict them; the list and the
flags of a resumed run are the new ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.history.seen import SeenSet
from fetchpool.model.failures import ERRORS, FailureKind, resumable_error
from fetchpool.model.fingerprint import display_url, from_href, from_record_url, from_request
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.request import FetchRequest
from fetchpool.model.shard import Shard

IN_INPUT = 0
"""The index of the mark that the list had the URL; the outputs' marks follow."""
MAX_DEPTH = 254
"""The largest depth that marks distinguish."""
OK = 1
FIRST_ERROR = 2
NO_ROW = frozenset((0,))
CODES: dict[str | None, int] = {
    None: OK,
    **{str(error): code for code, error in enumerate(ERRORS, FIRST_ERROR)},
}

NO_URL = CODES[FailureKind.INVALID_URL]


def _code(error: str | None) -> int:
    """Return the code of an error that is not in `ERRORS`."""
    return CODES[None if error is None else resumable_error(error)]


def from_href_text(url: str) -> bytes:
    """Return the fingerprint of a row of a crawl, whose URL is normalised."""
    return from_href(url.encode("utf-8", "surrogatepass"))


class DuplicateFilter:
    """Filters requests. Must be called once for each request of the list, in order."""

    def __init__(
        self,
        *,
        dedupe: bool = True,
        stored_rows: Sequence[Iterator[list[StoredRow | None]]] = (),
        retry_errors: Collection[str] = (),
        memory: int = DEFAULT_MEMORY,
        claims: bool = False,
        has_depths: bool = False,
        shard: Shard | None = None,
    ) -> None:
        """`stored_rows`: the rows of each output to resume from. `retry_errors`: URLs whose row has one of
        these errors are fetched again. `memory`: in bytes; beyond it a temporary file is used. `claims`: the
        list has each URL once, because each was passed to `claim()` before it was added. `has_depths`: store
        the depth of each URL. `shard`: the part of the list to fetch."""
        self._claims = claims
        self._has_depths = has_depths
        self._shard = shard
        self._filters = dedupe or bool(stored_rows)
        self._seen = SeenSet(1 + len(stored_rows) if stored_rows or has_depths else 0, memory=memory)
        self._unread = deque(enumerate(stored_rows, IN_INPUT + 1))
        self._outputs = range(IN_INPUT + 1, IN_INPUT + 1 + len(stored_rows))
        self._missing = frozenset((0, *(CODES[error] for error in retry_errors)))
        self._without_url = [0] * (1 + len(stored_rows))
        """The numbers of inputs without a URL, and of such rows in each output."""
        self._have: dict[int, set[int]] = {}
        """The outputs that already have a row of a URL that is fetched for the others, by urlnum."""
        self._meanings: dict[bytes, tuple[int, str | None]] = {}
        """Cache of the meanings of marks of stored lines, of which few are distinct."""
        self.duplicates = 0
        self.rows_read = 0
        """Number of stored rows that were read."""
        self.corrupt_rows = 0
        """Number of lines of the outputs that can't be read as rows."""

    def load(self) -> bool:
        """Read the next batch of stored rows. Return False if there are no more. This must happen before
        `filter()` is called."""
        while self._unread:
            index, stored_rows = self._unread[0]
            rows = next(stored_rows, None)
            if rows is not None:
                self.rows_read += len(rows)
                set_mark = self._seen.set_mark
                fingerprint = from_href_text if self._claims else from_record_url
                for row in rows:
                    if row is None:
                        self.corrupt_rows += 1
                    elif not row.url:
                        self._without_url[index] += 1
                    else:  # a later row of the same URL overwrites the mark of an earlier one
                        set_mark(fingerprint(row.url), index, CODES.get(row.error) or _code(row.error))
                return True
            self._unread.popleft()
        return False

    def filter(self, requests: list[FetchRequest]) -> tuple[list[FetchRequest], list[StoredRow]]:
        """Return the requests to fetch, and the rows of those that are done. All others are duplicates, or
        belong to other shards."""
        if (shard := self._shard) is not None:
            requests = [request for request in requests if request in shard]
        if not self._filters or (self._claims and not self._outputs):
            return requests, []
        if not self._outputs:
            add = self._seen.add
            wanted = [request for request in requests if not request.url or add(from_request(request))]
            self.duplicates += len(requests) - len(wanted)
            return wanted, []
        wanted, earlier = [], []
        for request in requests:
            if request.url:
                marks, missing = self._seen.set_mark(from_request(request), IN_INPUT, 1), self._missing
            else:
                marks, missing = self._next_without_url(), NO_ROW
            if marks[IN_INPUT] and not self._claims:
                self.duplicates += 1
                continue
            have = {index for index in self._outputs if marks[index] not in missing}
            if len(have) == len(self._outputs):
                code = max(marks[IN_INPUT + 1 :])  # if outputs differ, an error counts
                error = None if code == OK else ERRORS[code - FIRST_ERROR]
                earlier.append(StoredRow(display_url(request.url), error))
                continue
            wanted.append(request)
            if have:
                self._have[request.urlnum] = have
        return wanted, earlier

    def has_row(self, fingerprint: bytes) -> bool:
        """Whether every output has a row that counts for a URL. Only before the first URL is claimed."""
        codes = self._seen.set_mark(fingerprint, IN_INPUT, 0)[IN_INPUT + 1 :]
        return all(code not in self._missing for code in codes)

    def depth_of(self, fingerprint: bytes) -> int:
        """Return the depth of a claimed URL; -1 for any other. For a filter with depths."""
        before = self._seen.set_mark(fingerprint, IN_INPUT, 0)[IN_INPUT]
        if before:
            self._seen.set_mark(fingerprint, IN_INPUT, before)
        return before - 1

    def claim(self, fingerprint: bytes, depth: int) -> bool:
        """Record that the list has a URL, at this depth; return whether it is new. For a list that grows
        during the run."""
        if not self._outputs and not self._has_depths:
            return self._seen.add(fingerprint)
        return self._claim(fingerprint, depth) == 0

    def claim_closer(self, fingerprint: bytes, depth: int) -> int | None:
        """Record that the list has a URL at this depth. Return the previous depth, -1 if there is none; None
        if the previous depth is not larger."""
        mark = min(depth, MAX_DEPTH) + 1
        before = self._claim(fingerprint, depth)
        if 0 < before <= mark:
            return None
        if before:
            self._seen.set_mark(fingerprint, IN_INPUT, mark)
        return before - 1

    def _claim(self, fingerprint: bytes, depth: int) -> int:
        """Set the depth of a URL if it has none, and return the previous mark."""
        mark = min(depth, MAX_DEPTH) + 1
        before = self._seen.set_mark(fingerprint, IN_INPUT, mark)[IN_INPUT]
        if before and before != mark:
            self._seen.set_mark(fingerprint, IN_INPUT, before)
        return before

    def is_left(self, fingerprint: bytes, depth: int) -> bool:
        """Whether a URL is left to fetch: an output has no row that counts for it, and the list does not have
        it at a smaller depth. `depth`: the one of the line."""
        if not self._outputs and not self._has_depths:
            return True
        mark = min(depth, MAX_DEPTH) + 1
        marks = self._seen.set_mark(fingerprint, IN_INPUT, mark)
        if marks[IN_INPUT] and marks[IN_INPUT] != mark:
            self._seen.set_mark(fingerprint, IN_INPUT, marks[IN_INPUT])
            return False
        return not self._outputs or any(code in self._missing for code in marks[IN_INPUT + 1 :])

    def claim_stored(self, fingerprints: list[bytes], depths: list[int]) -> list[tuple[int, str | None]]:
        """Record that the list has URLs at these depths, as stored lines say. Return for each the smallest
        depth from before, -1 if there is none, and the error of the URL's row: None without an error, and an
        empty text if an output has no row that counts."""
        seen = self._seen
        if not self._outputs and not self._has_depths:
            return [
                (-1 if seen.add(fingerprint) else depth, "")
                for fingerprint, depth in zip(fingerprints, depths, strict=True)
            ]
        found: list[tuple[int, str | None]] = []
        set_mark, meanings = seen.set_mark, self._meanings
        for fingerprint, depth in zip(fingerprints, depths, strict=True):
            mark = depth + 1 if depth < MAX_DEPTH else MAX_DEPTH + 1
            marks = set_mark(fingerprint, IN_INPUT, mark)
            if 0 < marks[IN_INPUT] < mark:
                set_mark(fingerprint, IN_INPUT, marks[IN_INPUT])
            meaning = meanings.get(marks)
            if meaning is None:
                meaning = meanings[marks] = self._meaning(marks)
            found.append(meaning)
        return found

    def _meaning(self, marks: bytes) -> tuple[int, str | None]:
        """Return the depth that marks have, and the error of the URL's row, as `claim_stored()` does."""
        depth, codes = marks[IN_INPUT] - 1, marks[IN_INPUT + 1 :]
        worst = max(codes, default=0)  # if outputs differ, an error counts
        if not worst or any(code in self._missing for code in codes):
            return depth, ""
        return depth, None if worst == OK else ERRORS[worst - FIRST_ERROR]

    def _next_without_url(self) -> bytes:
        """Return the marks of the list's next input without a URL."""
        number = self._without_url[IN_INPUT]
        self._without_url[IN_INPUT] += 1
        return bytes([0, *[NO_URL if self._without_url[index] > number else 0 for index in self._outputs]])

    def missing_from(self, records: list[Record], output: int) -> list[Record]:
        """Return the records that an output lacks. `output`: its number, from 0."""
        if not self._have:
            return records
        index, have = IN_INPUT + 1 + output, self._have
        return [record for record in records if index not in have.get(record.urlnum, ())]

    def mark_written(self, records: list[Record]) -> None:
        """Drop the information about which outputs lack these records, which have been written."""
        if self._have:
            for record in records:
                self._have.pop(record.urlnum, None)
