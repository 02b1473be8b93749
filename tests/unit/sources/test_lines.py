"""The line reader: the same lines however the bytes are cut, and bounded memory."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fetchpool.model.failures import FailureKind
from fetchpool.model.urls import request
from fetchpool.sources.lines import MAX_LINE, LineSplitter


def read(*chunks: bytes) -> list[str]:
    reader = LineSplitter()
    return [line for chunk in chunks for line in reader.feed(chunk)] + reader.finish()


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"http://a/\nhttp://b/\n", ["http://a/", "http://b/"]),
        (b"http://a/\nhttp://b/", ["http://a/", "http://b/"]),
        (b"http://a/\r\nhttp://b/\r\n", ["http://a/", "http://b/"]),
        (b"http://a/\rhttp://b/\r", ["http://a/", "http://b/"]),
        (b"\xef\xbb\xbfhttp://a/\n", ["http://a/"]),
        (b"http://a/\n\xef\xbb\xbfhttp://b/\n", ["http://a/", "http://b/"]),
        (b"\xef\xbb\xbf# a comment\n", []),
        (b"# a comment\n  # another\nhttp://a/#part\n", ["http://a/#part"]),
        (b"  \t http://a/ \t\n   \n", ["http://a/"]),
        ("http://bücher.example/\u3000\n".encode(), ["http://bücher.example/"]),
        (b"http://a/\x00b\n", ["http://a/\x00b"]),
        (b"http://a/\xff\xfe\n", ["http://a/\udcff\udcfe"]),
        (b"http://a/\xc3\nhttp://b/\n", ["http://a/\udcc3", "http://b/"]),
        ("http://a/\x0bb\u2028c\x85d\n".encode(), ["http://a/\x0bb\u2028c\x85d"]),
    ],
)
def test_a_list_is_read_as_its_author_intended(data: bytes, lines: list[str]) -> None:
    assert read(data) == lines


def test_a_complete_line_is_given_back_before_the_next_one_comes() -> None:
    reader = LineSplitter()
    assert reader.feed(b"http://a/\nhttp") == ["http://a/"]
    assert reader.feed(b"://b/") == []
    assert reader.feed(b"\r") == ["http://b/"]
    assert reader.feed(b"\n") == []
    assert reader.finish() == []


def test_bytes_that_are_not_utf8_make_an_invalid_url_and_no_other_one() -> None:
    assert [request(0, line).error for line in read(b"http://a/\xff\nhttp://a/\xc3\xa9\n")] == [
        FailureKind.INVALID_URL,
        None,
    ]


def test_a_line_that_is_too_long_is_kept_just_long_enough_to_be_refused() -> None:
    lines = read(b"http://a/", *[b"x" * 50_000] * 20, b"\nhttp://b/\n")
    assert [len(line) for line in lines] == [MAX_LINE, 9]
    assert request(0, lines[0]).error is FailureKind.INVALID_URL


def test_a_url_of_the_longest_allowed_length_is_complete() -> None:
    url = "http://a/" + "é" * (MAX_LINE - 10)
    assert read(url.encode() + b"\n") == [url]
    assert request(0, url).error is None


def test_a_url_behind_a_megabyte_of_blanks_is_found() -> None:
    assert read(*[b" " * 10_000] * 100, b"http://a/\n") == ["http://a/"]


def test_a_line_of_a_hundred_megabytes_takes_only_the_memory_of_its_stored_part() -> None:
    reader = LineSplitter()
    chunk = b"x" * 65_536
    tracemalloc.start()
    for _ in range(1600):
        assert reader.feed(chunk) == []
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000
    assert [len(line) for line in reader.feed(b"\n")] == [MAX_LINE]


pieces = st.one_of(
    st.sampled_from(
        [b"\n", b"\r", b"\r\n", b" ", b"\t", b"#", b"\xef\xbb\xbf", b"\xef", b"\xbb", b"\xff", b"\x00"]
    ),
    st.sampled_from(
        [b"http://a/", "é".encode(), "\u3000".encode(), b" " * 300_000, b"x" * 70_000, b"y" * 300_000]
    ),
    st.binary(max_size=5),
)


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join), st.lists(st.floats(0, 1), max_size=6))
def test_any_chunking_gives_the_same_lines(data: bytes, cuts: list[float]) -> None:
    places = sorted({0, len(data), *(round(cut * len(data)) for cut in cuts)})
    chunks = [data[start:end] for start, end in pairwise(places)]
    assert read(*chunks) == read(data)


@settings(deadline=None)
@given(st.lists(pieces, max_size=8).map(b"".join).filter(lambda data: len(data) < 2000))
def test_byte_by_byte_gives_the_same_lines(data: bytes) -> None:
    assert read(*(data[at : at + 1] for at in range(len(data)))) == read(data)


@settings(deadline=None)
@given(st.lists(pieces, max_size=12).map(b"".join))
def test_no_line_is_blank_or_a_comment_or_holds_a_line_end(data: bytes) -> None:
    for line in read(data):
        assert line == line.strip()
        assert line
        assert not line.startswith("#")
        assert not set(line) & {"\n", "\r"}
        assert len(line) <= MAX_LINE
