"""Decodes the content codings of one body, in steps of bounded duration.

In: the body's bytes as received, in chunks of any size. Out: the decoded content, piece by piece, its size,
and at most one failure. A few bytes may take hours to decode, so a step ends after a few milliseconds: the
driver then checks the time, serves other fetches, and calls `resume()`. Nothing that a server sends makes it
raise, and it holds at most one piece for each layer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from fetchpool.http.decoders import CODING_ERRORS, ContentCoding, ContentDecoder
from fetchpool.model.failures import FailureKind
from fetchpool.transports.base import Failure

FIRST, PIECES = 4, 8
"""Maximum number of pieces, each of at most `decoders.MAX_OUTPUT` bytes, in a chunk's first step and in later
steps. The first step is shorter, since a thousand chunks may arrive at once; an ordinary chunk has one or two
pieces."""

Keep = Callable[[bytes], None]


class Decoding:
    """Decodes the chunks passed to `feed()`; while it is `pending`, `resume()` continues."""

    __slots__ = ("_between", "_decoders", "_enough", "_limit", "_waiting", "_work", "failure", "size")

    def __init__(self, codings: list[ContentCoding], limit: int, enough: int) -> None:
        """`codings`: in the order of decoding, the outermost first. More than `limit` bytes are a failure,
        even between two layers, where they may be a bomb that the inner layer reduces to nothing. Decoding
        stops after `enough` bytes, unless that is 0."""
        self._decoders = [ContentDecoder(coding) for coding in codings]
        self._limit = limit
        self._enough = enough
        self._work: list[Iterator[bytes]] = []
        """The unfinished iterators over the pieces of each layer, the innermost last."""
        self._waiting: deque[bytes] = deque()
        """Chunks that arrived during the decoding of an earlier one."""
        self._between = 0
        self.size = 0
        """Number of bytes of decoded content so far."""
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
        """Decode the first step of a chunk. Return True if the chunk is decoded and more is wanted."""
        if self._work:
            self._waiting.append(chunk)
            return False
        self._work.append(self._decoders[0].decode(chunk))
        return self.resume(keep, FIRST)

    def resume(self, keep: Keep | None, pieces: int = PIECES) -> bool:
        """Decode one more step. Return True if everything received is decoded and more is wanted."""
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
