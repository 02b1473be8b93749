"""Content codings come undone the same however the network cut them, and in bounded pieces."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from itertools import pairwise

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.http.decoders import (
    CODING_ERRORS,
    CODINGS,
    MAX_MEMBERS,
    MAX_OUTPUT,
    OUTPUT_STEP,
    ContentDecoder,
    DecodingError,
)
from tests.encoders import ENCODERS, one_brotli, raw_deflate, zstd, zstd_with_window

PAGE = b"".join(b"line %d of a page\n" % number for number in range(3_000))
CASES = pytest.mark.parametrize("case", ENCODERS)


def decoder_of(case: str) -> ContentDecoder:
    return ContentDecoder(CODINGS[ENCODERS[case][0]])


def decode(decoder: ContentDecoder, *chunks: bytes) -> bytes:
    return b"".join(piece for chunk in chunks for piece in decoder.decode(chunk))


def in_pieces(content: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(content), *(cut % (len(content) + 1) for cut in cuts)})
    return [content[start:end] for start, end in pairwise(edges)]


@CASES
def test_encoded_data_is_decoded(case: str) -> None:
    decoder = decoder_of(case)
    assert decode(decoder, ENCODERS[case][1](PAGE)) == PAGE
    assert decoder.complete


@CASES
def test_one_byte_at_a_time_gives_the_same(case: str) -> None:
    encoded = ENCODERS[case][1](PAGE[:500])
    decoder = decoder_of(case)
    assert decode(decoder, *(encoded[at : at + 1] for at in range(len(encoded)))) == PAGE[:500]
    assert decoder.complete


@CASES
@given(content=st.binary(max_size=300), times=st.integers(1, 400), cuts=st.lists(st.integers(0), max_size=8))
def test_any_split_gives_the_same_content(case: str, content: bytes, times: int, cuts: list[int]) -> None:
    decoder = decoder_of(case)
    encoded = ENCODERS[case][1](content * times)
    assert decode(decoder, *in_pieces(encoded, cuts)) == content * times
    assert decoder.complete


@CASES
@given(content=st.binary(max_size=300), cut=st.integers(0))
def test_a_stream_cut_anywhere_is_never_complete(case: str, content: bytes, cut: int) -> None:
    encoded = ENCODERS[case][1](content)
    start = encoded[: 1 + cut % (len(encoded) - 1)] if len(encoded) > 1 else b""
    decoder = decoder_of(case)
    try:
        decode(decoder, start)
    except CODING_ERRORS:
        return
    assert not decoder.complete or not start


@CASES
@given(chunks=st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_decode_or_are_refused_and_nothing_else(case: str, chunks: list[bytes]) -> None:
    decoder = decoder_of(case)
    try:
        for chunk in chunks:
            assert all(len(piece) <= MAX_OUTPUT for piece in decoder.decode(chunk))
    except CODING_ERRORS:
        assert any(chunks)


@CASES
def test_a_flipped_byte_is_refused_or_leaves_the_stream_open(case: str) -> None:
    encoded = bytearray(ENCODERS[case][1](PAGE))
    encoded[len(encoded) // 2] ^= 0x55
    decoder = decoder_of(case)
    try:
        content = decode(decoder, bytes(encoded))
    except CODING_ERRORS:
        return
    assert content != PAGE or not decoder.complete


@CASES
@pytest.mark.parametrize(
    "size",
    [
        OUTPUT_STEP - 1,
        OUTPUT_STEP,
        OUTPUT_STEP + 1,
        OUTPUT_STEP + 100,
        OUTPUT_STEP + 257,
        MAX_OUTPUT,
        MAX_OUTPUT + 1,
    ],
)
def test_nothing_is_left_behind_when_the_last_piece_is_full(case: str, size: int) -> None:
    decoder = decoder_of(case)
    assert decode(decoder, ENCODERS[case][1](bytes(size))) == bytes(size)
    assert decoder.complete


@CASES
def test_an_empty_body_is_complete(case: str) -> None:
    decoder = decoder_of(case)
    assert decode(decoder, b"") == b""
    assert decoder.complete


@pytest.mark.parametrize("case", ["gzip", "zstd"])
@given(
    parts=st.lists(st.binary(max_size=50), min_size=2, max_size=4), cuts=st.lists(st.integers(0), max_size=8)
)
def test_members_in_a_row_are_one_body(case: str, parts: list[bytes], cuts: list[int]) -> None:
    decoder = decoder_of(case)
    encoded = b"".join(map(ENCODERS[case][1], parts))
    assert decode(decoder, *in_pieces(encoded, cuts)) == b"".join(parts)
    assert decoder.complete


@pytest.mark.parametrize("case", ["gzip", "zstd"])
@pytest.mark.parametrize("step", [1, 100_000])
def test_zero_bytes_between_members_are_padding(case: str, step: int) -> None:
    encode = ENCODERS[case][1]
    encoded = encode(b"one") + b"\0" * 9 + encode(b"two")
    decoder = decoder_of(case)
    assert decode(decoder, *(encoded[at : at + step] for at in range(0, len(encoded), step))) == b"onetwo"


def test_a_skippable_zstd_frame_is_skipped() -> None:
    skippable = b"\x53\x2a\x4d\x18" + (5).to_bytes(4, "little") + b"notes"
    decoder = decoder_of("zstd")
    assert decode(decoder, zstd.compress(b"one") + skippable + zstd.compress(b"two")) == b"onetwo"
    assert decoder.complete


@pytest.mark.parametrize("case", ["gzip", "x-gzip", "deflate", "raw deflate", "zstd"])
@pytest.mark.parametrize("trailer", [b"\0" * 40, b"\0\0garbage", b"garbage", b"\x1f\x8bgarbage"])
@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_bytes_after_the_last_member_are_ignored(case: str, trailer: bytes, step: int) -> None:
    encoded = ENCODERS[case][1](PAGE) + trailer
    decoder = decoder_of(case)
    assert decode(decoder, *(encoded[at : at + step] for at in range(0, len(encoded), step))) == PAGE
    assert decoder.complete


@pytest.mark.parametrize("step", [1, 7, 100_000])
def test_after_a_brotli_stream_nothing_may_follow(step: int) -> None:
    encoded = brotli.compress(PAGE) + b"garbage"
    with pytest.raises(CODING_ERRORS):
        decode(decoder_of("br"), *(encoded[at : at + step] for at in range(0, len(encoded), step)))


def test_a_second_gzip_member_that_barely_began_is_missing_its_rest() -> None:
    for begun in (b"\x1f", b"\x1f\x8b", b"\x1f\x8b\x08", gzip.compress(b"two")[:-1]):
        decoder = decoder_of("gzip")
        decode(decoder, gzip.compress(b"one") + begun)
        assert not decoder.complete


def test_a_wrong_checksum_is_refused() -> None:
    encoded = bytearray(gzip.compress(PAGE))
    encoded[-5] ^= 1
    with pytest.raises(CODING_ERRORS):
        decode(decoder_of("gzip"), bytes(encoded))


@pytest.mark.parametrize("level", range(-1, 10))
@pytest.mark.parametrize("size", [0, 1, 10, 5_000])
def test_both_kinds_of_deflate_are_distinguished_at_every_level(level: int, size: int) -> None:
    content = PAGE[:size]
    raw = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
    for encoded in (zlib.compress(content, level), raw.compress(content) + raw.flush()):
        decoder = decoder_of("deflate")
        assert decode(decoder, encoded) == content
        assert decoder.complete


def test_zstd_windows_larger_than_the_web_allows_are_refused() -> None:
    assert decode(decoder_of("zstd"), zstd_with_window(23)) == b"hello"
    with pytest.raises(CODING_ERRORS):
        decode(decoder_of("zstd"), zstd_with_window(24))


@pytest.mark.parametrize(
    ("case", "make"),
    [
        ("gzip", lambda: gzip.compress(bytes(1 << 24))),
        ("deflate", lambda: zlib.compress(bytes(1 << 24))),
        ("raw deflate", lambda: raw_deflate(bytes(1 << 24))),
        ("br", lambda: one_brotli(bytes(1 << 20), 16)),
        ("zstd", lambda: zstd.compress(bytes(1 << 24))),
    ],
    ids=["gzip", "deflate", "raw deflate", "br", "zstd"],
)
def test_a_bomb_comes_in_bounded_pieces(case: str, make: Callable[[], bytes]) -> None:
    decoder = decoder_of(case)
    sizes = [len(piece) for piece in decoder.decode(make())]
    assert sum(sizes) == 1 << 24
    assert max(sizes) <= MAX_OUTPUT
    assert decoder.complete


def test_members_without_end_are_refused() -> None:
    empty = gzip.compress(b"")
    decoder = decoder_of("gzip")
    assert decode(decoder, empty * MAX_MEMBERS) == b""
    with pytest.raises(DecodingError):
        decode(decoder, empty)
