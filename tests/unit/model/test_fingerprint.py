"""Fingerprints: a line of a list and its row are the same URL, whatever is in it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fetchpool.model import fingerprint, urls
from fetchpool.model.failures import FailureKind
from fetchpool.model.outcome import refusal

SCHEMES = st.sampled_from(["", "http://", "https://", "HTTP://", "http:", "mailto:", "ftp://", "http:\\\\"])
USERINFO = st.sampled_from(["", "user:pw@", "user@", ":@", "a:b@c@", "us%3Aer:p w@", "\u202e:x@"])
HOSTS = st.sampled_from(
    ["h", "EXAMPLE.org", "h:80", "h:8080", "[::1]", "bücher.example", "127.1", "a..b", ""]
)
ANY = st.characters(exclude_categories=[])
"""Lone surrogates too: bytes of a list that were not UTF-8."""
REST = st.one_of(
    st.sampled_from(
        ["", "/", "/a/../b", "/%7Euser", "?q=1", "#top", "/a\\b", "/\\u202e", "/\\x1b?://a:b@c/"]
    ),
    st.text(ANY, max_size=20).map(lambda text: f"/{text}"),
)
LINES = st.one_of(st.tuples(SCHEMES, USERINFO, HOSTS, REST).map("".join), st.text(ANY, max_size=40))


def row_url(line: str) -> str:
    """What the row of that line shows."""
    request = urls.request(0, line)
    return refusal(request, FailureKind.INTERNAL).record.url


def of_line(line: str) -> bytes:
    return fingerprint.from_request(urls.request(0, line))


@given(LINES)
@example("http://user:pw@h/")
@example("user:secret@h")
@example("http://h/\udc80")
@example("http://h/a\u200bb")
@example("http://h/\\u200b")
@example("http://h/\\U00110000")
@example("\x00http://h/")
@example("http://h/\tx")
@example("'http://user:pw@h/'")
@example('"http://h/\\u200b"')
@example('"user:pw@h/"')
@example('http://a"b/')
@example('http://a"b')
def test_a_line_and_its_row_have_the_same_identity(line: str) -> None:
    assert of_line(line) == fingerprint.from_record_url(row_url(line))


@given(LINES, LINES)
def test_only_urls_that_are_the_same_when_normalised_or_shown_have_one_identity(one: str, other: str) -> None:
    if of_line(one) == of_line(other):
        first, second = urls.parse(urls.with_scheme(one)), urls.parse(urls.with_scheme(other))
        same = isinstance(first, urls.Url) and isinstance(second, urls.Url) and first.href == second.href
        assert same or fingerprint.display_url(one) == fingerprint.display_url(other) or "\\" in one + other


@pytest.mark.parametrize(
    "spelled",
    [
        [
            "http://example.org/",
            "http://example.org",
            "HTTP://EXAMPLE.ORG:80/",
            "example.org",
            "http://example.org/#a",
        ],
        ["http://h/a/b", "http://h/a/./c/../b", "http:\\\\h\\a\\b"],
        ["http://bücher.example/ü", "http://xn--bcher-kva.example/%C3%BC"],
        ["http://h/a\u200cb", "http://h/a%E2%80%8Cb"],
        ["http://a:b@h/", "http://c:d@h/", "http://c@h:80"],
    ],
)
def test_spellings_of_one_url_are_one(spelled: list[str]) -> None:
    assert len({of_line(each) for each in spelled}) == 1


@pytest.mark.parametrize(
    "spelled",
    [
        [
            "http://h/",
            "https://h/",
            "http://h:8080/",
            "http://h/A",
            "http://h/a",
            "http://h/?",
            "http://H/a?A",
        ],
        ["http://h/", "http://user@h/"],
        ["http://h/a b", "http://h/a+b", "http://h/a\u200bb", "http://h/a/u200bb"],
        ["mailto:a@h", "mailto:b@h", "http://a..b/", "http://a..c/", ""],
        ["http://h/\udc80", "http://h/\udc81", "http://h//udc80"],
    ],
)
def test_urls_that_differ_for_a_server_are_several(spelled: list[str]) -> None:
    assert len({of_line(each) for each in spelled}) == len(spelled)
