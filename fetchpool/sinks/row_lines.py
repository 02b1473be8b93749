"""Decodes complete lines of outputs of fetchpool, for `read_back.py`, `compact` and --resume.

In: lines, each with its line end. Out: a row for each line, None for a damaged one, whatever version wrote
them. Pure: opens no file.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import msgspec
from msgspec import Struct

from fetchpool.model.csv_cells import DELIMITERS, unescape_cell
from fetchpool.model.record import ROW_FIELDS, StoredRow

MAX_CELL = 1 << 30
"""Maximum length of a cell in characters, more than the csv module's default of 131,072."""
INVALID_JSON = (ValueError, RecursionError)
"""Exceptions raised for a line that is not JSON, not UTF-8, or nested too deeply."""
STORED_FIELDS = ("url", "error")
URL, ERROR = map(ROW_FIELDS.index, STORED_FIELDS)

T = TypeVar("T", bound=msgspec.Struct)
Decode = Callable[[bytes], list[StoredRow | None]]

_TEXT_ROW = re.compile(r"^url:<(.*)> (?:size:\[(\d*)\]|error:\[(\w+)\])$", re.MULTILINE)
_stored_json = msgspec.json.Decoder(StoredRow)


def line_decoder(format: str, header: bytes = b"") -> Decode:
    """Return the function that reads complete lines of an output, its header excluded: a row for each line,
    None for a damaged one. The `header` of a CSV or TSV output names its columns."""
    if format in DELIMITERS:
        delimiter = DELIMITERS[format]
        names = next(iter(parse_cells(header.decode(errors="replace"), delimiter)), [])
        if not names or tuple(names[: len(ROW_FIELDS)]) == ROW_FIELDS:
            return partial(_decode_csv, delimiter=delimiter)
        return partial(_decode_columns, names=names, delimiter=delimiter)
    return _decode_jsonl if format == "jsonl" else PLAIN_FORMATS[format].stored_rows


def decode_text(lines: bytes) -> list[StoredRow | None]:
    """Read lines of text."""
    rows: list[StoredRow | None] = [
        StoredRow(url, error or None) for url, _, error in _TEXT_ROW.findall(lines.decode(errors="replace"))
    ]
    return rows if len(rows) == lines.count(b"\n") else [_text_row(line) for line in lines.split(b"\n")[:-1]]


def _text_row(line: bytes) -> StoredRow | None:
    row = _TEXT_ROW.fullmatch(line.decode(errors="replace"))
    return StoredRow(row[1], row[3]) if row else None


def text_fields(lines: bytes) -> list[dict[str, str | None] | None]:
    """Read lines of text as mappings, with the size in addition."""
    found: list[dict[str, str | None] | None] = []
    for line in lines.decode(errors="replace").split("\n")[:-1]:
        row = _TEXT_ROW.fullmatch(line)
        found.append(
            {"url": row[1], "size_delivered": row[2] or None, "error": row[3]} if row is not None else None
        )
    return found


class PlainFormat(Struct, frozen=True):
    """How lines of a format are read that has some fields only, and no added ones."""

    stored_rows: Decode
    fields: Callable[[bytes], list[dict[str, str | None] | None]]
    """Reads lines as mappings from field to text."""


PLAIN_FORMATS = {"text": PlainFormat(decode_text, text_fields)}


def _decode_jsonl(lines: bytes) -> list[StoredRow | None]:
    """Read lines of JSON: 0.7 µs per line, since only the two fields of a `StoredRow` are decoded."""
    return decode_json(lines, _stored_json)


def decode_json(lines: bytes, decoder: msgspec.json.Decoder[T]) -> list[T | None]:
    """Read lines of JSON as structs of the decoder's type."""
    try:
        rows: list[T | None] = [*decoder.decode_lines(lines)]
    except INVALID_JSON:
        rows = []
    if len(rows) == lines.count(b"\n"):
        return rows
    return [_json_row(line, decoder) for line in lines.split(b"\n")[:-1]]


def _json_row(line: bytes, decoder: msgspec.json.Decoder[T]) -> T | None:
    try:
        return decoder.decode(line)
    except INVALID_JSON:
        return None


def _decode_csv(lines: bytes, delimiter: str) -> list[StoredRow | None]:
    return [
        StoredRow(unescape_cell(cells[URL]), cells[ERROR] or None) if is_row(cells) else None
        for cells in parse_cells(lines.decode(errors="replace"), delimiter)
    ]


def _decode_columns(lines: bytes, names: list[str], delimiter: str) -> list[StoredRow | None]:
    """Read rows of chosen columns (`--fields`)."""
    url, error = map(names.index, STORED_FIELDS)
    return [
        StoredRow(unescape_cell(cells[url]), cells[error] or None) if len(cells) == len(names) else None
        for cells in parse_cells(lines.decode(errors="replace"), delimiter)
    ]


def is_row(cells: list[str]) -> bool:
    """Whether cells are those of a row, and not of a header or a damaged line."""
    return len(cells) > len(ROW_FIELDS) and cells[0].isdecimal()


def parse_cells(lines: str, delimiter: str = ",") -> list[list[str]]:
    """Return the cells of each complete line of CSV or TSV; no cells for a damaged line, which does not
    affect other lines."""
    each = lines.split("\n")[:-1]
    before = csv.field_size_limit(MAX_CELL)
    try:
        rows = _parsed(each, delimiter)
        return rows if len(rows) == len(each) else [(_parsed([line], delimiter) or [[]])[0] for line in each]
    finally:
        csv.field_size_limit(before)


def _parsed(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error:
        return []
