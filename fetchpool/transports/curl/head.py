"""Parses the header lines that libcurl passes on.

In: the lines of a hop, including 1xx blocks and trailers. Out: the final `ResponseHead`, or None.
"""

from __future__ import annotations

from functools import lru_cache

from fetchpool.transports.base import Headers, ResponseHead

STATUS_DIGITS = 3
CRLF, BARE = b"\r\n", b"\n"
BLANK = (CRLF, BARE)


def parse_head(lines: list[bytes]) -> ResponseHead | None:
    """Parse the final (non-1xx) header block; the lines after it are trailers. None if there is no such
    block, if it is incomplete, or if it can't be identified."""
    start = 0
    bare = BARE in lines  # computed once: there may be thousands of blocks
    while True:
        try:
            end = _blank(lines, start) if bare else lines.index(CRLF, start)
        except ValueError:
            return None
        status, http_version = parse_status(lines[start])
        if status is None:
            return None
        if not 100 <= status < 200:
            return ResponseHead(status, http_version, Headers(lines[start + 1 : end]), lines[start])
        start = end + 1


def _blank(lines: list[bytes], start: int) -> int:
    """Return the end of the block that begins at `start`, if line ends may be bare line feeds. Raises
    `ValueError` if it has no end."""
    for place in range(start, len(lines)):
        if lines[place] in BLANK:
            return place
    raise ValueError("no blank line")


BODILESS = frozenset((204, 304))
"""Statuses of responses without a body."""
VERSIONS = {b"HTTP/1.1": "1.1", b"HTTP/1.0": "1.0", b"HTTP/2": "2", b"HTTP/3": "3"}
"""The versions in the status lines that libcurl generates for HTTP/2 and HTTP/3. A server that uses HTTP/1
and sends `HTTP/2.0` uses neither."""


@lru_cache(maxsize=64)
def parse_status(line: bytes) -> tuple[int | None, str]:
    """Return status and HTTP version of a status line; no status if it is invalid."""
    version, _, rest = line.partition(b" ")
    code = rest[:4].strip()
    if version not in VERSIONS or not code.isdigit() or len(code) != STATUS_DIGITS:
        return None, ""
    return int(code), VERSIONS[version]


def has_length(lines: list[bytes]) -> bool:
    """Whether the head contains the length of the body."""
    head = parse_head(lines)
    return head is not None and (head.status in BODILESS or "content-length" in head.headers)


def is_keepable(lines: list[bytes]) -> bool:
    """Whether the connection may be reused after a response, according to its head."""
    return (
        lines[0].startswith(b"HTTP/1.1 ")
        and not any(line[:11].lower() == b"connection:" for line in lines)
        and has_length(lines)
    )
