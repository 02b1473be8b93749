"""The URL list of `fetchpool demo`: mixed, always the same, with known failures.

In: the demo server's base URL and the number of URLs. Out: the URLs, as an iterator, and the expected `error`
of each row. A longer list starts with the shorter one. No I/O.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

_KINDS: tuple[Callable[[int], str], ...] = (
    lambda place: f"/page/{place}",
    lambda place: f"/bytes/{place * 7919 % 200_000}?{place}",
    lambda place: f"/page/{place}",
    lambda place: f"/gzip/{place * 6007 % 150_000}?{place}",
    lambda place: f"/page/{place}",
    lambda place: f"/delay/{5 + place * 37 % 195}?{place}",
    lambda place: f"/page/{place}",
    lambda place: f"/redirect/{1 + place // 10 % 4}?{place}",
    lambda place: f"/page/{place}",
    lambda place: f"/bytes/{place * 104_729 % 3000}?{place}",
)


def demo_urls(base: str, count: int) -> Iterator[str]:
    """Yield `count` distinct URLs below `base` (`http://host:port`): pages and bytes of various sizes, gzip,
    delays of up to 200 ms, redirects; one in fifty is missing, one in forty fails at first."""
    for place in range(count):
        if place % 50 == 17:
            path = f"/missing/{place}"
        elif place % 40 == 11:
            path = f"/flaky/{1 + place // 40 % 2}?{place}"
        else:
            path = _KINDS[place % len(_KINDS)](place)
        yield f"{base}{path}"


def expected_error(url: str) -> str | None:
    """Return the expected `error` of one of `demo_urls()`: `http_404` for missing pages, None for all others
    (a flaky page succeeds within the default of two retries)."""
    return "http_404" if urlsplit(url).path.startswith("/missing/") else None
