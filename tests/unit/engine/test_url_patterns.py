"""The patterns of URLs: what a trap looks like, and how it is limited."""

from __future__ import annotations

import re

import pytest

from fetchpool.engine.url_patterns import MANY, UrlPatterns, exclusion, pattern_of


@pytest.mark.parametrize(
    ("href", "pattern"),
    [
        ("http://h1.example/a", "http://h1.example/a"),
        ("http://h/2024/05/x", "http://h/N/N/x"),
        ("http://h/p-9f86d081884c7d65", "http://h/p-N"),
        ("http://h/c?month=5&a=b&month=6", "http://h/c?a&month"),
    ],
)
def test_urls_that_differ_in_a_number_have_one_shape(href: str, pattern: str) -> None:
    assert pattern_of(href.encode()) == pattern.encode()


def test_the_number_of_urls_of_one_shape_is_limited() -> None:
    patterns = UrlPatterns(2)
    urls = [b"http://h/c?m=1", b"http://h/c?m=2", b"http://h/about", b"http://h/c?m=3"]
    assert patterns.select(urls) == urls[:3]
    assert patterns.select([b"http://h/c?m=4"]) == []
    assert patterns.cut == 2


def test_a_shape_that_most_urls_have_is_reported_once_with_the_pattern_that_excludes_it() -> None:
    patterns = UrlPatterns(None)
    notices = [
        patterns.notice([f"http://h/calendar/day{number}?x=1".encode() for number in range(at, at + 50)])
        for at in range(0, 3 * MANY, 50)
    ]
    (notice,) = filter(None, notices)
    assert "http://h/calendar/dayN?x" in notice


def test_the_suggested_pattern_matches() -> None:
    assert re.search(exclusion(b"http://h/c?month"), "http://h/c?month=7")
    assert re.search(exclusion(b"http://h/a.b/N/x"), "http://h/a.b/17/x")
    assert re.search(exclusion(b"http://h/dayN?x"), "http://h/day7?x=1")
