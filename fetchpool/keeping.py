"""A hop's body for those who want more of it than its size: `--save`, `--hash`.

In: what a `Body` gets. Out: what a `Body` says, and what was kept. A run without such options never
loads this room: its bodies cost nothing for what they could do.
"""

from __future__ import annotations

from typing import Any

from fetchpool.body import Body
from fetchpool.model import FailureKind, FetchOptions
from fetchpool.storage import Storage, Stored
from fetchpool.transports.base import Failure, ResponseHead

NOT_MODIFIED = 304
"""It speaks of a body that we are to have already (RFC 9110 section 15.4.5)."""


class Keeping:
    """What the kept bodies of a run have in common."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._storage = Storage(options.save, options.save_spool)

    def body(self, method: str) -> KeptBody:
        """For one hop."""
        return KeptBody(self._options, method, self._storage)

    def settle(self, body: Body, extra: dict[str, Any], failure: Failure | None) -> str:
        """The last hop is done. Of an answer without a failure the body is kept, and `extra` gets what is
        said of it. Returns why our own disk can't; empty when all is well."""
        if not isinstance(body, KeptBody) or body.stored is None:
            return ""
        if failure is None:
            extra.update(body.stored.finish(body.content_type))
        else:
            body.stored.discard()
        return body.stored.failure


class KeptBody(Body):
    """A `Body` that hands its decoded pieces on."""

    __slots__ = ("_parsed", "_storage", "stored")

    def __init__(self, options: FetchOptions, method: str, storage: Storage) -> None:
        super().__init__(options, method)
        self._parsed = self._keep
        self._keep = True
        self._storage = storage
        self.stored: Stored | None = None
        """The answer itself, when its status is under 400 and it can have a body."""

    def begin(self, head: ResponseHead) -> bool:
        if not super().begin(head):
            return False
        if self._kept is not None and self._method != "HEAD" and head.status != NOT_MODIFIED:
            self.stored = self._storage.begin()
            self._kept = Pieces(self.stored, held=self._parsed)
        return True

    def feed(self, chunk: bytes) -> bool:
        more = super().feed(chunk)
        if self.stored is not None and self.stored.failure and self.failure is None:
            return self._fail(FailureKind.ABORTED, self.stored.failure)
        return more


class Pieces(list[bytes]):
    """The pieces of a content, each handed on as it comes; held only for those who parse them."""

    def __init__(self, stored: Stored, *, held: bool) -> None:
        super().__init__()
        self._stored = stored
        self._held = held

    def append(self, piece: bytes) -> None:
        self._stored.write(piece)
        if self._held:
            super().append(piece)
