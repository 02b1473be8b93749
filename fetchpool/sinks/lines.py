"""Reads a file of rows in blocks of complete lines, in bounded memory whatever the file's size.

In: a function that reads bytes at an offset. Out: blocks of bytes that end in a line end, from the first to
the last or from the last to the first, without the truncated line that a crash left at the end. The module
knows no format.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

MAX_LINE = 1 << 28
"""Approximate maximum length of a row, in bytes: of a longer line only the start and end are kept in
memory."""

Read = Callable[[int, int], bytes]
"""`read(offset, size)` returns at least a byte unless the file has been truncated."""

BLOCK = 1 << 17
"""Size of a block in bytes, a few hundred rows; a longer line is a block of its own. Blocks of a mebibyte
take 1.5 times as long: the allocator returns pieces of that size to the system each time."""


def blocks(read: Read, start: int, end: int) -> Iterator[bytes]:
    """Yield the complete lines between two offsets."""
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
        if size < MAX_LINE:
            rest.append(chunk[cut:])
            size += len(chunk) - cut


def sequential(pieces: Iterator[bytes]) -> Read:
    """Return a function that reads content sequentially, for `lines.blocks()`."""
    rest = b""

    def read(_offset: int, size: int) -> bytes:
        nonlocal rest
        while not rest:
            piece = next(pieces, None)
            if piece is None:
                return b""
            rest = piece
        found, rest = rest[:size], rest[size:]
        return found

    return read


def blocks_backwards(read: Read, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield the complete lines with their offsets, the last block first; the lines of a block are in
    order."""
    end = last_line_end(read, start, end)
    size = BLOCK
    while start < end:
        at = max(start, end - size)
        block = read_exactly(read, at, end - at)
        cut = block.find(b"\n") + 1 if at > start else 0
        if at > start and cut == len(block):  # the last line began before it
            size *= 2
            continue
        yield at + cut, block[cut:]
        end = at + cut
        size = BLOCK


def last_line_end(read: Read, start: int, end: int) -> int:
    """Return the offset after the last line end; `start` if there is none."""
    while end > start:
        at = max(start, end - BLOCK)
        cut = read_exactly(read, at, end - at).rfind(b"\n") + 1
        if cut:
            return at + cut
        end = at
    return start


def read_exactly(read: Read, offset: int, size: int) -> bytes:
    """Return `size` bytes, however many reads that takes; fewer only at the end of the file."""
    pieces: list[bytes] = []
    while size and (piece := read(offset, size)):
        pieces.append(piece)
        offset += len(piece)
        size -= len(piece)
    return b"".join(pieces)
