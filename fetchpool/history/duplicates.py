"""What needs no fetch: a URL that the list had before, and one whose row an earlier run has left.

In: what the outputs hold (with `--resume`), then requests as they are read from the list. Out: the
requests that are to be fetched, and for each row which outputs lack it. It opens nothing and keeps no
URL: of each it has a fingerprint, a mark that the list had it, and one byte for each output:

    0  that output has no row of it       1  its final row there is fine       2…  it has that error

A row without a URL is like no other: every one of the list gets its own. Nothing comes of asking again, so as
many of them as an output has are done, the first of the list.

The output is the journal of a run. There is no other state to lose, or to disagree with it; the list
and the flags of a resumed run are the new ones.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence

from fetchpool.config.choices import DEFAULT_MEMORY
from fetchpool.history.seen import SeenSet
from fetchpool.model.failures import ERRORS, OTHER, FailureKind
from fetchpool.model.fingerprint import from_record_url, from_request, shown
from fetchpool.model.record import Record, StoredRow
from fetchpool.model.request import FetchRequest

LISTED = 0
"""The place of the mark that the list had it; the outputs' come behind it."""
FINE = 1
FIRST_ERROR = 2
NO_ROW = frozenset((0,))
CODES: dict[str | None, int] = {
    None: FINE,
    **{str(error): code for code, error in enumerate(ERRORS, FIRST_ERROR)},
}

NO_URL = CODES[FailureKind.INVALID_URL]


class DuplicateFilter:
    """Asked for every URL of the list, once each, in order."""

    def __init__(
        self,
        *,
        dedupe: bool = True,
        journals: Sequence[Iterator[list[StoredRow | None]]] = (),
        again: Collection[str] = (),
        memory: int = DEFAULT_MEMORY,
    ) -> None:
        """`journals`: the rows of each output, to be resumed from; none otherwise. `again`: the errors
        with which a row doesn't count as one. `memory`: bytes, beyond which there is a disk."""
        self._sifts = dedupe or bool(journals)
        self._seen = SeenSet(1 + len(journals) if journals else 0, memory=memory)
        self._journals = deque(enumerate(journals, LISTED + 1))
        self._places = range(LISTED + 1, LISTED + 1 + len(journals))
        self._missing = frozenset((0, *(CODES[error] for error in again)))
        self._nameless = [0] * (1 + len(journals))
        """Rows without a URL: how many the list had, and the outputs have."""
        self._have: dict[int, set[int]] = {}
        """By urlnum, which outputs have a row of what is fetched for the others."""
        self.duplicates = 0
        self.damaged = 0
        """Lines of the outputs that are no rows."""

    def read_back(self) -> bool:
        """Reads on in what the outputs hold, a piece; False when there was nothing more.
        Must return False before anything is filtered."""
        while self._journals:
            place, journal = self._journals[0]
            rows = next(journal, None)
            if rows is not None:
                mark = self._seen.mark
                for row in rows:
                    if row is None:
                        self.damaged += 1
                    elif not row.url:
                        self._nameless[place] += 1
                    else:  # a later row of the same URL writes over an earlier one's
                        mark(from_record_url(row.url), place, CODES.get(row.error) or CODES[OTHER])
                return True
            self._journals.popleft()
        return False

    def filter(self, requests: list[FetchRequest]) -> tuple[list[FetchRequest], list[StoredRow]]:
        """Those that are to be fetched, and those that are done; the rest the list had before."""
        if not self._sifts:
            return requests, []
        if not self._places:
            add = self._seen.add
            wanted = [request for request in requests if not request.url or add(from_request(request))]
            self.duplicates += len(requests) - len(wanted)
            return wanted, []
        wanted, earlier = [], []
        for request in requests:
            if request.url:
                marks, missing = self._seen.mark(from_request(request), LISTED, 1), self._missing
            else:
                marks, missing = self._next_nameless(), NO_ROW
            if marks[LISTED]:
                self.duplicates += 1
                continue
            have = {place for place in self._places if marks[place] not in missing}
            if len(have) == len(self._places):
                code = max(marks[LISTED + 1 :])  # of outputs that differ, one that says it failed
                error = None if code == FINE else ERRORS[code - FIRST_ERROR]
                earlier.append(StoredRow(shown(request.url), error))
                continue
            wanted.append(request)
            if have:
                self._have[request.urlnum] = have
        return wanted, earlier

    def _next_nameless(self) -> bytes:
        """The marks of the list's next row without a URL."""
        number = self._nameless[LISTED]
        self._nameless[LISTED] += 1
        return bytes([0, *[NO_URL if self._nameless[place] > number else 0 for place in self._places]])

    def missing_from(self, records: list[Record], output: int) -> list[Record]:
        """Of the records, those that the output with this number, from 0, is to be given."""
        if not self._have:
            return records
        place, have = LISTED + 1 + output, self._have
        return [record for record in records if place not in have.get(record.urlnum, ())]

    def settle(self, records: list[Record]) -> None:
        """Their rows have been given to the outputs."""
        if self._have:
            for record in records:
                self._have.pop(record.urlnum, None)
