"""Interprets the first row of a CSV or TSV: the delimiter, whether it is a header, and the URL's column.

In: the first line or row, and the requested column: a name, or a number, counted from 1. Out: a delimiter, or
a `Heading`. Pure.

A number is for tables without a header. A first row whose cell in that column may be a URL is a row like any
other. Otherwise it is a header, and a column whose name is that number takes precedence. Case and spaces
around a name make no difference, unless two columns differ only by them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from contextlib import suppress

from msgspec import Struct

from fetchpool.model.record import ROW_FIELDS

DELIMITERS = {"csv": ",;\t|", "tsv": "\t,;|"}
"""Delimiters by format. The first is the default; another is used if the requested column is found with it,
or if it is the only one that splits the first line."""
SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?[\r\n]*', re.IGNORECASE)
"""The line before the header in which Excel names the delimiter."""
URL = re.compile(r"[a-z][a-z0-9+.-]*://|[^/:\s]+\.[^/:\s]+(?::\d+)?/|[^/:\s]+\.[^/:\s]+:\d+\Z", re.IGNORECASE)
"""A URL that can't be the name of a column, unlike `page.url`."""


class Heading(Struct, frozen=True):
    """The interpretation of the first row."""

    place: int
    """The index of the URL's column; -1 when there is no such column."""
    names: list[str]
    """The names of the columns; empty strings without a header."""
    is_row: bool
    """Whether the first row is not a header but an ordinary row."""
    is_ours: bool
    """Whether the table is an output of fetchpool."""


def parse_header(cells: list[str], column: str) -> Heading:
    """Return the interpretation of a first row, for the requested column."""
    place = place_of(cells, column)
    is_named = place >= 0 and cells[place].strip().casefold() == column.strip().casefold()
    is_row = place >= 0 and bool(URL.match(column) if is_named else may_be_url(cells[place]))
    names = [""] * len(cells) if is_row else cells
    return Heading(place, names, is_row, tuple(cells[: len(ROW_FIELDS)]) == ROW_FIELDS)


def place_of(cells: list[str], column: str) -> int:
    """Return the index of a column; -1 when there is no such column."""
    place = int(column) - 1 if column.isascii() and column.isdecimal() and len(column) < 6 else -1
    if 0 <= place < len(cells) and may_be_url(cells[place]):
        return place
    if (named := place_of_name(cells, column)) >= 0:
        return named
    return place if place < len(cells) else -1


def place_of_name(names: Sequence[str], column: str) -> int:
    """Return the index of the column with this name, or else of the only one whose name differs by no more
    than case and spaces; -1 when there is none."""
    if column in names:
        return names.index(column)
    folded = column.strip().casefold()
    alike = [place for place, name in enumerate(names) if name.strip().casefold() == folded]
    return alike[0] if len(alike) == 1 else -1


def delimiter(line: str, format: str, column: str, given: str = "") -> tuple[str, bool]:
    """Return the delimiter that the first line suggests, and whether that line only names the delimiter.
    `given`: the delimiter given by the user."""
    if sep_line := SEP_LINE.fullmatch(line):
        return given or sep_line[1], True
    if given:
        return given, False
    usual = DELIMITERS[format][0]
    if usual not in line:
        usual = next((each for each in DELIMITERS[format] if each in line), usual)
    for each in DELIMITERS[format]:
        cells: list[str] = []
        with suppress(csv.Error):
            cells = next(csv.reader([line], delimiter=each), [])
        place = place_of(cells, column)
        if place >= 0 and (
            place == place_of_name(cells, column) or (len(cells) > 1 and may_be_url(cells[place]))
        ):
            return each, False
    return usual, False


def may_be_url(cell: str) -> bool:
    """Whether a cell looks like a host or URL: unlike most headers, these have a dot, colon or slash."""
    return cell.strip() == "localhost" or any(sign in cell for sign in ".:/")
