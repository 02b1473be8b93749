"""Frames come back from a stream, however it is split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fetchpool.pools.process.frames import HEAD, FrameReader, Kind, frame

frames = st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=20)), max_size=6)


def feed(reader: FrameReader, data: bytes) -> list[tuple[Kind, bytes]]:
    """Let a reader receive some bytes, as from a socket."""
    reader.space[: len(data)] = data
    return reader.received(len(data))


@given(frames, st.lists(st.integers(1, 9), min_size=1))
def test_frames_come_back_from_pieces_of_any_size(sent: list[tuple[Kind, bytes]], sizes: list[int]) -> None:
    stream = b"".join([frame(kind, payload) for kind, payload in sent])
    reader = FrameReader(space=9)
    came = []
    while stream:
        size = sizes[len(stream) % len(sizes)]
        came += feed(reader, stream[:size])
        stream = stream[size:]
    assert came == sent


def test_a_kind_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="255 is not a valid Kind"):
        feed(FrameReader(), HEAD.pack(0, 255))
