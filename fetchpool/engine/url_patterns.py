"""UrlPatterns: the patterns of the URLs that a crawl finds, such as /calendar?month=N.

In: new URLs. Out: those within `--max-per-pattern`, and a notice when most URLs have the same pattern, as
those of a calendar or with a session ID do. Memory is bounded.
"""

from __future__ import annotations

import re

SAMPLE = 16
"""One URL in this many is examined, unless the number of URLs per pattern is limited."""
MANY = 10_000
"""Number of URLs of one pattern from which a notice is due, if they are the majority."""
MOST_PATTERNS = 100_000
"""Maximum number of patterns that are counted."""

_NUMBER = re.compile(rb"[0-9a-fA-F]*[0-9][0-9a-fA-F]*")
"""A decimal or hexadecimal number: the part that differs between URLs of one pattern."""


def pattern_of(href: bytes) -> bytes:
    """Return the pattern of a URL: numbers in the path become N, and only the names in the query count."""
    path, _, query = href.partition(b"?")
    start = path.find(b"/", 8)
    path = path[:start] + _NUMBER.sub(b"N", path[start:])
    if not query:
        return path
    names = sorted({part.partition(b"=")[0] for part in query.split(b"&")})
    return path + b"?" + b"&".join(names)


class UrlPatterns:
    """Counts the patterns of URLs."""

    def __init__(self, most: int | None) -> None:
        """`most`: the maximum number of URLs of one pattern; None is no limit."""
        self._most = most
        self._counts: dict[bytes, int] = {}
        self._seen = 0
        self._until_next = 0
        self._reported: set[bytes] = set()
        self.cut = 0
        """The number of URLs beyond the limit."""

    def select(self, hrefs: list[bytes]) -> list[bytes]:
        """Return the URLs that are within the limit."""
        if self._most is None:
            return hrefs
        selected = [href for href in hrefs if self._count(pattern_of(href)) <= self._most]
        self.cut += len(hrefs) - len(selected)
        return selected

    def count(self, hrefs: list[bytes]) -> None:
        """Count URLs that earlier runs have selected."""
        for href in hrefs:
            self._count(pattern_of(href))

    def notice(self, hrefs: list[bytes]) -> str:
        """Count a sample of the URLs; return a notice if most URLs have one pattern."""
        if self._most is not None:
            return ""
        self._seen += len(hrefs)
        text = ""
        while self._until_next < len(hrefs):
            pattern = pattern_of(hrefs[self._until_next])
            number = self._count(pattern) * SAMPLE
            if number >= MANY and 2 * number > self._seen and pattern not in self._reported:
                self._reported.add(pattern)
                text = (
                    f"most URLs look like {pattern.decode()}; if they are endless, --exclude "
                    f"{exclusion(pattern)!r} leaves them out, and --max-per-pattern limits them"
                )
            self._until_next += SAMPLE
        self._until_next -= len(hrefs)
        return text

    def _count(self, pattern: bytes) -> int:
        number = self._counts.get(pattern, 0) + 1
        if number > 1 or len(self._counts) < MOST_PATTERNS:
            self._counts[pattern] = number
        return number


def exclusion(pattern: bytes) -> str:
    """Return a regular expression for the URLs of a pattern."""
    path, _, query = pattern.decode().partition("?")
    end = path[path.find("/", 8) :]
    if "N" in end:
        return re.escape(end[: end.find("N")])
    return re.escape(end) + ("\\?" if query else "$")
