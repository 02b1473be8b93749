"""Hashes of large bodies: made in another thread, in bounded memory, and the same as in place."""

from __future__ import annotations

import hashlib
import threading
from random import Random

import pytest

from fetchpool.model.errors import NoThreadError
from fetchpool.runtime import threads
from fetchpool.sinks.bodies import SHA256, SMALL, BodyStore, BodyWriter
from fetchpool.sinks.hash_thread import BATCH, BATCHES, EARLY, HashThread

PIECE = 16 * 1024
TIMEOUT = 30.0
SIZES = sorted(
    size + more
    for size in (PIECE, SMALL, SMALL + EARLY, SMALL + BATCH, SMALL + BATCH * BATCHES, 4_000_000)
    for more in (-1, 0, 1)
)


class HeldDigest:
    """A digest whose updates wait until they are released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.size = 0

    def update(self, data: memoryview, /) -> None:
        assert self.released.wait(TIMEOUT)
        self.size += len(data)


class BrokenDigest:
    """A digest that can't be updated."""

    def update(self, data: memoryview, /) -> None:
        raise MemoryError(len(data))


def names() -> list[str]:
    """The names of the threads that hash."""
    return [thread.name for thread in threading.enumerate() if thread.name == "fetchpool-hash"]


def pieces(body: bytes, random: Random) -> list[bytes]:
    """The body in pieces as libcurl and decoders pass them on."""
    found = []
    start = 0
    while start < len(body):
        end = start + random.choice([PIECE, PIECE, 1, 1448, 64 * 1024])
        found.append(body[start:end])
        start = end
    return found


def write(writers: list[BodyWriter], bodies: list[bytes], random: Random) -> list[str]:
    """Write all bodies in turns of a few pieces; return their hashes."""
    left = [pieces(body, random) for body in bodies]
    while any(left):
        number = random.choice([number for number, each in enumerate(left) if each])
        for _ in range(random.randint(1, 20)):
            if left[number]:
                writers[number].write(left[number].pop(0))
    return [writer.finish(None)[SHA256] for writer in writers]


@pytest.mark.parametrize("seed", [1, 2])
def test_bodies_of_all_sizes_in_turns_have_their_hashes(seed: int) -> None:
    random = Random(seed)
    hash_thread = HashThread()
    store = BodyStore("", "", hash_thread=hash_thread)
    bodies = [random.randbytes(size) for size in SIZES]
    found = write([store.begin() for _ in bodies], bodies, random)
    assert names()
    hash_thread.close()
    assert not names()
    assert found == [hashlib.sha256(body).hexdigest() for body in bodies]


def test_a_small_body_is_hashed_as_it_arrives() -> None:
    hash_thread = HashThread()
    writer = BodyStore("", "", hash_thread=hash_thread).begin()
    writer.write(b"x" * SMALL)
    assert not hash_thread._batch.digests
    assert writer.finish(None)[SHA256] == hashlib.sha256(b"x" * SMALL).hexdigest()
    hash_thread.close()


def test_a_slow_hash_holds_the_bodies(monkeypatch: pytest.MonkeyPatch) -> None:
    hash_thread = HashThread()
    digest = HeldDigest()
    sent = 0
    held: list[int] = []
    changed = hash_thread._changed
    wait = changed.wait

    def waiting() -> None:
        if threading.current_thread() is threading.main_thread() and not digest.released.is_set():
            held.append(sent)
            digest.released.set()
        wait(TIMEOUT)

    monkeypatch.setattr(changed, "wait", waiting)
    piece = bytes(PIECE)
    for _ in range(1_000):
        hash_thread.update(digest, piece)
        sent += PIECE
    hash_thread.finish()
    hash_thread.close()
    assert digest.size == sent == 1_000 * PIECE
    [most] = held
    assert BATCH < most <= BATCH * BATCHES


def test_bodies_that_end_early_leave_the_others_alone() -> None:
    hash_thread = HashThread()
    store = BodyStore("", "", hash_thread=hash_thread)
    complete, truncated = store.begin(), store.begin()
    for _ in range(200):
        complete.write(b"c" * PIECE)
        truncated.write(b"t" * PIECE)
    truncated.discard()
    complete.write(b"c" * PIECE)
    assert complete.finish(None)[SHA256] == hashlib.sha256(b"c" * PIECE * 201).hexdigest()
    assert not any(batch.digests or batch.content.tell() for batch in hash_thread._batches)
    hash_thread.close()


def test_hashing_goes_on_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> threading.Thread:
        raise NoThreadError(threads.NO_THREAD)

    monkeypatch.setattr(threads, "start", start)
    random = Random(4)
    store = BodyStore("", "", hash_thread=HashThread())
    bodies = [random.randbytes(2_000_000), random.randbytes(300_000)]
    found = write([store.begin() for _ in bodies], bodies, random)
    assert found == [hashlib.sha256(body).hexdigest() for body in bodies]


def test_an_error_is_raised_rather_than_a_wrong_hash_returned() -> None:
    hash_thread = HashThread()
    for _ in range(BATCH * BATCHES * 2 // PIECE):
        hash_thread.update(BrokenDigest(), bytes(PIECE))
    with pytest.raises(MemoryError):
        hash_thread.finish()
    hash_thread.close()
    assert not names()
