"""A hop's body for those who want more of it than its size: `--save`, `--hash`, `--warc`.

In: what a `ResponseBody` gets. Out: what a `ResponseBody` says, and what was kept: the decoded content
(`sinks/bodies.py`), the bytes as they came (`wire`, for `warc_recorder.py`), or both. A run without such
options never loads this module.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import ResponseBody
from fetchpool.model.failures import FailureKind
from fetchpool.sinks.bodies import BodyStore, BodyWriter
from fetchpool.sinks.spool import SpooledBody
from fetchpool.transports.base import Failure, ResponseHead

NOT_MODIFIED = 304
"""It speaks of a body that we are to have already (RFC 9110 section 15.4.5)."""
BODILESS = frozenset((204, NOT_MODIFIED))


class BodyStorage:
    """What the kept bodies of a run have in common."""

    def __init__(self, options: FetchOptions, wants: int) -> None:
        """`wants`: bytes of the content that parsers do."""
        self._options = options
        self._wants = wants
        wanted = options.save or options.hash
        self._storage = BodyStore(options.save, options.save_spool) if wanted else None

    def body(self, method: str) -> StoredBody:
        """For one hop."""
        return StoredBody(self._options, method, self._storage, self._wants)

    def settle(self, body: ResponseBody, extra: dict[str, Any], failure: Failure | None) -> str:
        """The last hop is done. Of an answer without a failure the content is stored, and `extra` gets
        what is said of it. Returns why our own disk can't; empty when all is well."""
        if not isinstance(body, StoredBody):  # it was wanted for ourselves, not for a row
            return ""
        if body.stored is None:
            return body.broken
        if failure is None:
            extra.update(body.stored.finish(body.content_type))
        else:
            body.stored.discard()
        return body.broken or body.stored.failure


class StoredBody(ResponseBody):
    """A `ResponseBody` that hands its bytes on."""

    __slots__ = ("_parsed", "_storage", "broken", "stopped", "stored", "wire")

    def __init__(self, options: FetchOptions, method: str, storage: BodyStore | None, wants: int) -> None:
        super().__init__(options, method, 0, wants)
        self._parsed = self._keep
        self._keep = self._keep or storage is not None
        self._storage = storage
        self.wire = SpooledBody(options.warc_spool) if options.warc_spool else None
        """The body as it came, of whatever status."""
        self.stored: BodyWriter | None = None
        """The answer itself, when its status is under 400 and it can have a body."""
        self.stopped = False
        """We took no more, though there may have been more."""
        self.broken = ""
        """Why our own disk took no more; empty when all is well."""

    @property
    def bodiless(self) -> bool:
        """There is no body, whatever the header says (RFC 9112 section 6.3)."""
        return self._method == "HEAD" or (self.head is not None and self.head.status in BODILESS)

    def begin(self, head: ResponseHead) -> bool:
        if not super().begin(head):
            self.stopped = True
            return False
        if self._kept is not None and self._storage is not None and not self.bodiless:
            self.stored = self._storage.begin()
        return True

    def _keep_piece(self, piece: bytes) -> None:
        if self.stored is not None:
            self.stored.write(piece)
        if self._parsed:
            super()._keep_piece(piece)

    def feed(self, chunk: bytes) -> bool:
        if self.wire is not None:
            try:
                self.wire.write(chunk)
            except OSError as failure:
                self.broken = disk_failure(failure)
        return self._checked(super().feed(chunk))

    def resume(self) -> bool:
        return self._checked(super().resume())

    def _checked(self, more: bool) -> bool:
        """What `feed()` returns, with a look at our own disk."""
        if self.stored is not None and self.stored.failure:
            self.broken = self.stored.failure
        if self.broken:
            more = self._fail(FailureKind.ABORTED, self.broken)
        self.stopped = not more and not self.pending and not self.is_at_end
        return more

    def opened(self) -> BinaryIO:
        """The body as it came, to be read from its start. Raises `OSError`."""
        assert self.wire is not None
        self.wire.close()
        return Path(self.wire.path).open("rb") if self.wire.path else io.BytesIO(self.wire.content)

    def discard(self) -> None:
        """Nobody wants it any more."""
        if self.wire is not None:
            self.wire.discard()
        if self.stored is not None:
            self.stored.discard()


def disk_failure(failure: OSError) -> str:
    """Return the message for a failure to write to the archive."""
    return f"the archive can't be written: {failure.strerror}; free some space, or choose another --warc"
