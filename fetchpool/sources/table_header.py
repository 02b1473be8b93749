"""The first row of a CSV or TSV: how its cells are told apart, whether it is a header, where the URLs are.

In: the first line or row, and the column that was asked for: a name, or a place, counted from 1. Out: a
delimiter, or a `Heading`. Pure.

A place is for tables without a header. A first row whose cell in that place may be a URL is a row like any
other; if it can be none it is a header, and a column of that very name goes before the place.
"""

from __future__ import annotations

import csv
import re
from contextlib import suppress

from msgspec import Struct

from fetchpool.model.record import ROW_FIELDS

DELIMITERS = {"csv": ",;\t", "tsv": "\t,;"}
"""By the format; the first is the usual one, another is taken when it finds the column that was asked for."""
SAID = re.compile(r'\ufeff?"?sep=(.)"?[\r\n]*', re.IGNORECASE)
"""How Excel says which one a file has, in a line before the header."""
URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/:\s]+\.[^/:\s]+(?::\d+)?/|[^/:\s]+\.[^/:\s]+:\d+\Z", re.IGNORECASE)
"""What is a URL and no name of a column: `page.url` may be one."""


class Heading(Struct, frozen=True):
    """What the first row says."""

    place: int
    """Of the URL's column, from 0; -1 when there is no such column."""
    names: list[str]
    """Of the columns; empty ones without a header."""
    is_row: bool
    """It is no header, but a row like any other."""
    is_ours: bool
    """The table is a result of fetchpool's."""


def parse_header(cells: list[str], column: str) -> Heading:
    """What a first row says, for whom asked for that column."""
    place = place_of(cells, column)
    is_row = place >= 0 and bool(may_be_url(cells[place]) if cells[place] != column else URL.match(column))
    names = [""] * len(cells) if is_row else cells
    return Heading(place, names, is_row, tuple(cells[: len(ROW_FIELDS)]) == ROW_FIELDS)


def place_of(cells: list[str], column: str) -> int:
    """Where that column is, from 0; -1 when it is nowhere."""
    place = int(column) - 1 if column.isascii() and column.isdecimal() and len(column) < 6 else -1
    if 0 <= place < len(cells) and may_be_url(cells[place]):
        return place
    if column in cells:
        return cells.index(column)
    return place if place < len(cells) else -1


def delimiter(line: str, format: str, column: str) -> tuple[str, bool]:
    """What stands between two cells, by the first line; and whether that line says nothing else."""
    if said := SAID.fullmatch(line):
        return said[1], True
    usual = DELIMITERS[format][0]
    for each in DELIMITERS[format]:
        cells: list[str] = []
        with suppress(csv.Error):
            cells = next(csv.reader([line], delimiter=each), [])
        place = place_of(cells, column)
        if place >= 0 and (cells[place] == column or (len(cells) > 1 and may_be_url(cells[place]))):
            return each, False
    return usual, False


def may_be_url(cell: str) -> bool:
    """A header's cell has no dot, colon or slash, mostly; a host or a URL has."""
    return cell.strip() == "localhost" or any(sign in cell for sign in ".:/")
