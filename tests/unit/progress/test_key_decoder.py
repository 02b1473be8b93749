"""Keys among the bytes that a terminal sends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.progress.key_decoder import PAUSE, KeyDecoder

SEQUENCES = (
    b"\x1b[A",  # an arrow
    b"\x1bOP",  # F1
    b"\x1b[15;2~",  # F5 with Shift
    b"\x1bs",  # Alt and s
    b"\x1b[<0;12;5M",  # a click
    b"\x1b]11;rgb:dada/dada/dada\x07",  # the terminal's background
    b"\x1bP1$r0 q\x1b\\\\"[:-1],  # a setting of the terminal
    b"\x1b[200~stop\x1b[201~",  # a marked paste
)


def keys(*reads: bytes, apart: float = 1.0) -> list[str]:
    """Return the keys of reads that are so many seconds apart."""
    decoder = KeyDecoder()
    return [key for number, read in enumerate(reads) for key in decoder.feed(read, number * apart)]


def test_each_printable_character_is_a_key() -> None:
    assert keys(b"p", b" ", b"++", b"\n\x03\x7f\xc3\xa9", b"?") == ["p", " ", "+", "+", "?"]


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_a_sequence_is_no_key_however_it_is_divided(sequence: bytes) -> None:
    for place in range(len(sequence)):
        decoder = KeyDecoder()
        first = decoder.feed(sequence[:place], 0.0)
        rest = decoder.feed(sequence[place:], PAUSE / 2)
        assert first + rest == [], (sequence[:place], sequence[place:])
        assert decoder.feed(b"p", 1.0) == ["p"]


@given(st.lists(st.sampled_from([*SEQUENCES[:7], b"p", b"d"]), max_size=20))
def test_keys_between_sequences_are_found(reads: list[bytes]) -> None:
    assert keys(*reads) == [read.decode() for read in reads if len(read) == 1]


def test_escape_alone_does_not_take_the_next_key_with_it() -> None:
    assert keys(b"\x1b", b"s") == ["s"]


def test_pasted_text_is_no_key_until_it_is_over() -> None:
    assert keys(b"https://example.org/stop", b"ps", apart=PAUSE / 2) == []
    assert keys(b"https://example.org/stop", b"p", apart=PAUSE * 2) == ["p"]
    assert keys(b"\x1b[200~a", b"s", b"\x1b[201~", b"d", apart=PAUSE / 2) == ["d"]


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded(octets: bytes) -> None:
    assert all(key.isprintable() and len(key) == 1 for key in keys(octets))
