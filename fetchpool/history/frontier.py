"""Frontier: the URLs that a crawl has found, as a source of requests and a file.

In: URLs as they are found, each once. Out: requests for them, in the same order, or level by level. The URLs
are only in the file, so memory doesn't grow with them.

    append() ──▶ frontier file: a line for each URL ──take()──▶ requests

A line is a JSON object with the URL and how it was found. Its number is the `urlnum` of the URL. The file is
all that a resumed crawl needs besides the rows: a URL with a row is done, all others are left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier_file import FrontierFile
from fetchpool.model import urls
from fetchpool.model.discovery import Discovery, LinkKind
from fetchpool.model.errors import UsageError
from fetchpool.model.fingerprint import from_href
from fetchpool.model.request import FetchRequest

VERSION = 1
"""Of the format; in the first line of the file."""
BLOCK = 1 << 17
MAX_DEPTH = 1 << 30
DEPTH_BYTES = 20
"""Bytes of a line after its URL that have the depth, and not more than the beginning of what follows."""
MANY_DEPTHS = 10_000
"""Such texts that are remembered, with the depth."""
URL_KEY = b'{"url":"'
"""The beginning of each line."""


class FrontierLine(Struct, frozen=True, omit_defaults=True):
    """A URL of the frontier, and how it was found."""

    url: str
    """Normalised, without credentials."""
    depth: int = -1
    found_on: str | None = None
    """The page, the redirect or the sitemap that leads to the URL; None for a start URL."""
    kind: LinkKind = LinkKind.PAGE
    start: bool = False
    """Whether the scope is measured from this URL."""
    local: bool = False
    """Whether it was found on a page from a private address, which may lead to other private addresses."""
    nesting: int = 0
    """For a sitemap, the number of indexes within each other that led to it."""
    num_redirects: int = 0
    """The redirects that led to it, one after the other."""
    page_hash: str = ""
    """The hash of that page's body, as hexadecimal digits."""
    frontier: int = 0
    """The version of the format, in the first line."""


_decode = msgspec.json.Decoder(FrontierLine).decode
_encode = msgspec.json.Encoder().encode


def encode_lines(hrefs: Iterable[bytes], shared: FrontierLine) -> bytes:
    """Return the lines of URLs that were found in the same way. `shared`: a line with all but the URL."""
    rest = _encode(shared).removeprefix(URL_KEY) + b"\n"  # it begins with the quote after the URL
    return b"".join([URL_KEY + _escaped(href) + rest for href in hrefs])


def _escaped(href: bytes) -> bytes:
    """A normalised URL is ASCII without quotes and controls, but may have a backslash in its query."""
    return href if b"\\" not in href else href.replace(b"\\", b"\\\\")


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
        """`known`: the URLs of the frontier, and those with rows of earlier runs. `max_depth`: URLs at a
        larger depth are stored, and not returned. With it, a level is returned when the one before has ended,
        so that each URL has the smallest depth that the site allows. `max_pages`: the number of requests to
        return, those of earlier runs included."""
        self.file = file
        self._known = known
        self._max_depth = max_depth
        self._max_pages = max_pages
        self._stored_end = file.size
        """The end of the lines of earlier runs."""
        self._num_lines = 0
        self._number = 0
        """The number of the line at the reading position."""
        self._block = b""
        self._block_start = 0
        self._at = 0
        """The reading position within the block."""
        self._level = 0
        self._next_level: tuple[int, int] | None = None
        """Offset and number of the first line that was skipped, as it is of the next level."""
        self.pages = 0
        """The number of URLs that were returned, or have a row of an earlier run."""
        self.waiting = 0
        """The number of URLs that were not returned, and will be unless the run ends before."""
        self.too_deep = 0
        """The number of URLs beyond `max_depth`."""
        self.is_idle: Callable[[], bool] = bool
        """Whether no request is in flight or queued: then the level has ended."""
        self.is_allowed: Callable[[FrontierLine], bool] = lambda _: True
        """Whether the rules of this run allow a line of an earlier one."""
        self.select: Callable[[list[bytes]], list[bytes]] = lambda hrefs: hrefs
        """Return those of the new URLs that are wanted."""
        self.with_rights: Callable[[FetchRequest, FrontierLine], FetchRequest] = lambda request, _: request
        """Return the request with the rights that its URL has."""
        self._invalid: list[FetchRequest] = []
        """Start URLs that are invalid; they are in no line, and are returned first."""
        self.lazy = False
        self.exhausted = False
        self.bytes_read = 0
        self.bytes_total: int | None = None
        self.failure: str | None = None
        self.notices: list[str] = []

    def start(self, notify: Callable[[], None]) -> None:
        """Do nothing: the file is read by `take()`."""

    def reject(self, start: FetchRequest) -> None:
        """Return an invalid start URL, which has no line, with the next requests."""
        self._invalid.append(start)
        self.exhausted = False

    def add(self, hrefs: list[bytes], shared: FrontierLine) -> None:
        """Append those of the URLs that the frontier does not have. They were found in the same way."""
        claim, depth = self._known.claim, shared.depth
        new = self.select([href for href in hrefs if claim(from_href(href), depth)])
        self._append(new, shared)

    def add_redirect(self, href: bytes, shared: FrontierLine) -> None:
        """Append the target of a redirect, which has the same depth. With `max_depth` it is also appended if
        a page of this level has a link to it, and is returned in this level, then: which of the two is found
        first depends on the server."""
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
        """Return at most `limit` requests. An empty list means that there are none now: the requests in
        flight may find more."""
        requests, self._invalid = self._invalid, []
        if self._max_pages is not None:
            limit = min(limit, len(requests) + self._max_pages - self.pages)
        while len(requests) < limit and self.waiting:
            offset, number = self._block_start + self._at, self._number
            raw = self._next_line()
            if raw is None:
                if requests or self._next_level is None or not self.is_idle():
                    break
                self._begin_level()
                continue
            line = _decode(raw)
            if self._max_depth is not None and line.depth != self._level:
                if line.depth > self._level and self._next_level is None and line.depth <= self._max_depth:
                    self._next_level = offset, number
                continue
            if (offset < self._stored_end or self._max_depth is not None) and not self._is_left(line):
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

    def _is_left(self, line: FrontierLine) -> bool:
        """Whether the URL of a line has no row, has no line at a smaller depth, and is allowed now."""
        return self._known.is_left(from_href(line.url.encode()), line.depth) and self.is_allowed(line)

    def read_stored(self, count: Callable[[str, str | None], None]) -> None:
        """Read the lines of earlier runs. `count`: called with each URL that has a row, and its error."""
        first_left: tuple[int, int] | None = None
        max_depth = MAX_DEPTH if self._max_depth is None else self._max_depth
        claim = self._known.claim_stored
        depths: dict[bytes, int] = {}
        start = len(URL_KEY)
        for offset, number, raw in self._stored_lines():
            end = raw.find(b'"', start)
            href = raw[start:end]
            depth = depths.get(raw[end : end + DEPTH_BYTES], -1)
            if depth < 0 or b"\\" in href:
                line = _decode(raw)
                href, depth = line.url.encode(), line.depth
                if len(depths) < MANY_DEPTHS and b"\\" not in href:
                    depths[raw[end : end + DEPTH_BYTES]] = depth
            before, error = claim(from_href(href), depth)
            if error != "":
                if before < 0:
                    self.pages += 1
                    count(href.decode(), error)
                continue
            if 0 <= before <= depth or not self.is_allowed(_decode(raw)):
                continue
            if before > max_depth:
                self.too_deep -= 1
            elif before >= 0:
                self.waiting -= 1
            if depth > max_depth:
                self.too_deep += 1
                continue
            self.waiting += 1
            if first_left is None:
                first_left = offset, number
        self._seek(*(first_left or (self._stored_end, self._num_lines)))
        self.exhausted = not self._may_return

    def _stored_lines(self) -> Iterator[tuple[int, int, bytes]]:
        """Yield offset, number and bytes of each line of earlier runs."""
        rest, offset = b"", 0
        start = 0
        while start < self._stored_end:
            block = rest + self.file.read(start, min(BLOCK, self._stored_end - start))
            start = offset + len(block)
            lines = block.split(b"\n")
            rest = lines.pop()
            for raw in lines:
                yield offset, self._num_lines, raw
                self._num_lines += 1
                offset += len(raw) + 1

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
            line = _decode(raw)
            if not line.start or line.found_on is not None:
                return found
            found.append(line.url)
    return found


def check_first_line(file: FrontierFile) -> None:
    """Raise `UsageError` if a file with lines is not the frontier of a crawl."""
    raw = file.read(0, BLOCK).partition(b"\n")[0]
    try:
        if not raw or _decode(raw).frontier == VERSION:
            return
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    raise UsageError(
        f"{file.name}: is not the frontier of a crawl of this version; name the right one with --frontier "
        "(nothing in it was changed)"
    )
