"""Frontier: the URLs that a crawl has found, as a source of requests and a file.

In: URLs as they are found, each once. Out: requests for them, in the same order, or level by level. The URLs
are only in the file, so memory doesn't grow with them.

    append() ──▶ frontier file: a line for each URL ──take()──▶ requests

A line is a JSON object with the URL and how it was found. Its number is the `urlnum` of the URL. A resumed
crawl needs only this file and the rows: a URL with a row is done, all others are left.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from msgspec.structs import replace

from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier_file import FrontierFile
from fetchpool.history.frontier_line import VERSION, FrontierLine, decode_line, encode_lines
from fetchpool.history.stored_lines import StoredLines
from fetchpool.model import urls
from fetchpool.model.discovery import Discovery
from fetchpool.model.errors import UsageError
from fetchpool.model.fingerprint import from_href
from fetchpool.model.record import StoredRow
from fetchpool.model.request import FetchRequest

BLOCK = 1 << 17


class Frontier:
    """A `Source` of the URLs of a crawl. Only the engine's thread calls it."""

    def __init__(
        self,
        file: FrontierFile,
        known: DuplicateFilter,
        *,
        max_depth: int | None = None,
        max_pages: int | None = None,
    ) -> None:
        """`known`: the URLs of the frontier, and those with rows of earlier runs. `max_depth`: deeper URLs
        are stored, but not returned. With a maximum, each level is returned after the previous one has ended,
        so that each URL gets the smallest possible depth. `max_pages`: the number of requests to return,
        including those of earlier runs."""
        self.file = file
        self._known = known
        self._max_depth = max_depth
        self._max_pages = max_pages
        self._stored_end = file.size
        """The end of the lines of earlier runs."""
        self._stored: StoredLines | None = None
        """The lines of earlier runs, while they are read."""
        self._gaps: dict[int, tuple[int, int]] = {}
        """Stored lines that need not be read: by the offset of the first, the offset and number of the next
        line to read."""
        self._checks_all = max_pages is not None or max_depth is not None
        """Whether stored lines are checked against the rules while they are loaded, since a limit depends on
        their number; otherwise as they are returned, since the check takes as long as all the rest."""
        self._num_lines = 0
        self._number = 0
        """The number of the line at the reading position."""
        self._block = b""
        self._block_start = 0
        self._at = 0
        """The reading position within the block."""
        self._level = 0
        self._next_level: tuple[int, int] | None = None
        """Offset and number of the first line that was skipped because it belongs to the next level."""
        self.pages = 0
        """Number of URLs that were returned or have a row of an earlier run."""
        self.waiting = 0
        """Number of URLs that are still to be returned."""
        self.too_deep = 0
        """Number of URLs beyond `max_depth`."""
        self.is_idle: Callable[[], bool] = bool
        """Returns whether no request is in flight or queued, which ends a level."""
        self.is_allowed: Callable[[FrontierLine], bool] = lambda _: True
        """Whether the rules of this run allow a line of an earlier run."""
        self.count_stored: Callable[[list[bytes]], None] | None = None
        """Counts the URLs of earlier runs."""
        self.select: Callable[[list[bytes]], list[bytes]] = lambda hrefs: hrefs
        """Returns the new URLs that are wanted."""
        self.with_rights: Callable[[FetchRequest, FrontierLine], FetchRequest] = lambda request, _: request
        """Returns the request with the rights that its URL has."""
        self._invalid: list[FetchRequest] = []
        """Invalid start URLs, which have no line and are returned first."""
        self.lazy = False
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices: list[str] = []

    def start(self, notify: Callable[[], None]) -> None:
        """Do nothing: the file is read by `take()`."""

    def reject(self, start: FetchRequest) -> None:
        """Have `take()` return an invalid start URL, which has no line."""
        self._invalid.append(start)
        self.exhausted = False

    def add(self, hrefs: list[bytes], shared: FrontierLine) -> None:
        """Append the URLs that the frontier does not have yet, all found in the same way."""
        claim, depth = self._known.claim, shared.depth
        new = self.select([href for href in hrefs if claim(from_href(href), depth)])
        self._append(new, shared)

    def add_redirect(self, href: bytes, shared: FrontierLine) -> None:
        """Append the target of a redirect, which has the same depth. With `max_depth` it is appended even if
        a page of this level links to it, and is then returned in this level: otherwise its depth would depend
        on which of the two is found first."""
        if self._max_depth is None:
            self.add([href], shared)
            return
        before = self._known.claim_closer(from_href(href), shared.depth)
        if before is None:
            return
        if before > self._max_depth:
            self.too_deep -= 1
        elif before >= 0:
            self.waiting -= 1
        self._append([href], shared)

    def _append(self, hrefs: list[bytes], shared: FrontierLine) -> None:
        if not hrefs:
            return
        if not self._num_lines:
            first = replace(shared, frontier=VERSION)
            self.file.append(encode_lines(hrefs[:1], first) + encode_lines(hrefs[1:], shared))
        else:
            self.file.append(encode_lines(hrefs, shared))
        self._num_lines += len(hrefs)
        if self._max_depth is not None and shared.depth > self._max_depth:
            self.too_deep += len(hrefs)
            return
        self.waiting += len(hrefs)
        self.exhausted = not self._may_return

    @property
    def _may_return(self) -> bool:
        if self._invalid:
            return True
        return self.waiting > 0 and (self._max_pages is None or self.pages < self._max_pages)

    def take(self, limit: int) -> list[FetchRequest]:
        """Return at most `limit` requests. An empty list means that there are none at present; the requests
        in flight may find more."""
        requests, self._invalid = self._invalid, []
        if self._max_pages is not None:
            limit = min(limit, len(requests) + self._max_pages - self.pages)
        while len(requests) < limit and self.waiting:
            offset, number = self._block_start + self._at, self._number
            if offset in self._gaps:
                self._seek(*self._gaps[offset])
                continue
            raw = self._next_line()
            if raw is None:
                if requests or self._next_level is None or not self.is_idle():
                    break
                self._begin_level()
                continue
            line = decode_line(raw)
            if self._max_depth is not None and line.depth != self._level:
                if line.depth > self._level and self._next_level is None and line.depth <= self._max_depth:
                    self._next_level = offset, number
                continue
            if not self._is_left(offset, line):
                continue
            self.waiting -= 1
            self.pages += 1
            requests.append(self._request(number, line))
        self.exhausted = not self._may_return
        return requests

    def _begin_level(self) -> None:
        assert self._next_level is not None
        self._level += 1
        self._seek(*self._next_level)
        self._next_level = None

    def _seek(self, offset: int, number: int) -> None:
        self._block, self._block_start, self._at, self._number = b"", offset, 0, number

    def _next_line(self) -> bytes | None:
        """Return the next line, None at the end of the file, and move the reading position."""
        end = self._block.find(b"\n", self._at)
        size = BLOCK
        while end < 0:
            start = self._block_start + self._at
            left = self.file.size - start
            if left <= 0:
                return None
            self._block, self._block_start, self._at = self.file.read(start, min(size, left)), start, 0
            end = self._block.find(b"\n")
            size *= 2
        line = self._block[self._at : end]
        self._at = end + 1
        self._number += 1
        return line

    def _request(self, number: int, line: FrontierLine) -> FetchRequest:
        request = replace(
            urls.request(number, line.url),
            num_redirects=line.num_redirects,
            input_columns={"depth": line.depth, "found_on": line.found_on},
            discovery=Discovery(
                line.depth,
                line.kind,
                is_start=line.start,
                nesting=line.nesting,
                page_hash=bytes.fromhex(line.page_hash),
            ),
        )
        return self.with_rights(request, line)

    def _is_left(self, offset: int, line: FrontierLine) -> bool:
        """Whether the URL of a line has no row, has no line at a smaller depth, and is allowed by this
        run."""
        is_stored = offset < self._stored_end
        if not is_stored and self._max_depth is None:
            return True
        if not self._known.is_left(from_href(line.url.encode()), line.depth):
            return False
        if not is_stored or self.is_allowed(line):
            return True
        if not self._checks_all:
            self.waiting -= 1
        return False

    def load(self, count: Callable[[int, list[StoredRow]], None]) -> bool:
        """Read the next lines of earlier runs. Return False when there are no more, which must happen before
        anything else is called. `count`: called with the number of lines whose row has no error, and with
        the rows that have one."""
        if self._stored is None:
            self._stored = StoredLines(
                self.file,
                self._known,
                self.is_allowed,
                self.count_stored,
                max_depth=self._max_depth,
                checks_all=self._checks_all,
            )
        stored = self._stored
        has_more = stored.read()
        count(stored.ok, stored.failed)
        self.pages, self.waiting, self.too_deep = stored.pages, stored.waiting, stored.too_deep
        if not has_more:
            self._num_lines, self._gaps, self._stored = stored.num_lines, stored.gaps, None
            self.exhausted = not self._may_return
        return has_more

    def close(self) -> None:
        """Do nothing: the writer closes the file, after the rows."""


def start_urls(file: FrontierFile) -> list[str]:
    """Return the start URLs of the crawl that a frontier belongs to."""
    found: list[str] = []
    offset, rest = 0, b""
    while offset < file.size and (block := file.read(offset, BLOCK)):
        offset += len(block)
        *lines, rest = (rest + block).split(b"\n")
        for raw in lines:
            line = decode_line(raw)
            if not line.start or line.found_on is not None:
                return found
            found.append(line.url)
    return found


def check_first_line(file: FrontierFile) -> None:
    """Raise `UsageError` if a file with lines is not the frontier of a crawl."""
    raw = file.read(0, BLOCK).partition(b"\n")[0]
    try:
        if not raw or decode_line(raw).frontier == VERSION:
            return
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise UsageError(
        f"{file.name}: is not the frontier of a crawl of this version; name the right one with --frontier "
        "(nothing in it was changed)"
    )
