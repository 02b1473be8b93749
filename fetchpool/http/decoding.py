"""Decodes the content codings of one body, in steps of bounded duration.

In: the body's bytes as received, in chunks of any size. Out: the decoded content, piece by piece, its size,
and at most one failure. A few bytes may contain hours of decoding, so a step ends after some milliseconds:
the driver then checks the time, serves other fetches, and calls `resume()`. Nothing that a server sends makes
it raise, and it holds no more than a piece for each layer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from fetchpool.http.decoders import CODING_ERRORS, ContentCoding, ContentDecoder
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure

FIRST, PIECES = 4, 8
"""Pieces of a chunk's first step, and of later steps, each of at most `decoders.MAX_OUTPUT` bytes. The first
is shorter, since a thousand chunks may arrive at once; an ordinary one has one or two pieces."""

Keep = Callable[[bytes], None]


class Decoding:
    """Decodes what `feed()` is given, and continues with `resume()` as long as it is `pending`."""

    __slots__ = ("_between", "_decoders", "_enough", "_limit", "_waiting", "_work", "failure", "size")

    def __init__(self, codings: list[ContentCoding], limit: int, enough: int) -> None:
        """`codings`: in the order of decoding, the outermost first. More than `limit` bytes are a failure,
        also between two layers: they may be a bomb that the inner layer reduces to nothing. After `enough`
        bytes, unless it is 0, decoding stops."""
        self._decoders = [ContentDecoder(coding) for coding in codings]
        self._limit = limit
        self._enough = enough
        self._work: list[Iterator[bytes]] = []
        """The unfinished iterators over the pieces of each layer, the innermost last."""
        self._waiting: deque[bytes] = deque()
        """Chunks that arrived meanwhile."""
        self._between = 0
        self.size = 0
        """Bytes of decoded content so far."""
        self.failure: Failure | None = None

    @property
    def pending(self) -> bool:
        """Whether received bytes are not decoded yet."""
        return len(self._work) > 0

    @property
    def unfinished(self) -> str:
        """The coding whose data is incomplete; empty when all are complete."""
        for decoder in self._decoders:
            if not decoder.complete:
                return decoder.name
        return ""

    def feed(self, chunk: bytes, keep: Keep | None) -> bool:
        """Decode the first step of a chunk. Return True when the chunk is decoded and more is wanted."""
        if self._work:
            self._waiting.append(chunk)
            return False
        self._work.append(self._decoders[0].decode(chunk))
        return self.resume(keep, FIRST)

    def resume(self, keep: Keep | None, pieces: int = PIECES) -> bool:
        """Decode one more step. Return True when everything received is decoded and more is wanted."""
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
        """Stop decoding; return False."""
        self._work.clear()
        self._waiting.clear()
        return False
