"""A file of rows read back in blocks of whole lines: bounded memory, whatever the file's size.

In: a way to read bytes at an offset. Out: blocks of bytes that end in a line end. What a crash left
torn at the end is not among them. It knows no format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

BLOCK = 1 << 20
"""Bytes, some two thousand rows; a line that is longer is a block of its own."""


def blocks(read: Callable[[int, int], bytes], start: int, end: int) -> Iterator[bytes]:
    """The whole lines between two offsets. `read(offset, size)` gives at least a byte unless the file
    has been cut off."""
    rest = b""
    while start < end:
        chunk = read(start, min(BLOCK, end - start))
        if not chunk:
            return
        start += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest += chunk
            continue
        yield rest + chunk[:cut]
        rest = chunk[cut:]
