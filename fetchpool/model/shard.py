"""Shard: a part of the hosts of a list (`--shard K/N`), for several independent runs.

In: a text such as 1/4, and requests. Out: whether each belongs to the part. Pure, and stable: every machine
and every run has the same hosts in the same part, whatever else the list contains, and in whatever order.
"""

from __future__ import annotations

import re
from hashlib import blake2b

from msgspec import Struct

from fetchpool.model.errors import UsageError
from fetchpool.model.request import FetchRequest

BYTES = 8
"""Bytes of the digest (RFC 7693) by which hosts are divided."""
_SHARD = re.compile(r"([0-9]{1,6})/([0-9]{1,6})", re.ASCII)


class Shard(Struct, frozen=True):
    """Part `part` of `parts`, from 1 to `parts`."""

    part: int
    parts: int

    def __contains__(self, request: FetchRequest) -> bool:
        """Whether the request's host belongs to this part. An invalid URL without a host is assigned by its
        text."""
        name = request.host or request.url
        digest = blake2b(name.encode("utf-8", "surrogatepass"), digest_size=BYTES).digest()
        return int.from_bytes(digest, "big") % self.parts == self.part - 1


def shard(option: str, value: str) -> Shard:
    """Return the part that the text specifies. Raises `UsageError`."""
    match = _SHARD.fullmatch(value)
    if match is not None:
        found = Shard(int(match[1]), int(match[2]))
        if 1 <= found.part <= found.parts:
            return found
    raise UsageError(f"{option}: expected K/N, with K from 1 to N, such as 1/4; got {value!r}")
