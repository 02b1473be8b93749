"""A file of rows read back in blocks of whole lines: bounded memory, whatever the file's size.

In: a way to read bytes at an offset. Out: blocks of bytes that end in a line end, from the first to the
last or from the last to the first. What a crash left torn at the end is not among them. It knows no
format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

LONGEST = 1 << 28
"""Bytes of a line, about: what is longer is no row, and only its ends are kept."""

Read = Callable[[int, int], bytes]
"""`read(offset, size)` gives at least a byte unless the file has been cut off."""

BLOCK = 1 << 17
"""Bytes, some hundred rows; a line that is longer is a block of its own. Blocks of a mebibyte take half as
long again: the allocator gives such pieces back to the system each time."""


def blocks(read: Read, start: int, end: int) -> Iterator[bytes]:
    """The whole lines between two offsets."""
    rest: list[bytes] = []
    size = 0
    while start < end:
        chunk = read(start, min(BLOCK, end - start))
        if not chunk:
            return
        start += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield b"".join([*rest, chunk[:cut]])
            rest, size = [], 0
        if size < LONGEST:
            rest.append(chunk[cut:])
            size += len(chunk) - cut


def blocks_backwards(read: Read, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The same with their offsets, the last block first; within a block lines are in order."""
    end = last_line_end(read, start, end)
    size = BLOCK
    while start < end:
        at = max(start, end - size)
        block = whole(read, at, end - at)
        cut = block.find(b"\n") + 1 if at > start else 0
        if at > start and cut == len(block):  # the last line began before it
            size *= 2
            continue
        yield at + cut, block[cut:]
        end = at + cut
        size = BLOCK


def last_line_end(read: Read, start: int, end: int) -> int:
    """The offset behind the last line end; `start` when there is none."""
    while end > start:
        at = max(start, end - BLOCK)
        cut = whole(read, at, end - at).rfind(b"\n") + 1
        if cut:
            return at + cut
        end = at
    return start


def whole(read: Read, offset: int, size: int) -> bytes:
    """All of it, however many reads that takes; less only where the file ends."""
    pieces: list[bytes] = []
    while size and (piece := read(offset, size)):
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)
