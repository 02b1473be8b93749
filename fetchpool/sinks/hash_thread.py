"""Hashes large bodies in another thread, for a pool whose single thread runs many fetches.

In: pieces of bodies, each with the digest that it belongs to. Out: updated digests, after `finish()`. hashlib
releases the interpreter lock, so the pool's thread receives more of the bodies meanwhile.

Pieces are copied into one of a few batches: for each update a thread has to acquire the interpreter lock,
which may take longer than hashing a single piece. When all batches are full, the pool's thread waits. So the
memory is the same for any number of bodies of any size.
"""

from __future__ import annotations

import io
import threading
from itertools import pairwise
from typing import Protocol

from fetchpool.model.errors import NoThreadError
from fetchpool.runtime import threads

BATCH = 512 * 1024
"""Bytes of a full batch, not counting its last piece. Hashing them takes a quarter of a millisecond."""
BATCHES = 3
"""Number of batches: one is hashed, one waits and one is filled."""
EARLY = 128 * 1024
"""Bytes after which a batch is hashed before it is full, if the thread has nothing else to do."""


class Digest(Protocol):
    """The part of hashlib's digests that is needed."""

    def update(self, data: memoryview, /) -> None: ...


class Batch:
    """Pieces of one or more bodies, in the order of their arrival."""

    __slots__ = ("content", "digests", "starts")

    def __init__(self) -> None:
        self.content = io.BytesIO()
        """The pieces, up to the current position."""
        self.digests: list[Digest] = []
        self.starts: list[int] = []
        """Where the pieces of each digest begin."""

    def hash(self) -> None:
        """Update the digests, and empty the batch."""
        try:
            with self.content.getbuffer() as content:
                parts = pairwise([*self.starts, self.content.tell()])
                for digest, (start, stop) in zip(self.digests, parts, strict=True):
                    digest.update(content[start:stop])
        finally:
            self.digests.clear()
            self.starts.clear()
            self.content.seek(0)


class HashThread:
    """The thread, started for the first batch. Its methods are for the pool's thread."""

    def __init__(self) -> None:
        self._batches = [Batch() for _ in range(BATCHES)]
        """The batches, used in turn."""
        self._batch = self._batches[0]
        """The batch that is being filled, or is next."""
        self._digest: Digest | None = None
        """The digest of the last piece in the batch; None if it is empty."""
        self._unchecked = EARLY
        """Bytes until the next check whether the thread can have the batch."""
        self._passed = 0
        """Number of batches passed to the thread so far."""
        self._hashed = 0
        """Number of batches hashed so far."""
        self._changed = threading.Condition()
        """Notified of changes of both numbers; at most one of the two threads waits at a time."""
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: Exception | None = None

    def update(self, digest: Digest, piece: bytes) -> None:
        """Update a digest soon. Blocks while all batches are full."""
        if digest is not self._digest:
            self._begin(digest)
        self._batch.content.write(piece)
        self._unchecked -= len(piece)
        if self._unchecked <= 0:
            self._unchecked = EARLY
            if self._hashed == self._passed or self._batch.content.tell() >= BATCH:
                self._pass_on()

    def finish(self) -> None:
        """Update all digests now."""
        self._wait(0)
        if self._digest is not None:
            self._empty()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """End the thread. Idempotent."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def _begin(self, digest: Digest) -> None:
        """Begin with the pieces of another digest, or with another batch."""
        self._wait(BATCHES - 1)
        self._batch.digests.append(digest)
        self._batch.starts.append(self._batch.content.tell())
        self._digest = digest

    def _wait(self, most: int) -> None:
        """Wait until at most this number of batches are left to hash."""
        if self._passed - self._hashed > most:
            with self._changed:
                while self._passed - self._hashed > most:
                    self._changed.wait()

    def _empty(self) -> None:
        """Hash the batch in the pool's thread. All earlier ones are hashed."""
        self._digest = None
        self._unchecked = EARLY
        self._batch.hash()

    def _pass_on(self) -> None:
        """Pass the batch to the thread, and go on with the next one."""
        if self._thread is None:
            try:
                self._thread = threads.start(self._run, "fetchpool-hash")
            except NoThreadError:
                self._empty()
                return
        with self._changed:
            self._passed += 1
            self._changed.notify()
        self._digest = None
        self._batch = self._batches[self._passed % BATCHES]

    # In the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._hashed == self._passed and not self._closed:
                    self._changed.wait()
            if self._hashed == self._passed:
                return
            try:
                self._batches[self._hashed % BATCHES].hash()
            except Exception as error:  # noqa: BLE001 - raised in `finish()`; meanwhile nothing may block
                self._error = error.with_traceback(None)  # whose frames may refer to the batch
            with self._changed:
                self._hashed += 1
                self._changed.notify()
