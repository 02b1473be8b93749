"""Stores a hop's body in addition to measuring it (`--save`, `--hash`, `--warc`).

In: the input of a `ResponseBody`. Out: the same results, and the stored bytes: the decoded content
(`sinks/bodies.py`), the bytes as received (`wire`, for `warc_recorder.py`), or both. A run without these
options never loads this module.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any, BinaryIO

from fetchpool.config.fetch_options import FetchOptions
from fetchpool.http.body import BODILESS, ResponseBody
from fetchpool.model.failures import FailureKind
from fetchpool.model.request import FetchRequest
from fetchpool.sinks.bodies import BodyStore, BodyWriter
from fetchpool.sinks.spool import SpooledBody
from fetchpool.transports.base import Failure, ResponseHead


class BodyStorage:
    """The storage that all bodies of a run share."""

    def __init__(self, options: FetchOptions, wants: int) -> None:
        """`wants`: the number of content bytes that parsers need."""
        self._options = options
        self._wants = wants
        wanted = options.save or options.hash
        self._storage = BodyStore(options.save, options.save_spool, options.save_as) if wanted else None

    def body(self, method: str) -> StoredBody:
        """Return the body of a new hop."""
        return StoredBody(self._options, method, self._storage, self._wants)

    def finish(
        self, body: ResponseBody, extra: dict[str, Any], failure: Failure | None, request: FetchRequest
    ) -> str:
        """Finish the last hop's body: store the content of a response without a failure, and add its fields
        to `extra`. Return the error message of a failure of the local disk; empty if there is none."""
        if not isinstance(body, StoredBody):  # an internal request, which has no row
            return ""
        if body.stored is None:
            return body.error
        if failure is None:
            first = request.first or request
            extra.update(body.stored.finish(body.content_type, first.href, first.position))
        else:
            body.stored.discard()
        return body.error or body.stored.failure


class StoredBody(ResponseBody):
    """A `ResponseBody` that also passes its bytes on to storage."""

    __slots__ = ("_parsed", "_storage", "error", "stopped", "stored", "wire")

    def __init__(self, options: FetchOptions, method: str, storage: BodyStore | None, wants: int) -> None:
        super().__init__(options, method, 0, wants)
        self._parsed = self._keep
        self._keep = self._keep or storage is not None
        self._storage = storage
        self.wire = SpooledBody(options.warc_spool) if options.warc_spool else None
        """The body as received, whatever its status."""
        self.stored: BodyWriter | None = None
        """The content, if the status is not a failure and the response can have a body."""
        self.stopped = False
        """Whether reading was stopped, possibly before the end."""
        self.error = ""
        """Why the local disk failed; empty if it did not."""

    @property
    def bodiless(self) -> bool:
        """Whether there is no body, whatever the headers say (RFC 9112 section 6.3)."""
        return self._method == "HEAD" or (self.head is not None and self.head.status in BODILESS)

    def on_head(self, head: ResponseHead) -> bool:
        if not super().on_head(head):
            self.stopped = True
            return False
        if self._kept is not None and self._storage is not None and not self.bodiless:
            self.stored = self._storage.begin()
        return True

    def _check_page(self) -> None:
        super()._check_page()
        self._parsed = self._wants > 0

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
                self.error = disk_failure(failure)
        return self._checked(super().feed(chunk))

    def resume(self) -> bool:
        return self._checked(super().resume())

    def _checked(self, more: bool) -> bool:
        """Return the result of `feed()`, or False if the local disk has failed."""
        if self.stored is not None and self.stored.failure:
            self.error = self.stored.failure
        if self.error:
            more = self._fail(FailureKind.ABORTED, self.error)
        self.stopped = not more and not self.pending and not self.is_at_end
        return more

    def open_raw(self) -> BinaryIO:
        """Return the body as received, positioned at its start. Raises `OSError`."""
        assert self.wire is not None
        self.wire.close()
        return Path(self.wire.path).open("rb") if self.wire.path else io.BytesIO(self.wire.content)

    def discard(self) -> None:
        """Delete the stored data."""
        if self.wire is not None:
            self.wire.discard()
        if self.stored is not None:
            self.stored.discard()


def disk_failure(failure: OSError) -> str:
    """Return the message for a failure to write to the archive."""
    return f"the archive can't be written: {failure.strerror}; free some space, or choose another --warc"
