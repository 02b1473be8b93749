"""StoredLines: the lines of a frontier that earlier runs have written, read once when a crawl is resumed.

In: the file and the rows of earlier runs. Out: the numbers of URLs with rows and of those left, and the
ranges of lines without any that is left, so that they are not read again. A million lines take about two
seconds, since most are not decoded.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

import msgspec
from msgspec.structs import replace

from fetchpool.history.duplicates import DuplicateFilter
from fetchpool.history.frontier_file import FrontierFile
from fetchpool.history.frontier_line import URL_KEY, FrontierLine, decode_line, encode_lines
from fetchpool.model.errors import OutputError
from fetchpool.model.fingerprint import from_hrefs
from fetchpool.model.record import StoredRow
from fetchpool.sinks.lines import blocks

MAX_DEPTH = 1 << 30
DEPTH_BYTES = 20
"""Number of bytes after a line's URL that contain the depth, and at most the start of the next field."""
MANY_DEPTHS = 10_000
"""Maximum number of such texts whose depth is cached."""
DAMAGED = "has a damaged line, so the URLs left to fetch are unknown; crawl into another output with -o"
IS_START = b'"start":true'
"""Occurs in the line of a start URL, and in that of the URL it has redirected to."""
LINE = re.compile(rb'\{"url":"([^"]*)(.*)\n')
"""The URL of a line, and the rest of the line."""
DONE = -1, None
"""What `claim_stored()` returns for the first line of a URL whose row has no error."""


class StoredLines:
    """Reads the lines, and counts them."""

    def __init__(
        self,
        file: FrontierFile,
        known: DuplicateFilter,
        is_allowed: Callable[[FrontierLine], bool],
        count_urls: Callable[[list[bytes]], None] | None,
        *,
        max_depth: int | None,
        checks_all: bool,
    ) -> None:
        """`is_allowed`: whether the rules of this run allow a line; called for each that is left if
        `checks_all`, else only for those from which the scope is measured. `count_urls`: called with each
        URL, once."""
        self._name = file.name
        self._known = known
        self._is_allowed = is_allowed
        self._count_urls = count_urls
        self._max_depth = MAX_DEPTH if max_depth is None else max_depth
        self._checks_all = checks_all
        self._blocks: Final = blocks(file.read, 0, file.size)
        self._depths: dict[bytes, int] = {}
        self._offset = 0
        self._gap: tuple[int, int] | None = (0, 0)
        """Offset and number of the first line of the current gap, blocks without a URL that is left; None if
        the last block has one."""
        self.num_lines = 0
        self.pages = 0
        """The number of URLs that have a row."""
        self.waiting = 0
        """The number of URLs that are left to fetch."""
        self.too_deep = 0
        """The number of URLs that are left but deeper than `max_depth`."""
        self.gaps: dict[int, tuple[int, int]] = {}
        """The gaps: by the offset of the first line of each, the offset and number of the next line after
        it."""
        self.ok = 0
        """Number of the lines read last whose row has no error."""
        self.failed: list[StoredRow] = []
        """The rows with an error of the same lines."""

    def read(self) -> bool:
        """Read the next block of lines. Return False when there are no more."""
        self.ok, self.failed = 0, []
        block = next(self._blocks, b"")
        here = self._offset, self.num_lines
        if not block or self._read_block(block):
            if self._gap is not None and self._gap != here:
                self.gaps[self._gap[0]] = here
            self._gap = None
        elif self._gap is None:
            self._gap = here
        self._offset += len(block)
        return bool(block)

    def _read_block(self, block: bytes) -> bool:
        """Read complete lines. Return whether a URL is left to fetch."""
        lines = LINE.findall(block)
        if len(lines) != block.count(b"\n"):  # edited by another program
            lines = self._other_lines(block)
        self.num_lines += len(lines)
        hrefs = [href for href, _ in lines]
        if b"\\" in block:
            hrefs = [href.replace(b"\\\\", b"\\") for href in hrefs]
        depths = self._depths
        found = [depths.get(rest[:DEPTH_BYTES], -1) for _, rest in lines]
        if -1 in found:
            found = [self._depth(rest) for _, rest in lines]
        verdicts = self._known.claim_stored(from_hrefs(hrefs), found)
        if self._count_urls is not None:
            self._count_urls([href for href, (before, _) in zip(hrefs, verdicts, strict=True) if before < 0])
        has_left = False
        self.ok = verdicts.count(DONE)
        if self.ok < len(verdicts):
            for index, (before, error) in enumerate(verdicts):
                if error:
                    if before < 0:
                        self.failed.append(StoredRow(hrefs[index].decode(), error))
                elif error is not None:
                    has_left |= self._count_left(lines[index], before, found[index])
        self.pages += self.ok + len(self.failed)
        return has_left

    def _count_left(self, parts: tuple[bytes, bytes], before: int, depth: int) -> bool:
        """Count a line whose URL has no row. Return whether it is fetched in this run. `before`: the smallest
        depth of earlier lines, -1 if there is none."""
        if 0 <= before <= depth:
            return False
        if (self._checks_all or IS_START in parts[1]) and not self._is_allowed(_decode(parts)):
            return False
        if before > self._max_depth:
            self.too_deep -= 1
        elif before >= 0:
            self.waiting -= 1
        if depth > self._max_depth:
            self.too_deep += 1
            return False
        self.waiting += 1
        return True

    def _depth(self, rest: bytes) -> int:
        """Return the depth of a line, from the `rest` after its URL."""
        start = rest[:DEPTH_BYTES]
        depth = self._depths.get(start, -1)
        if depth < 0:
            depth = decode_line(URL_KEY + rest).depth
            if len(self._depths) < MANY_DEPTHS:
                self._depths[start] = depth
        return depth

    def _other_lines(self, block: bytes) -> list[tuple[bytes, bytes]]:
        """Return the parts of lines that another program has written."""
        try:
            lines = [decode_line(raw) for raw in block.split(b"\n")[:-1]]
        except (msgspec.DecodeError, UnicodeDecodeError) as failure:
            raise OutputError(f"{self._name}: {DAMAGED}") from failure
        written = [encode_lines([line.url.encode()], replace(line, url="")) for line in lines]
        return [LINE.findall(each)[0] for each in written]


def _decode(parts: tuple[bytes, bytes]) -> FrontierLine:
    return decode_line(URL_KEY + parts[0] + parts[1])
