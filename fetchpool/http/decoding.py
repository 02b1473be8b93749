"""The content codings of one body, undone in turns of a bounded length.

In: the body's bytes as they came, in chunks of any size. Out: the decoded content, piece by piece, its size,
and at most one failure. A few bytes may hold hours of decoding, so a turn ends after some milliseconds:
whoever fetches looks at the clock then, serves others, and comes back with `resume()`. Nothing a server
sends makes it raise, and no more than a piece for each layer is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from fetchpool.http.decoders import CODING_ERRORS, ContentCoding, ContentDecoder
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure

FIRST, PIECES = 4, 8
"""Pieces of a chunk's first turn, and of any other, each of `decoders.MOST` bytes at most. The first is
shorter, since a thousand chunks may come at once; an ordinary one has one or two pieces."""

Keep = Callable[[bytes], None]


class Decoding:
    """Takes what comes with `feed()`, and goes on with `resume()` as long as it is `pending`."""

    __slots__ = ("_between", "_decoders", "_enough", "_limit", "_waiting", "_work", "failure", "size")

    def __init__(self, codings: list[ContentCoding], limit: int, enough: int) -> None:
        """`codings`: the outermost first, which is to be undone first. More than `limit` bytes are a failure,
        also between two layers: they may be a bomb that the inner one turns into nothing. After `enough`
        bytes, unless it is 0, no more is decoded."""
        self._decoders = [ContentDecoder(coding) for coding in codings]
        self._limit = limit
        self._enough = enough
        self._work: list[Iterator[bytes]] = []
        """What was begun and has not come to its end: the pieces of each layer, the innermost last."""
        self._waiting: deque[bytes] = deque()
        """Chunks that came meanwhile."""
        self._between = 0
        self.size = 0
        """Bytes of decoded content so far."""
        self.failure: Failure | None = None

    @property
    def pending(self) -> bool:
        """Something that has come is not decoded yet."""
        return len(self._work) > 0

    @property
    def unfinished(self) -> str:
        """The coding whose data has not come to its end; empty when all have."""
        for decoder in self._decoders:
            if not decoder.complete:
                return decoder.name
        return ""

    def feed(self, chunk: bytes, keep: Keep | None) -> bool:
        """The first turn of a chunk. True when it is decoded and more is wanted."""
        if self._work:
            self._waiting.append(chunk)
            return False
        self._work.append(self._decoders[0].decode(chunk))
        return self.resume(keep, FIRST)

    def resume(self, keep: Keep | None, pieces: int = PIECES) -> bool:
        """One more turn. True when all that has come is decoded and more is wanted."""
        decoders, work, limit = self._decoders, self._work, self._limit
        innermost, layer = len(decoders), len(work)
        try:
            for _ in range(pieces):
                piece = next(work[-1], None)
                if piece is None:
                    work.pop()
                    layer -= 1
                    if not layer:
                        if not self._waiting:
                            return True
                        work.append(decoders[0].decode(self._waiting.popleft()))
                        layer = 1
                elif layer < innermost:
                    self._between += len(piece)
                    if self._between > limit:
                        return self._is_too_large()
                    work.append(decoders[layer].decode(piece))
                    layer += 1
                else:
                    self.size += len(piece)
                    if self.size > limit and not self._enough:
                        return self._is_too_large()
                    if keep is not None:
                        keep(piece)
                    if 0 < self._enough <= self.size:
                        return self._end()
        except CODING_ERRORS:
            message = f"the body is not valid {decoders[layer - 1].name} data"
            self.failure = Failure(FailureKind.DECODE, message)
            return self._end()
        return False

    def _is_too_large(self) -> bool:
        message = f"the body decodes to more than {self._limit} bytes"
        self.failure = Failure(FailureKind.TOO_LARGE, message)
        return self._end()

    def _end(self) -> bool:
        """False: nobody wants what is left."""
        self._work.clear()
        self._waiting.clear()
        return False
