"""Reads JSON arrays (RFC 8259) element by element, and converts them to JSON Lines.

In: the bytes of an array in UTF-8, split anywhere. Out: the same elements, one per line. Elements are not
checked: the readers of the lines do that. Memory is bounded by the longest element, which a limit bounds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from fetchpool.sources.decompress import Chunks
from fetchpool.sources.lines import MAX_LINE
from fetchpool.sources.table_lines import MAX_LINE as MAX_ELEMENT
from fetchpool.sources.table_lines import LineIterator
from fetchpool.sources.table_rows import BATCH_BYTES, RowBatch, RowCollector, TableFormatError

START = re.compile(rb"(?:\xef\xbb\xbf)?\s*\[\s*([\"{])")
"""The start of an array of strings or objects. A list of URLs may also begin with a bracket: of an IPv6
address, or of a link in Markdown."""
_SIGNS = re.compile(rb"[\[\]{}\",]")
_STRING_SIGNS = re.compile(rb"[\"\\]")
_SPACES = bytes.maketrans(b"\t\r\n", b"   ")
"""Within an element these occur only between tokens: JSON escapes them in strings."""


def element_kind(start: bytes) -> str:
    """Return `"` if the data begins an array of strings, `{` for an array of objects, and an empty text for
    anything else."""
    found = START.match(start)
    return found[1].decode() if found else ""


def element_lines(chunks: Chunks) -> Chunks:
    """Yield the elements of an array, each as a line. Raises `TableFormatError` for data that is not an
    array, or is incomplete."""
    depth = 0
    in_string = escaped = False
    element: list[bytes] = []
    size = 0
    for chunk, offset in chunks:
        lines: list[bytes] = []
        begin = at = 0
        if depth == 0 and not element:
            chunk = chunk.removeprefix(b"\xef\xbb\xbf")
        while True:
            if escaped:
                if at >= len(chunk):
                    break
                at, escaped = at + 1, False
            sign = (_STRING_SIGNS if in_string else _SIGNS).search(chunk, at)
            if sign is None:
                break
            at, char = sign.end(), sign[0]
            if in_string:
                in_string, escaped = char != b'"', char == b"\\"
            elif char == b'"':
                in_string = True
            elif char in b"[{":
                depth += 1
                if depth == 1:
                    begin = at
            elif char == b"," and depth == 1:
                lines.append(_line([*element, chunk[begin : at - 1]]))
                element, size, begin = [], 0, at
            elif char in b"]}":
                depth -= 1
                if depth == 0:
                    last = _line([*element, chunk[begin : at - 1]])
                    lines += [last] if last.strip() else []
                    yield b"".join(lines), offset
                    _check_end(chunk[at:])
                    for rest, _ in chunks:
                        _check_end(rest)
                    return
        if depth:
            element.append(chunk[begin:])
            size += len(chunk) - begin
        if size > MAX_ELEMENT:
            raise TableFormatError(f"an element of more than {MAX_ELEMENT >> 20} MiB in the JSON array")
        yield b"".join(lines), offset
    raise TableFormatError("the JSON array has no end; is the file complete?")


def read_texts(lines: LineIterator) -> Iterator[RowBatch]:
    """Yield the URLs of an array of strings. An element that is not a string becomes a row with an error."""
    found = RowCollector(keep=False)
    decode = msgspec.json.Decoder(str).decode
    for line in lines:
        text = line.strip()
        try:
            found.add(decode(text).strip()[:MAX_LINE], number=lines.number)
        except (msgspec.MsgspecError, UnicodeError):
            problem = "the element is not a string; for objects, name the field with --url-column"
            found.add(text[:MAX_LINE], problem=problem, number=lines.number)
        if lines.waits or found.weight > BATCH_BYTES:
            yield found.rows(lines.offset)
            found = RowCollector(keep=False)
    yield found.rows(lines.offset)


def _line(pieces: list[bytes]) -> bytes:
    return b"".join(pieces).translate(_SPACES).strip() + b"\n"


def _check_end(rest: bytes) -> None:
    if rest.strip():
        raise TableFormatError("text after the end of the JSON array")
