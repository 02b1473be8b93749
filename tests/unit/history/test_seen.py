"""The compact set of fingerprints, compared with a Python set."""

from __future__ import annotations

import os
import sqlite3
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.history import seen_disk
from fetchpool.history.seen import Node, SeenSet
from fetchpool.history.seen_disk import DiskSeenSet
from fetchpool.history.temporary_db import open_temporary_database
from fetchpool.model.fingerprint import SIZE

# Two choosing bytes and alphabets of one letter or two: many share a string, and many stand between others.
FINGERPRINTS = st.lists(st.sampled_from([0, 1]), min_size=SIZE, max_size=SIZE).map(
    lambda digits: bytes([0, 0, *digits[2:8], *[0] * (SIZE - 8)])
)
MEMORY = st.sampled_from([0, 60, 1 << 30])
"""Bytes: everything on disk, most of it, nothing."""


@given(st.lists(FINGERPRINTS), MEMORY)
def test_it_is_a_set(fingerprints: list[bytes], memory: int) -> None:
    seen, model = SeenSet(memory=memory), set[bytes]()
    for fingerprint in fingerprints:
        assert seen.add(fingerprint) == (fingerprint not in model)
        model.add(fingerprint)
        assert len(seen) == len(model)


@given(
    st.lists(
        st.tuples(FINGERPRINTS, st.integers(0, 2), st.one_of(st.sampled_from([0, 1]), st.integers(0, 255)))
    ),
    MEMORY,
)
def test_each_has_its_marks(calls: list[tuple[bytes, int, int]], memory: int) -> None:
    seen, model = SeenSet(3, memory=memory), dict[bytes, bytearray]()
    for fingerprint, place, mark in calls:
        marks = model.setdefault(fingerprint, bytearray(3))
        assert seen.set_mark(fingerprint, place, mark) == marks
        marks[place] = mark
    assert len(seen) == len(model)
    for fingerprint, marks in model.items():
        assert not seen.add(fingerprint)
        assert seen.set_mark(fingerprint, 0, 9) == marks


@pytest.mark.parametrize("marks", [0, 1])
def test_long_strings_are_divided(marks: int) -> None:
    """As many fingerprints in one string as there are in each at 300 million: none is lost, none is found
    that was not added, and no search is long."""
    fingerprints = [b"\0\0" + os.urandom(SIZE - 2) for _ in range(5000)]
    seen = SeenSet(marks)
    for number, fingerprint in enumerate(fingerprints):
        if marks:
            assert seen.set_mark(fingerprint, 0, 1 + number % 5) == b"\0"
        else:
            assert seen.add(fingerprint)
    assert not any(map(seen.add, fingerprints))
    assert all(seen.add(b"\0\0" + os.urandom(SIZE - 2)) for _ in range(100))
    if marks:
        assert all(
            seen.set_mark(fingerprint, 0, 9) == bytes((1 + number % 5,))
            for number, fingerprint in enumerate(fingerprints)
        )
    assert len(seen) == 5100
    assert max(map(len, strings(seen._nodes[0]))) < 400 * (10 + marks)


def strings(node: Node) -> Iterator[bytes]:
    """The strings of a part of a set."""
    if isinstance(node, bytes):
        yield node
    else:
        for each in node:
            yield from strings(each)


@pytest.mark.parametrize("marks", [0, 2])
def test_a_hundred_thousand_are_within_thirty_bytes_each(marks: int) -> None:
    # What is allocated, that is; what the process is larger by is measured in bench/.
    data = os.urandom(100_000 * SIZE)
    tracemalloc.start()
    try:
        seen = SeenSet(marks)
        empty, _ = tracemalloc.get_traced_memory()
        for start in range(0, len(data), SIZE):
            seen.set_mark(data[start : start + SIZE], 0, 1) if marks else seen.add(data[start : start + SIZE])
        now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(seen) == 100_000
    # The strings' own heads, of which there are never more than 65,536, are 3.4 MB of this.
    assert (peak - empty - 65_536 * 52) / 100_000 < 10 + marks + 5
    assert peak < 1.01 * now + 10_000


def test_fingerprints_beyond_the_memory_limit_are_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    databases = []

    class Observed(DiskSeenSet):
        def __init__(self) -> None:
            super().__init__()
            databases.append(self._connection)

    monkeypatch.setattr(seen_disk, "DiskSeenSet", Observed)
    seen = SeenSet(memory=1500)
    fingerprints = [os.urandom(SIZE) for _ in range(1000)]
    assert all(map(seen.add, fingerprints))
    assert not any(map(seen.add, fingerprints))
    assert databases[0].execute("SELECT count(*) FROM seen").fetchone() == (900,)


def test_a_temporary_database_closes_itself_when_it_is_no_longer_referenced() -> None:
    """Python 3.13 warns about an unclosed database."""
    database = open_temporary_database("CREATE TABLE t (n)")
    database.execute("INSERT INTO t VALUES (1)")
    database.__del__()
    with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
        database.execute("SELECT n FROM t")
